"""The calendar file of grants' ends is RFC 5545, and its events are those of the page."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from billing.graphs import expiry_calendar
from billing.graphs.credits import Credit
from orgs.models import Organization
from tests.factories import usage

from .conftest import NOW

GRANT = Credit(
    7, "Purchase", NOW - timedelta(days=10), datetime(2027, 4, 4, 12, 42, tzinfo=UTC), Decimal(100), Decimal(60),
    Decimal(60), Decimal("59.449"), promotional=False, held=False, card_brand="visa", card_last4="4242",
)  # fmt: skip


def file(*grants: Credit, name: str = "Acme Research") -> str:
    return expiry_calendar.file(
        grants, name=name, host="billing.example.com", address="https://billing.example.com/o/acme/billing", now=NOW
    )


def unfolded(text: str) -> list[str]:
    return text.replace("\r\n ", "").split("\r\n")


def test_an_event_for_each_grant_that_has_something_left() -> None:
    gone, over = replace(GRANT, rest=Decimal(0)), replace(GRANT, expires_at=NOW)
    lines = unfolded(file(GRANT, gone, over, replace(GRANT, account_id=8, held=True)))
    assert lines[:2] == ["BEGIN:VCALENDAR", "VERSION:2.0"]
    assert lines[-2:] == ["END:VCALENDAR", ""]
    first = lines[lines.index("BEGIN:VEVENT") : lines.index("END:VEVENT") + 1]
    assert [line.replace("\u00a0", " ") for line in first] == [
        "BEGIN:VEVENT",
        "UID:grant-7@billing.example.com",
        "DTSTAMP:20260414T124108Z",
        "DTSTART:20270404T124200Z",
        "SUMMARY:$59.44 of credit expires\\, Acme Research",
        "DESCRIPTION:Purchase of 4 Apr 2026: $59.44 was left on 14 Apr 2026\\, 12:41 UTC.",
        "URL:https://billing.example.com/o/acme/billing",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]
    assert [line for line in lines if line.startswith("UID")][1:] == ["UID:grant-8@billing.example.com"]
    assert any("Held while its payment is disputed" in line for line in lines)


def test_nothing_left_is_an_empty_calendar() -> None:
    assert unfolded(file())[-2:] == ["END:VCALENDAR", ""]
    assert "VEVENT" not in file()


@given(name=st.text(max_size=80).filter(lambda text: text.isprintable()))
def test_whatever_a_name_holds_lines_are_folded_and_nothing_breaks_out(name: str) -> None:
    text = file(replace(GRANT, title=name), name=name)
    assert text.count("\r\n") == text.count("\n") == text.count("\r")
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert text.count("BEGIN:VEVENT") == 1 or "BEGIN:VEVENT" in name
    (summary,) = [line for line in unfolded(text) if line.startswith("SUMMARY:")]
    assert re.sub(r"\\(.)", r"\1", summary) == f"SUMMARY:$59.44 of credit expires, {name}"


@pytest.mark.parametrize("hidden", ["\n", "\r\n", "\u2028", "\x85"])
def test_a_break_in_a_name_is_a_break_in_a_text(hidden: str) -> None:
    text = file(GRANT, name=f"Acme{hidden}END:VCALENDAR")
    assert "SUMMARY:$59.44 of credit expires\\, Acme\\nEND:VCALENDAR" in unfolded(text)


@pytest.mark.django_db
@pytest.mark.parametrize("bob_role", ["viewer"])
def test_every_member_may_have_it(bob_client: Client, acme: Organization) -> None:
    now = datetime.now(UTC)
    grant = usage.bought(acme, "100", now=now)
    usage.given(acme, "5", now=now)
    answer = bob_client.get("/o/acme/billing/credits.ics")
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="credit-acme.ics"'
    text = answer.content.decode()
    assert text.count("BEGIN:VEVENT") == 2
    assert f"UID:grant-{grant.account_id}@127.0.0.1" in text
    assert 'href="/o/acme/billing/credits.ics"' in bob_client.get("/o/acme/billing").content.decode()


@pytest.mark.django_db
def test_without_credit_there_is_nothing_to_put_into_a_calendar(alice_client: Client, acme: Organization) -> None:
    assert "credits.ics" not in alice_client.get("/o/acme/billing").content.decode()
