"""Saved cards, and charging them without their holder."""

from datetime import UTC, datetime
from uuid import uuid4

from django.db import transaction

from billing.ledger import wallets
from billing.payments import card_charges
from billing.payments.models import Customer, Intent, PaymentMethod, Purpose
from orgs.models import Organization


def saved(
    org: Organization, last4: str = "4242", *, expires: tuple[int, int] = (2099, 12), at: datetime | None = None
) -> PaymentMethod:
    """A card of this organization that Stripe is not asked about."""
    Customer.objects.get_or_create(wallet_id=org.pk, defaults={"stripe_id": f"cus_{uuid4().hex[:14]}"})
    return PaymentMethod.objects.create(
        wallet_id=org.pk, stripe_id=f"pm_{uuid4().hex[:14]}", brand="visa", last4=last4, exp_year=expires[0],
        exp_month=expires[1], created_at=at or datetime(2026, 1, 1, tzinfo=UTC),
        is_default=not PaymentMethod.objects.filter(wallet_id=org.pk, is_default=True, detached_at=None).exists(),
    )  # fmt: skip


def meant(
    org: Organization,
    method: PaymentMethod,
    cents: int = 50_00,
    *,
    now: datetime,
    purpose: Purpose = Purpose.RECHARGE,
    key: str = "",
) -> Intent:
    """A charge that is written down, and of which Stripe has not heard."""
    with transaction.atomic():
        wallets.lock([org.pk])
        order = card_charges.CardOrder(org.pk, purpose, cents, key or f"test:{uuid4().hex}", method.pk)
        return card_charges.commit(order, now=now)
