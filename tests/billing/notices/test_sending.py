"""Mail about notices goes out once, to the right people, and never silently not at all."""

import logging
import smtplib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection

from billing import tasks
from billing.notices import sending
from billing.notices.models import ALWAYS, Kind, Mail, Notice, NoticeSettings
from orgs.models import Membership, Organization, Role, User
from tests.factories import orgs as people

from .conftest import NOW, Tell

pytestmark = pytest.mark.django_db


class Server(BaseEmailBackend):
    """A mail server that does what `says` tells it, one after the other; None: it takes the mail."""

    says: list[Exception | None] = []
    closed: Exception | None = None
    takes: list[EmailMessage] = []
    in_transaction: list[bool] = []

    def open(self) -> bool:
        if Server.closed:
            raise Server.closed
        return True

    def send_messages(self, messages: Any) -> int:
        Server.in_transaction.append(connection.in_atomic_block)
        said = Server.says.pop(0) if Server.says else None
        # Whoever times out may have taken it all the same.
        if said is None or isinstance(said, TimeoutError):
            Server.takes.extend(messages)
        if said is not None:
            raise said
        return len(messages)


@pytest.fixture
def server(settings: Any) -> Iterator[type[Server]]:
    settings.EMAIL_BACKEND = f"{Server.__module__}.Server"
    Server.says, Server.takes, Server.closed, Server.in_transaction = [], [], None, []
    yield Server
    Server.says, Server.takes, Server.closed = [], [], None


def run(*, minutes: float = 0) -> int:
    return sending.send(now=NOW + timedelta(minutes=minutes))


def stands(notice: Notice) -> tuple[str, int]:
    notice.refresh_from_db()
    return notice.mail, notice.tries


# --- To whom -----------------------------------------------------------------------------------------------------------


def test_without_a_billing_address_owners_and_billing_people_get_it(acme: Organization, tell: Tell) -> None:
    for role in Role:
        people.member(acme, people.person(f"{role}@example.com"), role)
    gone = people.person("gone@example.com")
    people.member(acme, gone, Role.OWNER)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    notice = tell()
    assert run() == 1
    (message,) = mail.outbox
    assert message.to == ["alice@example.com", "owner@example.com", "billing@example.com"]
    assert message.subject == "Receipt: $130.02 to Purser"
    assert message.from_email == "Purser <billing@purser.example>"
    assert message.reply_to == ["billing@purser.example"]
    assert "You get this because you are an owner of Acme Research, or do its billing" in message.body
    assert message.message()["Message-ID"] == f"<notice-{notice.pk}@billing.purser.example>"
    notice.refresh_from_db()
    assert (notice.mail, notice.sent_at, notice.sent_to) == (Mail.SENT, NOW, 3)


def test_with_a_billing_address_only_that_gets_it(acme: Organization, tell: Tell) -> None:
    NoticeSettings.objects.create(wallet_id=acme.pk, billing_email="bills@acme.example", changed_at=NOW)
    tell()
    assert run() == 1
    (message,) = mail.outbox
    assert message.to == ["bills@acme.example"]
    assert "this is the billing address of Acme Research" in message.body


def test_each_organization_is_told_its_own(acme: Organization, tell: Tell, charlie_personal: Organization) -> None:
    tell("low balance")
    tell("low balance", org=charlie_personal)
    assert run() == 2
    assert [(message.to, "Acme" in message.body) for message in mail.outbox] == [
        (["alice@example.com"], True),
        (["charlie@example.com"], False),
    ]


def test_where_nobody_is_left_staff_see_it(acme: Organization, tell: Tell) -> None:
    Membership.objects.filter(organization=acme).update(role=Role.OWNER)
    User.objects.update(is_active=False)
    notice = tell()
    assert run() == 0
    assert stands(notice) == (Mail.FAILED, 1)
    assert (notice.error, mail.outbox) == ("Nobody to send it to", [])


def test_a_muted_kind_is_listed_and_not_mailed(acme: Organization, tell: Tell) -> None:
    NoticeSettings.objects.create(wallet_id=acme.pk, muted=["expiring"], changed_at=NOW)
    muted, other = tell("expiring"), tell("low balance")
    assert run() == 1
    assert (stands(muted)[0], stands(other)[0]) == (Mail.MUTED, Mail.SENT)


@pytest.mark.parametrize("example", ["receipt", "recharge paused", "recharge on", "settlement failed"])
def test_what_must_be_known_cannot_be_muted(acme: Organization, tell: Tell, example: str) -> None:
    NoticeSettings.objects.create(wallet_id=acme.pk, muted=[kind.value for kind in Kind], changed_at=NOW)
    notice = tell(example)
    assert notice.kind in ALWAYS
    assert run() == 1


# --- Once --------------------------------------------------------------------------------------------------------------


def test_run_twice_or_late_it_goes_out_once(tell: Tell) -> None:
    tell()
    assert [run(), run(), run(minutes=60 * 24 * 30)] == [1, 0, 0]
    assert len(mail.outbox) == 1


def test_the_clock_sends_what_is_due(tell: Tell) -> None:
    tell()
    tasks.send_notices()
    assert len(mail.outbox) == 1


def test_a_server_that_says_no_is_asked_again_later(tell: Tell, server: type[Server]) -> None:
    notice = tell()
    server.says = [
        smtplib.SMTPDataError(451, b"try later"),
        smtplib.SMTPRecipientsRefused({"a@example.com": (450, b"")}),
    ]
    assert [run(), run(minutes=1), run(minutes=3), run(minutes=30)] == [0, 0, 0, 1]
    notice.refresh_from_db()
    assert (notice.mail, notice.tries, notice.unclear, notice.error) == (Mail.SENT, 3, 0, "")
    assert len(server.takes) == 1


def test_a_server_that_is_not_there_is_asked_for_two_days_then_staff_see_it(tell: Tell, server: type[Server]) -> None:
    notice = tell()
    server.closed = ConnectionRefusedError()
    for hour in range(72):
        run(minutes=60 * hour)
    notice.refresh_from_db()
    assert (notice.mail, notice.tries) == (Mail.FAILED, len(sending.PAUSES))
    assert (notice.unclear, notice.error) == (0, "ConnectionRefusedError")
    server.closed = None
    assert run(minutes=10_000) == 0
    assert sending.again(notice, now=NOW)
    assert run() == 1
    assert not sending.again(notice, now=NOW)


def test_while_the_server_is_away_the_others_wait_untried(tell: Tell, server: type[Server]) -> None:
    first, second = tell(), tell("statement")
    server.closed = ConnectionRefusedError()
    assert run() == 0
    assert [stands(first), stands(second)] == [(Mail.WAITING, 1), (Mail.WAITING, 0)]
    server.closed = None
    assert run(minutes=5) == 2


def test_of_a_mail_nobody_knows_of_at_most_two_go_out_and_they_are_one(tell: Tell, server: type[Server]) -> None:
    notice = tell()
    server.says = [TimeoutError(), TimeoutError()]
    assert [run(minutes=minutes) for minutes in (0, 3, 30, 300)] == [0, 0, 0, 0]
    assert stands(notice) == (Mail.FAILED, 3)
    assert len({message.message()["Message-ID"] for message in server.takes}) == 1
    assert len(server.takes) == 2


def test_a_process_that_dies_while_it_sends_counts_as_one_of_the_two(
    tell: Tell, server: type[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    notice = tell()
    server.says = [KeyboardInterrupt()]  # type: ignore[list-item]
    with pytest.raises(KeyboardInterrupt):
        run()
    notice.refresh_from_db()
    assert (notice.mail, notice.unclear) == (Mail.WAITING, 1)
    assert [run(minutes=1), run(minutes=3)] == [0, 1]


def test_one_that_cannot_be_sent_holds_up_no_other(tell: Tell, server: type[Server]) -> None:
    first, second = tell(), tell("statement")
    server.says = [smtplib.SMTPDataError(554, b"no")]
    assert run() == 1
    assert (stands(first)[0], stands(second)[0]) == (Mail.WAITING, Mail.SENT)


def test_facts_without_words_are_seen_by_staff(acme: Organization, server: type[Server]) -> None:
    notice = Notice.objects.create(
        wallet_id=acme.pk, kind=Kind.LOW_BALANCE, key="low_balance:x", facts={}, created_at=NOW, next_try_at=NOW
    )
    for hour in range(72):
        run(minutes=60 * hour)
    assert stands(notice)[0] == Mail.FAILED
    assert (notice.error, server.takes) == ("KeyError", [])


def test_while_one_sends_another_takes_the_next(tell: Tell, server: type[Server]) -> None:
    """A claim is seen at once: two senders never have the same notice."""
    first, second = tell(), tell("statement")
    claimed = sending._claim(NOW)
    assert claimed == first
    assert run() == 1
    assert (stands(first)[0], stands(second)[0]) == (Mail.WAITING, Mail.SENT)


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_a_server_is_spoken_to(tell: Tell, server: type[Server]) -> None:
    tell()
    assert run() == 1
    assert server.in_transaction == [False]


def test_no_address_is_logged(tell: Tell, server: type[Server], caplog: pytest.LogCaptureFixture) -> None:
    tell()
    server.says = [smtplib.SMTPRecipientsRefused({"alice@example.com": (550, b"no such alice@example.com")})]
    with caplog.at_level(logging.DEBUG):
        run()
        run(minutes=5)
    assert "notice_not_sent" in caplog.text
    assert "notice_sent" in caplog.text
    assert "alice" not in caplog.text


# --- What PostgreSQL refuses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE notice SET mail = 'waiting', sent_at = NULL",
        "UPDATE notice SET sent_to = 7",
        "UPDATE notice SET facts = '{}'",
        "DELETE FROM notice",
    ],
)
@pytest.mark.usefixtures("as_owner")
def test_what_was_said_and_sent_stays_so_whoever_asks(tell: Tell, statement: str) -> None:
    tell()
    run()
    with pytest.raises(Exception, match="is append-only"), connection.cursor() as cursor:
        cursor.execute(statement)
