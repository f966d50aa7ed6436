"""What is asked of Stripe when money comes in: customers, pages to pay on, payments, charges."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import stripe

from billing.payments.answers import Card, Charge, Checkout, Decline, Payment
from billing.payments.gateway import wire
from billing.payments.gateway.wire import CURRENCY, INTENT, Unknown, call, moment, ours

if TYPE_CHECKING:
    from stripe.params.checkout import SessionCreateParams

LISTED_AT_MOST = 300


# --- What goes in ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewCustomer:
    org_id: int
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class NewCheckout:
    """A page on which one amount is paid by card, and the card saved for later charges."""

    intent_id: UUID
    customer_id: str
    amount_cents: int
    title: str
    expires_at: datetime
    return_url: str
    cancel_url: str


# --- The calls -------------------------------------------------------------------------------------------------------


def create_customer(new: NewCustomer, *, key: str) -> str:
    """The organization as Stripe's customer; answers its id. The same `key` makes it once."""
    with call() as client:
        made = client.v1.customers.create(
            {"name": new.name, "email": new.email, "metadata": {"purser_organization": str(new.org_id)}},
            {"idempotency_key": key},
        )
        return wire.text(made.id)


def create_checkout(new: NewCheckout, *, key: str) -> Checkout:
    """Open the page. The same `key` and values answer the same session, however often it is asked for."""
    metadata = {INTENT: str(new.intent_id)}
    params: SessionCreateParams = {
        "mode": "payment",
        "customer": new.customer_id,
        "client_reference_id": str(new.intent_id),
        "allowed_payment_method_types": ["card"],
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": CURRENCY,
                    "unit_amount": new.amount_cents,
                    "product_data": {"name": new.title},
                },
            }
        ],
        "metadata": metadata,
        "payment_intent_data": {
            "metadata": metadata,
            "description": new.title,
            "setup_future_usage": "off_session",
        },
        "expires_at": int(new.expires_at.timestamp()),
        "success_url": new.return_url,
        "cancel_url": new.cancel_url,
    }
    with call() as client:
        return _checkout(client.v1.checkout.sessions.create(params, {"idempotency_key": key}))


def read_checkout(checkout_id: str) -> Checkout:
    """The session as it is now, with its payment and the latest attempt."""
    with call() as client:
        return _checkout(
            client.v1.checkout.sessions.retrieve(checkout_id, {"expand": ["payment_intent.latest_charge"]})
        )


def find_checkout(customer_id: str, intent_id: UUID, *, since: datetime) -> Checkout | None:
    """The session opened for our intent, or None when there is none: the look-up after an unknown outcome."""
    found = find_session(customer_id, intent_id, since=since)
    return read_checkout(found) if found else None


def find_session(customer_id: str, ours: UUID, *, since: datetime) -> str | None:
    """The id of the session of either kind that was opened for what has this id here."""
    with call() as client:
        listed = client.v1.checkout.sessions.list(
            {"customer": customer_id, "created": {"gte": int(since.timestamp())}, "limit": 100}
        )
        for place, session in enumerate(listed.auto_paging_iter()):
            # A row that cannot be read may be ours: then nobody can say that there is none.
            if wire.text(session.object) == "checkout.session" and session.client_reference_id == str(ours):
                return wire.text(session.id)
            if place >= LISTED_AT_MOST:
                raise Unknown(f"more than {LISTED_AT_MOST} sessions to look through")
    return None


def expire_checkout(checkout_id: str) -> None:
    """Close the page, so that it cannot be paid any more. `Refused` when it is complete or closed already."""
    with call() as client:
        client.v1.checkout.sessions.expire(checkout_id)


def read_payment(payment_id: str) -> Payment:
    with call() as client:
        return as_payment(client.v1.payment_intents.retrieve(payment_id, {"expand": ["latest_charge"]}))


def read_charge(charge_id: str) -> Charge:
    with call() as client:
        return _charge(client.v1.charges.retrieve(charge_id))


def charges_since(since: datetime) -> Iterator[Charge]:
    """Every attempt on a card since then, paid or not, newest first; one page is asked for at a time."""
    return wire.pages(_list_charges, _charge, since=since)


def _list_charges(client: stripe.StripeClient, page: wire.Page) -> stripe.ListObject[stripe.Charge]:
    return client.v1.charges.list(page)


# --- Stripe's objects as ours ----------------------------------------------------------------------------------------


def _checkout(session: stripe.checkout.Session) -> Checkout:
    payment = session.payment_intent
    if isinstance(payment, str):
        # The answer of a call that did not ask for more; whoever needs the payment reads the session again.
        payment = None
    return Checkout(
        id=session.id,
        status=session.status or "",
        payment_status=session.payment_status,
        amount_cents=session.amount_total or 0,
        currency=session.currency or "",
        url=session.url or "",
        expires_at=moment(session.expires_at),
        intent_id=ours(session.client_reference_id),
        payment=as_payment(payment) if payment else None,
    )


def as_payment(payment: stripe.PaymentIntent) -> Payment:
    charge, error = payment.latest_charge, payment.last_payment_error
    decline = None
    if error is not None:
        code = getattr(error, "decline_code", None) or getattr(error, "code", None)
        decline = Decline(code or "card_declined", getattr(error, "message", None) or "")
    return Payment(
        id=payment.id,
        status=payment.status,
        amount_cents=payment.amount,
        received_cents=payment.amount_received,
        currency=payment.currency,
        intent_id=ours(getattr(payment.metadata, INTENT, None)),
        charge=_charge(charge) if isinstance(charge, stripe.Charge) else None,
        decline=decline,
    )


def _charge(charge: stripe.Charge) -> Charge:
    details = charge.payment_method_details
    shown = getattr(details, "card", None)
    card = None
    if shown is not None and charge.payment_method:
        card = Card(charge.payment_method, shown.brand or "", shown.last4 or "", shown.exp_month, shown.exp_year)
    return Charge(
        charge.id, charge.amount_captured, charge.currency, moment(charge.created), charge.paid, card,
        payment_id=wire.id_of(charge.payment_intent),
        intent_id=ours(getattr(charge.metadata, INTENT, None)),
        refunded_cents=charge.amount_refunded,
        disputed=charge.disputed,
        customer_id=wire.id_of(charge.customer),
    )  # fmt: skip
