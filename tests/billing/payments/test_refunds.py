"""Refunds: what staff give back, what Stripe makes of it, and what its dashboard does without us."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from billing import flows
from billing.ledger import balances
from billing.ledger.chart import Code
from billing.ledger.models import Account, Transfer
from billing.payments import refunds
from billing.payments.models import Intent, Refund, RefundState
from billing.payments.refunds import Order
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.factories.paying import pay

pytestmark = pytest.mark.django_db(transaction=True)

PENDS = "4000000000007726"
FAILS_LATER = "4000000000005126"


@pytest.fixture
def paid(stripe: Running, acme: Organization, alice: User) -> Intent:
    return pay(stripe, acme, alice)


def order(intent: Intent, by: User, cents: int, nonce: UUID | None = None, reason: str = "Bought twice") -> Order:
    return Order(intent.wallet_id, intent.pk, cents, reason, nonce or uuid4(), by.pk)


def refund(intent: Intent, by: User, cents: int, **other: Any) -> Refund:
    return flows.refund(order(intent, by, cents, **other), now=timezone.now())


def posted(of: Refund) -> dict[str, Decimal]:
    """The refund's transfers, by what follows its id in their keys."""
    prefix = f"rf:{of.pk}:"
    rows = Transfer.objects.filter(key__startswith=prefix).order_by("id")
    return {row.key.removeprefix(prefix): row.amount for row in rows}


def available(org: Organization) -> Decimal:
    return balances.of(org.pk, now=timezone.now()).available


def pending(org: Organization) -> Decimal:
    account = Account.objects.filter(wallet_id=org.pk, code=Code.REFUND_PENDING).first()
    return account.balance if account else Decimal(0)


def test_a_part_is_held_when_it_is_asked_and_gone_when_it_arrives(
    stripe: Running, paid: Intent, acme: Organization, alice: User
) -> None:
    made = refund(paid, alice, 40_00)
    assert (made.state, made.needs_review) == (RefundState.SUCCEEDED, False)
    assert posted(made) == {"hold": 40, "done": 40}
    assert (available(acme), pending(acme)) == (60, 0)
    assert stripe.admin.books()["totals"]["refunded"] == 40_00
    assert refunds.refundable(paid.pk, now=timezone.now()) == 60
