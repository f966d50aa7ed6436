"""Money at the Stripe sandbox that no webhook tells of, and the comparison that finds it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest
import stripe as sdk
from django.utils import timezone

from billing import flows
from billing.ledger.models import Account, CreditGrant, Transfer
from billing.payments.models import Dispute, DisputeMovement, Intent, Refund
from billing.payments.reconciliations import Reconciliation
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.factories.paying import PAYS, begin, sandboxed


@pytest.fixture
def stripe(settings: Any) -> Iterator[Running]:
    """Stripe's lists take as long as they take: nothing here is about its slowness."""
    with sandboxed(settings) as running:
        settings.STRIPE_TIMEOUT_SECONDS = 30.0
        yield running


LATER = timedelta(minutes=15)
"""Long enough for nothing to be in flight any more."""


def paid(stripe: Running, org: Organization, by: User, cents: int = 100_00, card: str = PAYS) -> Intent:
    """Paid on Stripe's page; nobody has told us."""
    intent = begin(org, by, cents)
    assert stripe.admin.pay(intent.checkout_id or "", card)["result"] == "paid"
    return intent


def charge_of(stripe: Running, intent: Intent) -> str:
    """Stripe's charge of this payment, whether we know of it or not."""
    session = stripe.sandbox.world.find("checkout.session", intent.checkout_id or "")
    return str(stripe.sandbox.world.find("payment_intent", session["payment_intent"])["latest_charge"])


def compared(*, now: datetime | None = None, since: datetime | None = None) -> Reconciliation:
    """A run after everything has settled."""
    return flows.reconcile(now=now or timezone.now() + LATER, since=since)


def told(run: Reconciliation) -> list[tuple[str, str, str]]:
    """What a run found: kind, thing and name."""
    return sorted(run.findings.values_list("kind", "thing", "provider_id"))


def charged(stripe: Running, cents: int = 5_00, *, intent_id: UUID | None = None, customer: str = "") -> str:
    """A charge made beside the portal, by another program or by hand; with `intent_id`, it says it is ours."""
    client = sdk.StripeClient(
        "sk_test_of_the_tests", base_addresses={"api": stripe.base_url}, max_network_retries=0
    )  # fmt: skip
    method = "pm_card_visa"
    if customer:
        method = client.v1.payment_methods.attach(method, {"customer": customer}).id
    params: dict[str, Any] = {
        "amount": cents,
        "currency": "usd",
        "payment_method": method,
        "allowed_payment_method_types": ["card"],
        "confirm": True,
        **({"metadata": {"purser_intent": str(intent_id)}} if intent_id else {}),
        **({"customer": customer} if customer else {}),
    }
    return str(client.v1.payment_intents.create(cast("Any", params)).latest_charge)


def picture(org: Organization) -> dict[str, Any]:
    """Where an organization's money is, without the moments at which we heard of it and without ids of our own."""
    accounts = Account.objects.filter(wallet_id=org.pk).order_by("code", "pk")
    grants = {grant.account_id: grant.title for grant in CreditGrant.objects.filter(wallet_id=org.pk)}
    return {
        "accounts": [
            (account.code, account.balance, account.granted, account.exhausted, account.held, grants.get(account.pk))
            for account in accounts
        ],
        "postings": sorted(
            (transfer.debit.code, transfer.credit.code, transfer.amount, transfer.reason)
            for transfer in Transfer.objects.filter(wallet_id=org.pk).select_related("debit", "credit")
        ),
        "payments": sorted(Intent.objects.filter(wallet_id=org.pk).values_list("state", "amount_cents")),
        "refunds": sorted(Refund.objects.filter(wallet_id=org.pk).values_list("state", "amount_cents", "needs_review")),
        "disputes": sorted(Dispute.objects.filter(wallet_id=org.pk).values_list("status", "amount_cents")),
        "movements": sorted(DisputeMovement.objects.filter(wallet_id=org.pk).values_list("amount_cents", flat=True)),
    }
