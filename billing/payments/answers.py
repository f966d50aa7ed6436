"""What Stripe's answers say, as plain values. Amounts are whole cents, moments aware and in UTC."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.payments.exact import Exact


@dataclass(frozen=True, slots=True)
class Card(Exact):
    method_id: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int


@dataclass(frozen=True, slots=True)
class Charge(Exact):
    """One attempt on a card. `amount_cents` is what was captured, `intent_id` ours, from the metadata."""

    id: str
    amount_cents: int
    currency: str
    created: datetime
    paid: bool
    card: Card | None
    payment_id: str = ""
    intent_id: UUID | None = None
    refunded_cents: int = 0
    disputed: bool = False
    customer_id: str = ""


@dataclass(frozen=True, slots=True)
class Decline(Exact):
    """Why the last attempt failed."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Payment(Exact):
    """A PaymentIntent. `status` is Stripe's; `charge` its latest attempt; `intent_id` ours, from the metadata."""

    id: str
    status: str
    amount_cents: int
    received_cents: int
    currency: str
    intent_id: UUID | None
    charge: Charge | None
    decline: Decline | None


@dataclass(frozen=True, slots=True)
class Checkout(Exact):
    """A Checkout session. `status`: open, complete or expired; `payment_status`: paid or unpaid."""

    id: str
    status: str
    payment_status: str
    amount_cents: int
    currency: str
    url: str
    expires_at: datetime
    intent_id: UUID | None
    payment: Payment | None


@dataclass(frozen=True, slots=True)
class CardPage(Exact):
    """A Checkout session that saves a card and charges nothing. `status`: open, complete or expired."""

    id: str
    status: str
    url: str
    expires_at: datetime
    setup_id: UUID | None
    card: Card | None
    decline: Decline | None


@dataclass(frozen=True, slots=True)
class Method(Exact):
    """A card at Stripe. `customer_id` is empty where it is nobody's any more: detached, for good."""

    card: Card
    customer_id: str


@dataclass(frozen=True, slots=True)
class Refund(Exact):
    """A refund as Stripe knows it. `status`: pending, requires_action, succeeded, failed or canceled.

    `refund_id` is ours, from the metadata; None for one made in Stripe's dashboard. `reason` is Stripe's, or empty.
    """

    id: str
    status: str
    amount_cents: int
    currency: str
    charge_id: str
    payment_id: str
    created: datetime
    reason: str = ""
    failure_code: str = ""
    refund_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Movement(Exact):
    """A balance transaction of a dispute, gross: less than 0 was withdrawn, more was reinstated."""

    id: str
    amount_cents: int
    currency: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Dispute(Exact):
    """A dispute with everything it has moved so far. `status` and `reason` are Stripe's."""

    id: str
    status: str
    reason: str
    amount_cents: int
    currency: str
    charge_id: str
    payment_id: str
    created: datetime
    movements: tuple[Movement, ...] = ()
