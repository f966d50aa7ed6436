"""Billing after a month end: what was charged, written off or carried, what has to be done, and why there is such a line."""

from datetime import timedelta

import pytest
from django.test import Client

from billing import flows
from billing.ledger.models import Transfer
from billing.payments import card_charges, outcomes
from billing.payments.models import Intent
from orgs.models import Organization
from tests.billing.views.test_billing import page
from tests.factories import months
from tests.factories.months import APRIL

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def declines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_charges, "charge", lambda intent_id, *, now: outcomes.Declined("insufficient_funds"))


@pytest.fixture
def pays(monkeypatch: pytest.MonkeyPatch) -> None:
    def charge(intent_id: object, *, now: object) -> outcomes.Outcome:
        cents = Intent.objects.get(pk=str(intent_id)).amount_cents
        return outcomes.Paid(cents, "usd", "pi_1", "ch_1", APRIL)

    monkeypatch.setattr(card_charges, "charge", charge)


def why(client: Client, reason: str) -> str:
    line = Transfer.objects.get(reason=reason)
    return page(client, f"/o/acme/billing/ledger/{line.period:%Y-%m}.{line.seq}")


def test_what_was_charged_and_written_off(alice_client: Client, acme: Organization, pays: None) -> None:
    months.owing(acme, "25.003")
    months.closed()
    assert "of the overdraft is to be charged" in page(alice_client)
    flows.collect_settlements(now=APRIL)
    shown = page(alice_client)
    assert "End of March 2026:" in shown
    assert "of the overdraft was charged to Visa ending 4242" in shown
    assert "was written off: beyond the ceiling of $10.00." in shown
    assert "Overdraft paid at month end" in shown
    assert "Overdraft written off" in shown


def test_why_it_was_charged_and_why_written_off(alice_client: Client, acme: Organization, pays: None) -> None:
    months.owing(acme, "25")
    months.closed()
    flows.collect_settlements(now=APRIL)
    for reason in ("settlement", "write_off"):
        shown = why(alice_client, reason)
        assert "The end of March 2026" in shown
        assert "beyond the ceiling of $10.00" in shown
    assert "Period end" in why(alice_client, "settlement")


def test_what_is_carried(alice_client: Client, acme: Organization) -> None:
    months.owing(acme, "0.32")
    months.closed()
    assert "was carried over: less than $0.50 is not charged." in page(alice_client)


def test_without_a_card_there_is_a_way_to_pay(alice_client: Client, bob_client: Client, acme: Organization) -> None:
    months.owing(acme, "3", card=False)
    months.closed()
    shown = page(alice_client)
    assert "Nothing could be charged for March 2026." in shown
    assert "buying credit pays it first" in shown


@pytest.mark.parametrize(
    ("days", "said"),
    [((0,), ">2 Apr 2026, 00:06 UTC<"), ((0, 1, 3, 7), "Pay-as-you-go stays closed until that is paid")],
)
def test_a_declined_charge(
    alice_client: Client, acme: Organization, declines: None, days: tuple[int, ...], said: str
) -> None:
    months.owing(acme, "3")
    months.closed()
    for day in days:
        flows.collect_settlements(now=APRIL + day * DAY)
    shown = page(alice_client)
    assert "for March 2026 was not possible." in shown
    assert "The card does not have enough funds." in shown
    assert said in shown


def test_where_nothing_was_owed_nothing_is_said(alice_client: Client, acme: Organization) -> None:
    months.owing(acme, "0")
    months.closed()
    assert "End of March" not in page(alice_client)
