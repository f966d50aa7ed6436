"""Refunds and disputes as customers and staff see them: every page that tells of them, at two widths, light and dark."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from billing import flows
from billing.graphs import movements
from billing.ledger.models import Transfer
from billing.payments import answers
from billing.payments.models import Intent, Refund
from orgs.models import Organization
from tests.browser.conftest import signed_in
from tests.browser.test_every_page import look
from tests.factories import usage

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def paid(acme: Organization, usd: str, days_ago: int, name: str) -> Intent:
    """Bought with a card, as it stands after Stripe has told of it."""
    usage.bought(acme, usd, now=datetime.now(UTC) - timedelta(days=days_ago))
    intent = Intent.objects.get(wallet=acme.pk, charge_id=None)
    intent.charge_id, intent.card_brand, intent.card_last4 = f"ch_{name}", "visa", "4242"
    intent.save()
    return intent


def disputed(intent: Intent, name: str, cents: int, status: str, *moved: int) -> None:
    now = datetime.now(UTC)
    movements = tuple(
        answers.Movement(f"txn_{name}_{n}", amount, "usd", now - timedelta(hours=3 - n))
        for n, amount in enumerate(moved)
    )
    told = answers.Dispute(
        f"dp_{name}", status, "fraudulent", cents, "usd", str(intent.charge_id), str(intent.provider_id),
        now - timedelta(days=1), movements,
    )  # fmt: skip
    flows.dispute_told(told, now=now)


@pytest.fixture
def trouble(acme: Organization) -> None:
    """60 of 100 are used and the 100 taken back; a bank asks about another 50; 20 of a third payment are on their way."""
    now = datetime.now(UTC)
    first = paid(acme, "100", 12, "first")
    usage.spent(acme, "60", now=now)
    second, third = paid(acme, "50", 5, "second"), paid(acme, "30", 2, "third")
    disputed(first, "first", 100_00, "needs_response", -100_00)
    disputed(second, "second", 50_00, "warning_needs_response")
    told = answers.Refund(
        "re_third", "pending", 20_00, "usd", str(third.charge_id), str(third.provider_id), now, "requested_by_customer"
    )
    flows.refund_told(told, now=now)


def why(acme: Organization, reasons: Sequence[str]) -> dict[str, str]:
    """The pages that say why, one for each reason."""
    found = Transfer.objects.filter(wallet=acme.pk, reason__in=reasons).order_by("id")
    moved = [movement for transfer in found if (movement := movements.of_transfer(acme.pk, transfer))]
    return {f"why-{one.reason}-{one.account_code}": f"/o/acme/billing/ledger/{one.name}" for one in moved}


def test_what_customers_read(
    visitor: Page, portal: str, trouble: None, acme: Organization, alice_client: Client
) -> None:
    signed_in(visitor, portal, alice_client)
    purchase = reverse("billing:purchase", kwargs={"slug": "acme", "intent_id": Refund.objects.get().intent_id})
    told = why(acme, ["refund_asked", "dispute_withdrawn"])
    assert len(told) == 3, "credit that was left, credit that was used, and a refund"
    pages = {"back-overview": "/o/acme/", "back-billing": "/o/acme/billing", "back-limits": "/o/acme/limits"}
    wrong = []
    for name, path in {**pages, "back-purchase": purchase, **told}.items():
        wrong += look(visitor, portal + path, name)
    assert wrong == []
    visitor.goto(f"{portal}/o/acme/billing")
    for words in ("A payment is disputed.", "A bank asks about a payment.", "Acme Research owes", "is on its way back"):
        expect(visitor.get_by_text(words)).to_be_visible()
    visitor.goto(f"{portal}/o/acme/limits")
    expect(visitor.get_by_text("402, payment disputed")).to_be_visible()


def test_what_staff_see(visitor: Page, portal: str, trouble: None, acme: Organization, staff_client: Client) -> None:
    signed_in(visitor, portal, staff_client)
    third = Refund.objects.get().intent_id
    pages = {
        "staff-payment": f"/admin/billing/intent/{third}/change/",
        "staff-refund": f"/admin/billing/intent/{third}/refund/",
        "staff-give": f"/admin/billing/wallet/{acme.pk}/give/",
        "staff-forgive": f"/admin/billing/wallet/{acme.pk}/forgive/",
        "staff-refunds": "/admin/billing/refund/",
        "staff-disputes": "/admin/billing/dispute/",
        "staff-reconciliations": "/admin/billing/reconciliation/",
    }
    wrong = []
    for name, path in pages.items():
        wrong += look(visitor, portal + path, name, ["wide"])
    assert wrong == []
