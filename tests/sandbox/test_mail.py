"""Letters that the portal writes to files, and the links in them."""

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.mail import EmailMessage, get_connection

from sandbox.mail import Letter, Mailbox

ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture
def folder(tmp_path: Path, settings: LazySettings) -> Path:
    settings.EMAIL_FILE_PATH = str(tmp_path)
    return tmp_path


def send(subject: str, body: str) -> None:
    """As the portal does without EMAIL_URL."""
    connection = get_connection("django.core.mail.backends.filebased.EmailBackend")
    EmailMessage(subject, body, "billing@example.com", ["alice@example.com"], connection=connection).send()


def test_each_letter_comes_once_with_its_links(folder: Path) -> None:
    send("Before", "an old one")
    mailbox = Mailbox(folder, ADDRESS)
    assert list(mailbox.new()) == []
    link = f"{ADDRESS}/accounts/confirm-email/{'x' * 120}:1/"
    send("Please confirm", f"Zoë, go to\n\n{link}\n\nor <{ADDRESS}/help>, not to http://elsewhere.example/\n")
    expected = Letter("alice@example.com", "Please confirm", (link, f"{ADDRESS}/help"))
    assert list(mailbox.new()) == [expected]
    assert list(mailbox.new()) == []


def test_a_letter_that_is_still_being_written_waits(folder: Path) -> None:
    mailbox = Mailbox(folder, ADDRESS)
    send("Whole", "all of it")
    (file,) = folder.glob("*.log")
    whole = file.read_bytes()
    file.write_bytes(whole[:40])
    assert list(mailbox.new()) == []
    file.write_bytes(whole)
    assert [letter.subject for letter in mailbox.new()] == ["Whole"]
