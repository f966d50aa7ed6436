"""Whether a saved card is charged now, and how much. Pure: figures in, a decision out (A14, A15, A16).

Amounts the customer knows in cents are cents; the balance is exact US dollars.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from billing.money import ZERO, cents_up, from_cents, to_cents
from billing.recharge.models import LEAST_LIFT_CENTS, MOST_CENTS

BURST, BURST_WITHIN = 3, timedelta(minutes=10)
"""This many charges within this time stop the rule."""


class Why(StrEnum):
    """Why a card is charged."""

    BELOW = "below"
    RETRY = "retry"


class WhyNot(StrEnum):
    """Why it is not, in the order in which it is asked."""

    NOT_ON = "not_on"
    ABOVE = "above"
    UNDER_WAY = "under_way"
    PENDING = "pending"
    NOT_BY_USAGE = "not_by_usage"
    DISPUTED = "disputed"
    LADDER = "ladder"
    DAILY_LIMIT = "daily_limit"
    CAP_REACHED = "cap_reached"


@dataclass(frozen=True, slots=True)
class Terms:
    """What the customer agreed to. `cap_cents`: most in a calendar month; None: no cap."""

    threshold_cents: int
    recharge_to_cents: int
    cap_cents: int | None = None
    per_day: int = 5


@dataclass(frozen=True, slots=True)
class Situation:
    """How things are.

    available       the balance in USD, less than 0 when overdrawn
    debt            claw-back debt in USD: no card is charged for it (A2)
    pending_cents   payments whose outcome is not there yet (an open page that nobody has paid is none, A14)
    under_way       one of them charges a card without its customer
    spent_cents     of the cap, this calendar month, open ones included
    charged_today   successful charges, this UTC day
    charged_lately  successful charges, the last ten minutes
    by_usage        charged usage has left the balance below the threshold
    disputed        a payment of the organization is disputed
    retry_at        the next try after a soft decline, or None
    retrying        a soft decline is being retried
    """

    available: Decimal
    debt: Decimal = ZERO
    pending_cents: int = 0
    under_way: bool = False
    spent_cents: int = 0
    charged_today: int = 0
    charged_lately: int = 0
    by_usage: bool = True
    disputed: bool = False
    retry_at: datetime | None = None
    retrying: bool = False


@dataclass(frozen=True, slots=True)
class Charge:
    """`capped`: less than was wanted, since no more is left of the cap."""

    cents: int
    why: Why = Why.BELOW
    capped: bool = False


@dataclass(frozen=True, slots=True)
class Nothing:
    why: WhyNot


@dataclass(frozen=True, slots=True)
class Stop:
    """Three charges within ten minutes: something is wrong, and the customer is asked."""


Decision = Charge | Nothing | Stop


def decide(terms: Terms, now_is: Situation, *, on: bool, now: datetime) -> Decision:
    """The one rule. It is a level, tested strictly below the threshold."""
    if not on:
        return Nothing(WhyNot.NOT_ON)
    if now_is.charged_lately >= BURST:
        return Stop()
    if (why_not := _why_not(terms, now_is, now)) is not None:
        return Nothing(why_not)
    amount = wanted(terms, now_is)
    why = Why.RETRY if now_is.retrying else Why.BELOW
    if terms.cap_cents is None or amount <= terms.cap_cents - now_is.spent_cents:
        return Charge(amount, why)
    rest = terms.cap_cents - now_is.spent_cents
    if rest >= LEAST_LIFT_CENTS and level(now_is) + from_cents(rest) > 0:
        return Charge(rest, why, capped=True)
    return Nothing(WhyNot.CAP_REACHED)


def level(now_is: Situation) -> Decimal:
    """The balance the rule is held against, in USD: with what is on its way."""
    return now_is.available + from_cents(now_is.pending_cents)


def wanted(terms: Terms, now_is: Situation) -> int:
    """Cents that lift the balance to where it should be, rounded up, 10,000.00 at most; 0 when it is there."""
    missing = from_cents(terms.recharge_to_cents) - level(now_is)
    return max(0, min(to_cents(cents_up(missing)), MOST_CENTS))


def _why_not(terms: Terms, now_is: Situation, now: datetime) -> WhyNot | None:
    threshold = from_cents(terms.threshold_cents)
    reasons = (
        (now_is.available >= threshold, WhyNot.ABOVE),
        (now_is.under_way, WhyNot.UNDER_WAY),
        (level(now_is) >= threshold, WhyNot.PENDING),
        (not now_is.by_usage, WhyNot.NOT_BY_USAGE),
        (now_is.disputed or now_is.debt > 0, WhyNot.DISPUTED),
        (now_is.retry_at is not None and now < now_is.retry_at, WhyNot.LADDER),
        (now_is.charged_today >= terms.per_day, WhyNot.DAILY_LIMIT),
    )
    return next((why for applies, why in reasons if applies), None)
