"""The Alerts page: what was told, to how many, and what goes by mail."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.notices import announcing
from billing.notices.models import Kind, Mail, Notice, NoticeSettings
from orgs.models import Organization

pytestmark = pytest.mark.usefixtures("at_noon")

GOOD = {"billing_email": "bills@acme.example", "thresholds": "20.00\r\n5", "expiring": "on", "statement": "on"}


def page(client: Client, path: str = "/o/acme/alerts", status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status
    return " ".join(answer.content.decode().replace("\u00a0", " ").split())


def tell(org: Organization, number: int, *, now: datetime) -> Notice:
    """That its balance fell below so many dollars."""
    facts = {"threshold": f"{number}", "balance": "0.5"}
    announcing.announce(org.pk, Kind.LOW_BALANCE, key=f"{org.pk}:{number}", facts=facts, now=now)
    return Notice.objects.get(key=f"low_balance:{org.pk}:{number}")


def save(client: Client, **other: object) -> str:
    answer = client.post("/o/acme/alerts/settings", {**GOOD, **other}, follow=True)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


# --- What was told -----------------------------------------------------------------------------------------------------


def test_before_anything_was_told_it_says_what_will_be_here(alice_client: Client, acme: Organization) -> None:
    assert "Nothing yet. Receipts, low balances and credit that expires soon" in page(alice_client)


def test_the_list_says_what_the_mail_says_and_to_how_many_it_went(
    alice_client: Client, acme: Organization, at_noon: datetime
) -> None:
    sent = tell(acme, 20, now=at_noon)
    Notice.objects.filter(pk=sent.pk).update(mail=Mail.SENT, sent_at=at_noon, sent_to=2)
    muted, failed = tell(acme, 30, now=at_noon), tell(acme, 40, now=at_noon)
    Notice.objects.filter(pk=muted.pk).update(mail=Mail.MUTED)
    Notice.objects.filter(pk=failed.pk).update(mail=Mail.FAILED)
    tell(acme, 50, now=at_noon)
    shown = page(alice_client)
    assert "<b>Below $20.00: credit of Acme Research</b>" in shown
    assert "<p>Credit of Acme Research fell below $20.00 on 14 Apr 2026, 12:41 UTC. When it is" in shown
    assert "E-mailed to 2 addresses" in shown
    assert "Not by e-mail, as you chose" in shown
    assert "The e-mail could not be sent" in shown
    assert "The e-mail is on its way" in shown


def test_no_signed_link_stands_in_the_list(
    alice_client: Client, acme: Organization, at_noon: datetime, settings: Any
) -> None:
    """Who may only read must not find in the list what stops auto-recharge."""
    settings.ROOT_URLCONF = "tests.billing.notices.urls"
    facts: announcing.Facts = {
        "on": True, "threshold": "20", "recharge_to": "150", "cap": None, "stop_token": "stop-me"
    }  # fmt: skip
    announcing.announce(acme.pk, Kind.RECHARGE_CHANGED, key="1", facts=facts, now=at_noon)
    shown = page(alice_client)
    assert "<b>Auto-recharge of Acme Research is on: below $20.00, up to $150.00</b>" in shown
    assert "stop-me" not in shown


def test_one_without_words_holds_up_no_other(alice_client: Client, acme: Organization, at_noon: datetime) -> None:
    announcing.announce(acme.pk, Kind.STATEMENT, key="1", facts={}, now=at_noon)
    tell(acme, 20, now=at_noon)
    shown = page(alice_client)
    assert "<b>Statement</b>" in shown
    assert "<b>Below $20.00: credit of Acme Research</b>" in shown


def test_pages_go_back_and_forth_by_cursor(alice_client: Client, acme: Organization, at_noon: datetime) -> None:
    # Two of each moment, so that the cursor has to tell them apart.
    all_ = [tell(acme, number, now=at_noon - timedelta(hours=number // 2)) for number in range(45)]
    newest_first = [f"Below ${number}.00:" for number in _order(all_)]
    pages = [page(alice_client)]
    for _ in range(2):
        pages.append(page(alice_client, _link(pages[-1], "next")))
    assert [text for shown in pages for text in newest_first if text in shown] == newest_first
    assert "45 alerts" in pages[0]
    assert 'rel="next"' not in pages[2]
    back = page(alice_client, _link(pages[2], "prev"))
    assert [text for text in newest_first if text in back] == newest_first[20:40]


def _order(told: list[Notice]) -> list[int]:
    ordered = sorted(told, key=lambda notice: (notice.created_at, notice.pk), reverse=True)
    return [int(notice.facts["threshold"]) for notice in ordered]


def _link(shown: str, rel: str) -> str:
    return shown[: shown.index(f'" rel="{rel}"')].rpartition('href="')[2].partition("#")[0].replace("&amp;", "&")


@pytest.mark.parametrize("cursor", ["x", "", "-1", "0", "٣", "9" * 30, "99999999"])
def test_a_cursor_that_is_none_of_theirs_is_a_404(alice_client: Client, acme: Organization, cursor: str) -> None:
    page(alice_client, f"/o/acme/alerts?before={cursor}", 404)


def test_anothers_notice_is_no_cursor_and_is_not_listed(
    alice_client: Client, acme: Organization, charlie_personal: Organization, at_noon: datetime
) -> None:
    theirs = tell(charlie_personal, 20, now=at_noon)
    page(alice_client, f"/o/acme/alerts?after={theirs.pk}", 404)
    assert "Below $20.00" not in page(alice_client)


def test_a_long_list_takes_no_more_queries(alice_client: Client, acme: Organization, at_noon: datetime) -> None:
    tell(acme, 1, now=at_noon)
    page(alice_client)
    with CaptureQueriesContext(connection) as few:
        page(alice_client)
    for number in range(2, 45):
        tell(acme, number, now=at_noon)
    with CaptureQueriesContext(connection) as many:
        page(alice_client)
    assert len(many) == len(few)


# --- What goes by mail -------------------------------------------------------------------------------------------------


def test_alice_says_where_what_and_when(alice_client: Client, acme: Organization, at_noon: datetime) -> None:
    assert "Saved. From now on mail goes out like this." in save(alice_client)
    kept = NoticeSettings.objects.get(wallet=acme.pk)
    assert (kept.asked_email, kept.low_balance, kept.changed_at) == ("bills@acme.example", ["20.00", "5.00"], at_noon)
    assert kept.billing_email == "", "not before it is confirmed"
    assert kept.muted == ["low_balance", "recharge_made", "recharge_failed", "card_expiring", "card_changed"]
    shown = page(alice_client)
    assert 'value="bills@acme.example"' in shown
    assert "20.00 5.00</textarea>" in shown
    assert shown.count("checked") == 2
    alice_client.post("/o/acme/alerts/settings", {"billing_email": "", "thresholds": ""})
    kept.refresh_from_db()
    assert (kept.billing_email, kept.asked_email, kept.low_balance, len(kept.muted)) == ("", "", [], 7)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("thresholds", "1,500", "Write the amount in dollars and whole cents"),
        ("thresholds", "20 5", "Write the amount in dollars and whole cents"),
        ("thresholds", "1e3", "Write the amount in dollars and whole cents"),
        ("thresholds", "20.001", "Write the amount in dollars and whole cents"),
        ("thresholds", "0.99", "The smallest amount is $1.00."),
        ("thresholds", "5\n5.00", "One amount is there twice."),
        ("thresholds", "1\n2\n3\n4\n5\n6", "At most 5 amounts."),
        ("billing_email", "not an address", "Enter a valid email address."),
        ("billing_email", "a@example.com\nBcc: b@example.com", "Enter a valid email address."),
        ("expiring", "no", "This box cannot be read."),
    ],
)
def test_what_cannot_be_kept_is_said_and_nothing_is_kept(
    alice_client: Client, acme: Organization, field: str, value: object, says: str
) -> None:
    assert says in save(alice_client, **{field: value})
    assert not NoticeSettings.objects.exists()


@pytest.mark.parametrize(
    ("bob_role", "may"), [("admin", True), ("billing", True), ("developer", False), ("viewer", False)]
)
def test_who_moves_money_decides_and_the_others_read(
    bob_client: Client, alice_client: Client, acme: Organization, at_noon: datetime, may: bool
) -> None:
    save(alice_client)
    NoticeSettings.objects.update(billing_email="bills@acme.example", asked_email="", asked_by=None, asked_at=None)
    assert bob_client.post("/o/acme/alerts/settings", GOOD).status_code == (302 if may else 403)
    shown = page(bob_client)
    assert ("bills@acme.example" in shown) == may
    if not may:
        assert "<dd>the billing address</dd>" in shown
        assert '<data value="20">$20.00</data>, <data value="5">$5.00</data>' in shown
        assert "Credit expiring, Statement" in shown


def test_charlie_gets_in_nowhere(charlie_client: Client, acme: Organization) -> None:
    page(charlie_client, status=404)
    assert charlie_client.post("/o/acme/alerts/settings", GOOD).status_code == 404
    page(charlie_client, "/o/acme/billing/credits.ics", 404)


@pytest.mark.parametrize("sent", [{}, {"billing_email": ""}, {"thresholds": ""}])
def test_half_a_form_switches_nothing_off(alice_client: Client, acme: Organization, sent: dict[str, str]) -> None:
    answer = alice_client.post("/o/acme/alerts/settings", sent)
    assert "This form did not arrive whole." in answer.content.decode()
    assert not NoticeSettings.objects.exists()


def test_what_must_be_known_has_no_box(alice_client: Client, acme: Organization) -> None:
    shown = page(alice_client)
    assert 'name="receipt"' not in shown
    assert (
        "Always by e-mail: auto-recharge paused, month-end charge failed, receipt, auto-recharge switched on" in shown
    )


def test_the_saved_threshold_is_one_that_is_told(alice_client: Client, acme: Organization) -> None:
    save(alice_client, thresholds="20")
    assert [Decimal(amount) for amount in NoticeSettings.objects.get().low_balance] == [20]
