"""What is asked of Stripe when a saved card is charged without its customer."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import stripe

from billing.payments.answers import Payment
from billing.payments.gateway import wire
from billing.payments.gateway.paying import LISTED_AT_MOST, as_payment, read_payment
from billing.payments.gateway.wire import CURRENCY, INTENT, Unknown, call, ours

if TYPE_CHECKING:
    from stripe.params import PaymentIntentCreateParams

LATEST = ["latest_charge"]


@dataclass(frozen=True, slots=True)
class NewCardCharge:
    """One amount from one saved card. `title` is what the customer reads at Stripe."""

    intent_id: UUID
    customer_id: str
    method_id: str
    amount_cents: int
    title: str


def charge_card(new: NewCardCharge, *, key: str) -> Payment:
    """Make a PaymentIntent and confirm it at once. The same `key` and values answer what happened the first time.

    `Declined` names the PaymentIntent that was made: it stays open until it is cancelled.
    """
    params: PaymentIntentCreateParams = {
        "amount": new.amount_cents,
        "currency": CURRENCY,
        "customer": new.customer_id,
        "payment_method": new.method_id,
        "allowed_payment_method_types": ["card"],
        "confirm": True,
        "off_session": True,
        "description": new.title,
        "metadata": {INTENT: str(new.intent_id)},
        "expand": LATEST,
    }
    with call() as client:
        return as_payment(client.v1.payment_intents.create(params, {"idempotency_key": key}))


def cancel_payment(payment_id: str) -> Payment:
    """Make sure that nobody can pay it any more. `Refused` when it is paid, or cancelled already."""
    with call() as client:
        return as_payment(client.v1.payment_intents.cancel(payment_id, {"expand": LATEST}))


def find_payment(customer_id: str, intent_id: UUID, *, since: datetime) -> Payment | None:
    """The PaymentIntent made for our intent, or None when there is none: the look-up after an unknown outcome."""
    with call() as client:
        listed = client.v1.payment_intents.list(
            {"customer": customer_id, "created": {"gte": int(since.timestamp())}, "limit": wire.PAGE}
        )
        for place, payment in enumerate(listed.auto_paging_iter()):
            # A row that cannot be read may be ours: then nobody can say that there is none.
            if wire.text(payment.object) == "payment_intent" and _is_for(payment, intent_id):
                found = wire.text(payment.id)
                break
            if place >= LISTED_AT_MOST:
                raise Unknown(f"more than {LISTED_AT_MOST} payments to look through")
        else:
            return None
    return read_payment(found)


def _is_for(payment: stripe.PaymentIntent, intent_id: UUID) -> bool:
    if not isinstance(payment.metadata, stripe.StripeObject):
        raise TypeError("a payment without metadata, which may be ours")
    return ours(getattr(payment.metadata, INTENT, None)) == intent_id
