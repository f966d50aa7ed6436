"""What each mail says. The text parts lie in `words/`, to be read; PURSER_WORDS=1 writes them anew."""

import os
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from billing.notices import letters, rendering
from billing.notices.models import Kind, Notice
from orgs.models import Organization

from .conftest import NOW, Tell
from .examples import FACTS

pytestmark = pytest.mark.django_db

WORDS = Path(__file__).parent / "words"
WHY = "You get this because this is the billing address of Acme Research."


def mail(notice: Notice) -> rendering.Mail:
    return rendering.mail(notice, why=WHY)


def plain(text: str) -> str:
    return " ".join(unescape(text).replace("\u00a0", " ").split())


@pytest.mark.parametrize("example", FACTS)
def test_the_text_part_of_each_kind(tell: Tell, example: str) -> None:
    made = mail(tell(example))
    words = f"Subject: {made.subject}\n\n{made.text}".replace("\u00a0", " ")
    file = WORDS / f"{example.replace(',', '').replace(' ', '_')}.txt"
    if os.environ.get("PURSER_WORDS"):
        file.write_text(words)
    assert words == file.read_text()


def test_every_kind_has_its_letter_and_its_example() -> None:
    assert set(letters.WRITERS) == set(Kind) == {kind for kind, _ in FACTS.values()}


@pytest.mark.parametrize("example", FACTS)
def test_the_html_part_says_the_same(tell: Tell, example: str) -> None:
    notice = tell(example)
    made, letter = mail(notice), rendering.letter(notice)
    body = plain(re.sub(r"<style>.*?</style>|<[^>]+>", " ", made.html, flags=re.DOTALL))
    said = [letter.label, letter.figure, *letter.sentences, *letter.notes, letter.button.label, letter.link.label]
    said += [text for row in letter.rows for text in (row.label, row.value)]
    assert [text for text in said if plain(text) not in body] == []
    assert WHY in body
    links = re.findall(r'href="([^"]+)"', made.html)
    assert [link for link in links if link not in made.text and not link.startswith("mailto:")] == []
    assert all(link.startswith(("https://billing.purser.example/", "mailto:billing@purser.example")) for link in links)


@pytest.mark.parametrize("example", FACTS)
def test_the_subject_starts_with_the_fact_and_moments_say_utc(tell: Tell, example: str) -> None:
    made = mail(tell(example))
    assert "\n" not in made.subject
    assert not made.subject.startswith(("Purser", "Your", "Hello", "Important"))
    moments = re.findall(r"\d{2}:\d{2}(.{4})", made.text)
    assert all(after == "\u00a0UTC" for after in moments)


@pytest.mark.parametrize("example", ["recharge made", "recharge failed", "recharge on"])
def test_whoever_is_charged_without_being_there_can_stop_it_from_the_mail(tell: Tell, example: str) -> None:
    assert "Stop auto-recharge: https://billing.purser.example/recharge/stop/stop-me" in mail(tell(example)).text


def test_a_payment_that_waits_for_its_bank_is_finished_from_the_mail(tell: Tell) -> None:
    made = mail(tell("recharge paused"))
    assert "Finish the payment: https://billing.purser.example/recharge/finish/finish-me" in made.text


def test_the_mail_carries_its_styles_and_nothing_from_elsewhere(tell: Tell) -> None:
    """No picture, no script, no style sheet: nothing tells anybody that it was opened."""
    html = mail(tell()).html
    assert not re.search(r"<(img|script|link|iframe)\b|url\(|@import", html)
    assert "@media (prefers-color-scheme: dark)" in html
    assert "max-width:560px" in html
    assert all("style=" in tag for tag in re.findall(r"<(?:p|h1|td|a)\b[^>]*>", html) if 'align="center"' not in tag)


def test_a_name_is_a_name_and_no_mark_up(acme: Organization, tell: Tell) -> None:
    Organization.objects.filter(pk=acme.pk).update(name="<b>Acme</b> & 'Sons'")
    made = mail(tell("low balance"))
    assert "<b>Acme</b>" not in made.html
    assert "&lt;b&gt;Acme&lt;/b&gt; &amp;" in made.html
    assert made.subject == "Below $20.00: credit of <b>Acme</b> & 'Sons'"


def test_the_house_is_called_what_the_operator_calls_it(tell: Tell, settings: Any) -> None:
    settings.BRAND = {**settings.BRAND, "name": "Tokenworks"}
    settings.ISSUER = {"name": "Tokenworks Inc.", "address": ["1 Main Street", "Springfield"], "tax_id": ""}
    made = mail(tell())
    assert made.subject == "Receipt: $130.02 to Tokenworks"
    assert "Tokenworks Inc., 1 Main Street, Springfield\nQuestions: billing@purser.example" in made.text
    assert "Purser" not in made.text


def test_facts_that_are_missing_are_not_made_up(acme: Organization) -> None:
    notice = Notice(wallet_id=acme.pk, kind=Kind.RECEIPT, facts={"amount": "1.00"}, created_at=NOW)
    with pytest.raises(KeyError):
        rendering.letter(notice)
