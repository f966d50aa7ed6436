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
from billing.payments import gateway, outcomes, polling
from billing.webhooks.models import InboxEvent


def handle(event: InboxEvent, now: datetime) -> bool:
    """Do what this event means; False when it is none of ours. Raises when it is to be tried again."""
    act = MEANS.get(event.type)
    return act is not None and act(json.loads(event.body)["data"]["object"], now)


def checkout(told: dict[str, Any], now: datetime) -> bool:
    """A page was paid, closed, or its bank has answered."""
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


MEANS: dict[str, Callable[[dict[str, Any], datetime], bool]] = {
    "checkout.session.async_payment_failed": checkout,
    "checkout.session.async_payment_succeeded": checkout,
    "checkout.session.completed": checkout,
    "checkout.session.expired": checkout,
    "payment_intent.canceled": payment,
    "payment_intent.payment_failed": payment,
    "payment_intent.processing": payment,
    "payment_intent.succeeded": payment,
}


def _intent_id(told: dict[str, Any]) -> UUID | None:
    """Our intent, as the event's object names it; None for payments that were not begun here."""
    try:
        return UUID(str((told.get("metadata") or {})[gateway.INTENT]))
    except (KeyError, TypeError, ValueError):
        return None
