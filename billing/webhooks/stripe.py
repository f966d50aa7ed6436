"""What Stripe's events mean for us: a flat list from event type to what is done.

Events come late, doubled and in any order, so an event only says what to look at; what it looks like now is read from
Stripe.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from billing import flows
from billing.payments import card_setups, gateway, methods, outcomes, polling
from billing.webhooks.models import InboxEvent


def handle(event: InboxEvent, now: datetime) -> bool:
    """Do what this event means; False when it is none of ours. Raises when it is to be tried again."""
    act = MEANS.get(event.type)
    return act is not None and act(json.loads(event.body)["data"]["object"], now)


def checkout(told: dict[str, Any], now: datetime) -> bool:
    """A page was paid, a card saved on it, it was closed, or its bank has answered."""
    if told.get("mode") == "setup":
        return card_page(told, now)
    if _intent_id(told) is None:
        return False
    checkout = gateway.read_checkout(str(told["id"]))
    if checkout.intent_id is None:
        return False
    return flows.payment_outcome(checkout.intent_id, outcomes.of_checkout(checkout), now=now) is not None


def payment(told: dict[str, Any], now: datetime) -> bool:
    """An attempt to pay went one way or the other. Of a purchase only success is final: its page may be tried again."""
    if _intent_id(told) is None:
        return False
    payment = gateway.read_payment(str(told["id"]))
    if payment.intent_id is None or not polling.is_ours(payment.intent_id):
        return False
    outcome = outcomes.of_payment(payment)
    if not isinstance(outcome, outcomes.Paid):
        outcome = polling.ask(payment.intent_id, now=now)
    return flows.payment_outcome(payment.intent_id, outcome, now=now) is not None


def card_page(told: dict[str, Any], now: datetime) -> bool:
    if _ours(told, gateway.CARD_SETUP) is None:
        return False
    page = gateway.read_card_page(str(told["id"]))
    if page.setup_id is None:
        return False
    return flows.card_saved(page.setup_id, card_setups.of_page(page), now=now) is not None


def card(told: dict[str, Any], now: datetime) -> bool:
    """A saved card was detached, or its bank sent another expiry or number."""
    if methods.organization(str(told["id"])) is None:
        return False
    return flows.card_told(gateway.read_method(str(told["id"])), now=now) is not None


def refund(told: dict[str, Any], now: datetime) -> bool:
    """A refund was made, moved or failed, here or in Stripe's dashboard."""
    return flows.refund_told(gateway.read_refund(str(told["id"])), now=now) is not None


def refunded(told: dict[str, Any], now: datetime) -> bool:
    """Something of a charge was refunded: each of its refunds is looked at."""
    found = [flows.refund_told(made, now=now) for made in gateway.refunds_of(str(told["id"]))]
    return any(found)


def dispute(told: dict[str, Any], now: datetime) -> bool:
    """A dispute was opened, moved money, or was closed: which, it says itself."""
    return flows.dispute_told(gateway.read_dispute(str(told["id"])), now=now) is not None


MEANS: dict[str, Callable[[dict[str, Any], datetime], bool]] = {
    "charge.dispute.closed": dispute,
    "charge.dispute.created": dispute,
    "charge.dispute.funds_reinstated": dispute,
    "charge.dispute.funds_withdrawn": dispute,
    "charge.dispute.updated": dispute,
    "charge.refund.updated": refund,
    "charge.refunded": refunded,
    "checkout.session.async_payment_failed": checkout,
    "checkout.session.async_payment_succeeded": checkout,
    "checkout.session.completed": checkout,
    "checkout.session.expired": checkout,
    "payment_intent.canceled": payment,
    "payment_intent.payment_failed": payment,
    "payment_intent.processing": payment,
    "payment_intent.succeeded": payment,
    "payment_method.automatically_updated": card,
    "payment_method.detached": card,
    "payment_method.updated": card,
    "refund.created": refund,
    "refund.failed": refund,
    "refund.updated": refund,
}


def _intent_id(told: dict[str, Any]) -> UUID | None:
    """Our intent, as the event's object names it; None for payments that were not begun here."""
    return _ours(told, gateway.INTENT)


def _ours(told: dict[str, Any], name: str) -> UUID | None:
    try:
        return UUID(str((told.get("metadata") or {})[name]))
    except (KeyError, TypeError, ValueError):
        return None
