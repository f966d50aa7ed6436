"""The only room that speaks to Stripe. Plain frozen values go in and come out; no object of its library leaves.

Every call is made outside any transaction, with a short time-out and without hidden retries: what an unknown outcome
means is decided by `collecting` and `polling`. Each call answers, or raises one of

    Declined   the card was refused: nothing was charged, and nothing will be
    Refused    Stripe does not do what was asked (our mistake, or it is no longer possible): it had no effect
    Unknown    nobody knows: a time-out, 5xx, 409, 429, a lost connection, an answer that cannot be read
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from uuid import UUID

import stripe
from django.conf import settings
from django.db import connection
from stripe import RequestsClient, StripeClient

from billing.payments.answers import Card, Charge, Checkout, Decline, Dispute, Movement, Payment, Refund

if TYPE_CHECKING:
    from stripe.params.checkout import SessionCreateParams

CURRENCY = "usd"
INTENT = "purser_intent"
"""Under this name our intent's id travels in Stripe's metadata."""
REFUND = "purser_refund"
CONNECT_SECONDS = 5.0
LISTED_AT_MOST = 300


# --- What can go wrong -----------------------------------------------------------------------------------------------


class Declined(Exception):
    """`code` is the bank's, or Stripe's where the bank gave none; `message` is Stripe's own, in English."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Refused(Exception):
    """Stripe did nothing. `code` is Stripe's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Unknown(Exception):
    """It may have happened or not."""


class CalledInsideTransaction(RuntimeError):
    """Stripe was about to be called while rows are locked: a rollback could not take the call back."""


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
    with _call() as client:
        made = client.v1.customers.create(
            {"name": new.name, "email": new.email, "metadata": {"purser_organization": str(new.org_id)}},
            {"idempotency_key": key},
        )
        return made.id


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
    with _call() as client:
        return _checkout(client.v1.checkout.sessions.create(params, {"idempotency_key": key}))


def read_checkout(checkout_id: str) -> Checkout:
    """The session as it is now, with its payment and the latest attempt."""
    with _call() as client:
        return _checkout(
            client.v1.checkout.sessions.retrieve(checkout_id, {"expand": ["payment_intent.latest_charge"]})
        )


def find_checkout(customer_id: str, intent_id: UUID, *, since: datetime) -> Checkout | None:
    """The session opened for our intent, or None when there is none: the look-up after an unknown outcome."""
    with _call() as client:
        listed = client.v1.checkout.sessions.list(
            {"customer": customer_id, "created": {"gte": int(since.timestamp())}, "limit": 100}
        )
        for place, session in enumerate(listed.auto_paging_iter()):
            if session.client_reference_id == str(intent_id):
                found = session.id
                break
            if place >= LISTED_AT_MOST:
                raise Unknown(f"more than {LISTED_AT_MOST} sessions to look through")
        else:
            return None
    return read_checkout(found)


def expire_checkout(checkout_id: str) -> None:
    """Close the page, so that it cannot be paid any more. `Refused` when it is complete or closed already."""
    with _call() as client:
        client.v1.checkout.sessions.expire(checkout_id)


def read_payment(payment_id: str) -> Payment:
    with _call() as client:
        return _payment(client.v1.payment_intents.retrieve(payment_id, {"expand": ["latest_charge"]}))


def read_charge(charge_id: str) -> Charge:
    with _call() as client:
        return _charge(client.v1.charges.retrieve(charge_id))


def read_refund(refund_id: str) -> Refund:
    with _call() as client:
        return _refund(client.v1.refunds.retrieve(refund_id))


def read_dispute(dispute_id: str) -> Dispute:
    with _call() as client:
        return _dispute(client.v1.disputes.retrieve(dispute_id))


def charges_since(moment: datetime) -> Iterator[Charge]:
    """Every attempt on a card since then, newest first, page by page."""
    with _call() as client:
        listed = client.v1.charges.list({"created": {"gte": int(moment.timestamp())}, "limit": 100})
        yield from (_charge(charge) for charge in listed.auto_paging_iter())


def refunds_since(moment: datetime) -> Iterator[Refund]:
    with _call() as client:
        listed = client.v1.refunds.list({"created": {"gte": int(moment.timestamp())}, "limit": 100})
        yield from (_refund(refund) for refund in listed.auto_paging_iter())


def disputes_since(moment: datetime) -> Iterator[Dispute]:
    with _call() as client:
        listed = client.v1.disputes.list({"created": {"gte": int(moment.timestamp())}, "limit": 100})
        yield from (_dispute(dispute) for dispute in listed.auto_paging_iter())


# --- How a call is made ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def _client(secret_key: str, base: str, timeout: float) -> StripeClient:
    return StripeClient(
        secret_key,
        base_addresses={"api": base},
        max_network_retries=0,
        http_client=RequestsClient(timeout=(min(CONNECT_SECONDS, timeout), timeout)),
    )


@contextmanager
def _call() -> Iterator[StripeClient]:
    """A client, and everything that can go wrong with it in three words."""
    if connection.in_atomic_block:
        raise CalledInsideTransaction("Commit first: Stripe is never called inside a transaction.")
    try:
        yield _client(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE, settings.STRIPE_TIMEOUT_SECONDS)
    except stripe.CardError as error:
        decline = getattr(error.error, "decline_code", None)
        raise Declined(decline or error.code or "card_declined", error.user_message or "") from error
    except stripe.IdempotencyError as error:
        raise Refused("idempotency", str(error.user_message)) from error
    except stripe.InvalidRequestError as error:
        raise Refused(error.code or "invalid_request", error.user_message or "") from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise Refused("not_allowed", error.user_message or str(error)) from error
    except stripe.StripeError as error:
        raise Unknown(f"{type(error).__name__} {error.http_status or ''}".strip()) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Unknown(f"an answer that cannot be read: {error}") from error


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
        expires_at=_moment(session.expires_at),
        intent_id=_ours(session.client_reference_id),
        payment=_payment(payment) if payment else None,
    )


def _payment(payment: stripe.PaymentIntent) -> Payment:
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
        intent_id=_ours(getattr(payment.metadata, INTENT, None)),
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
        id=charge.id,
        amount_cents=charge.amount_captured,
        currency=charge.currency,
        created=_moment(charge.created),
        paid=charge.paid,
        card=card,
        payment_id=_id(charge.payment_intent),
        intent_id=_ours(getattr(charge.metadata, INTENT, None)),
        refunded_cents=charge.amount_refunded,
        disputed=charge.disputed,
        customer_id=_id(charge.customer),
    )


def _refund(refund: stripe.Refund) -> Refund:
    return Refund(
        id=refund.id,
        status=refund.status or "",
        amount_cents=refund.amount,
        currency=refund.currency,
        charge_id=_id(refund.charge),
        payment_id=_id(refund.payment_intent),
        created=_moment(refund.created),
        reason=refund.reason or "",
        failure_code=getattr(refund, "failure_reason", None) or "",
        refund_id=_ours(getattr(refund.metadata, REFUND, None)),
    )


def _dispute(dispute: stripe.Dispute) -> Dispute:
    return Dispute(
        id=dispute.id,
        status=dispute.status,
        reason=dispute.reason,
        amount_cents=dispute.amount,
        currency=dispute.currency,
        charge_id=_id(dispute.charge),
        payment_id=_id(dispute.payment_intent),
        created=_moment(dispute.created),
        movements=tuple(
            Movement(moved.id, moved.amount, moved.currency, _moment(moved.created))
            for moved in dispute.balance_transactions
        ),
    )


def _id(named: object) -> str:
    """What Stripe may answer as an id, as an object or not at all."""
    return named if isinstance(named, str) else str(getattr(named, "id", "") or "")


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _ours(text: object) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
