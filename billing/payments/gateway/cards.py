"""What is asked of Stripe about cards: pages to save one on, what became of it, and letting one go."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import stripe

from billing.payments.answers import Card, CardPage, Decline, Method
from billing.payments.gateway import paying, wire
from billing.payments.gateway.wire import CARD_SETUP, call, moment, ours

if TYPE_CHECKING:
    from stripe.params.checkout import SessionCreateParams


@dataclass(frozen=True, slots=True)
class NewCardPage:
    """A page on which a card is saved for later charges, and nothing is charged."""

    setup_id: UUID
    customer_id: str
    expires_at: datetime
    return_url: str
    cancel_url: str


def create_card_page(new: NewCardPage, *, key: str) -> CardPage:
    """Open the page. The same `key` and values answer the same session, however often it is asked for."""
    metadata = {CARD_SETUP: str(new.setup_id)}
    params: SessionCreateParams = {
        "mode": "setup",
        "customer": new.customer_id,
        "client_reference_id": str(new.setup_id),
        "allowed_payment_method_types": ["card"],
        "metadata": metadata,
        "setup_intent_data": {"metadata": metadata},
        "expires_at": int(new.expires_at.timestamp()),
        "success_url": new.return_url,
        "cancel_url": new.cancel_url,
    }
    with call() as client:
        return _page(client.v1.checkout.sessions.create(params, {"idempotency_key": key}))


def read_card_page(page_id: str) -> CardPage:
    """The session as it is now, with the card that was saved on it."""
    with call() as client:
        return _page(client.v1.checkout.sessions.retrieve(page_id, {"expand": ["setup_intent.payment_method"]}))


def find_card_page(customer_id: str, setup_id: UUID, *, since: datetime) -> CardPage | None:
    """The session opened to save this card, or None when there is none: the look-up after an unknown outcome."""
    found = paying.find_session(customer_id, setup_id, since=since)
    return read_card_page(found) if found else None


def read_method(method_id: str) -> Method:
    with call() as client:
        return _method(client.v1.payment_methods.retrieve(method_id))


def detach_method(method_id: str) -> Method:
    """Let the card go: it cannot be charged any more, ever. `Refused` when it is nobody's already."""
    with call() as client:
        return _method(client.v1.payment_methods.detach(method_id))


# --- Stripe's objects as ours ----------------------------------------------------------------------------------------


def _page(session: stripe.checkout.Session) -> CardPage:
    intent = session.setup_intent
    if isinstance(intent, str):
        # The answer of a call that did not ask for more; whoever needs the card reads the session again.
        intent = None
    method, error = getattr(intent, "payment_method", None), getattr(intent, "last_setup_error", None)
    saved = isinstance(method, stripe.PaymentMethod) and getattr(intent, "status", "") == "succeeded"
    decline = None
    if error is not None:
        code = getattr(error, "decline_code", None) or getattr(error, "code", None)
        decline = Decline(code or "card_declined", getattr(error, "message", None) or "")
    return CardPage(
        id=session.id,
        status=session.status or "",
        url=session.url or "",
        expires_at=moment(session.expires_at),
        setup_id=ours(session.client_reference_id),
        card=_card(method) if saved and isinstance(method, stripe.PaymentMethod) else None,
        decline=decline,
    )


def _method(method: stripe.PaymentMethod) -> Method:
    return Method(_card(method), wire.id_of(method.customer))


def _card(method: stripe.PaymentMethod) -> Card:
    shown = method.card
    if shown is None:
        raise TypeError(f"{method.type} in place of a card")
    return Card(wire.text(method.id), shown.brand or "", shown.last4 or "", shown.exp_month, shown.exp_year)
