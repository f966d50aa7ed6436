"""Saved cards: as rows, and by way of the Stripe sandbox."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.utils import timezone

from billing import flows
from billing.payments import card_pages
from billing.payments.card_setups import CardSetup, SetupState
from billing.payments.models import PaymentMethod
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.factories.paying import PAYS


def card(org: Organization, last4: str = "4242", *, now: datetime | None = None, **more: Any) -> PaymentMethod:
    """A card that is simply there, unknown to any Stripe."""
    first = not PaymentMethod.objects.filter(wallet_id=org.pk, detached_at=None).exists()
    known = {"brand": "visa", "exp_month": 12, "exp_year": 2034, "is_default": first, "stripe_id": f"pm_{uuid4().hex}"}
    return PaymentMethod.objects.create(
        wallet_id=org.pk, last4=last4, created_at=now or timezone.now(), **known | more
    )  # fmt: skip


def things(org: Organization, by: User, *, now: datetime) -> dict[str, str]:
    """What the addresses of cards can name: a card, and a page on which one was saved."""
    kept = card(org, now=now)
    begun = card_pages.begin(card_pages.Order(org.pk, uuid4(), by.pk), now=now)
    CardSetup.objects.filter(pk=begun.pk).update(state=SetupState.SAVED, method=kept)
    return {"card_id": str(kept.pk), "setup_id": str(begun.pk)}


# --- At the sandbox ------------------------------------------------------------------------------------------------------


def begin(org: Organization, by: User, nonce: UUID | None = None) -> CardSetup:
    """A page to save a card on is open, if Stripe answers."""
    now = timezone.now()
    begun = card_pages.begin(card_pages.Order(org.pk, nonce or uuid4(), by.pk), now=now)
    flows.card_saved(begun.pk, card_pages.open_page(begun.pk, now=now), now=now)
    begun.refresh_from_db()
    return begun


def look(begun: CardSetup) -> CardSetup:
    flows.card_saved(begun.pk, card_pages.ask(begun.pk, now=timezone.now()), now=timezone.now())
    begun.refresh_from_db()
    return begun


def saved(stripe: Running, org: Organization, by: User, number: str = PAYS, **more: Any) -> PaymentMethod:
    """A card that was saved at the sandbox."""
    begun = begin(org, by)
    stripe.admin.pay(begun.page_id or "", number, **more)
    look(begun)
    assert begun.method is not None
    return begun.method
