"""The simulation's own books: what it sent and was told is accepted, at its own price list, in Decimal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any
from uuid import UUID

from orgs.models import ApiKey

MILLION = Decimal(1_000_000)
NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens, from a moment on."""

    since: datetime
    input: Decimal
    cached: Decimal
    output: Decimal


@dataclass(frozen=True, slots=True)
class Use:
    """One served request as a gateway reports it, each time the same."""

    id: UUID
    key: str
    model: str
    input: int
    cached: int
    output: int
    occurred_at: datetime

    @property
    def minute(self) -> datetime:
        return self.occurred_at.replace(second=0, microsecond=0)

    def body(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "key": self.key,
            "model": self.model,
            "input_tokens": self.input,
            "cached_input_tokens": self.cached,
            "output_tokens": self.output,
            "occurred_at": self.occurred_at.isoformat(),
        }


class PriceList:
    """What was published, by model."""

    def __init__(self) -> None:
        self.prices: dict[str, list[Price]] = {}

    def publish(self, model: str, price: Price) -> None:
        self.prices.setdefault(model, []).append(price)

    def cost(self, use: Use) -> Decimal:
        """Tokens times the price that was in force when it occurred; exact."""
        price = [price for price in self.prices[use.model] if price.since <= use.occurred_at][-1]
        with localcontext() as context:
            context.prec = 60
            parts = (use.input - use.cached) * price.input + use.cached * price.cached + use.output * price.output
            return parts / MILLION


@dataclass
class Agreement:
    """What may be charged without asking, from when to when: at most `cap_cents` in a month, `per_day` times a day."""

    since: datetime
    cap_cents: int | None
    per_day: int
    until: datetime | None = None

    def holds(self, at: datetime) -> bool:
        return self.since <= at and (self.until is None or at <= self.until)


@dataclass
class Tally:
    """What one organization used and was given. `free`: nobody pays for its use, since it never had credit."""

    free: bool = False
    accepted: dict[UUID, Use] = field(default_factory=dict)
    reversed: set[UUID] = field(default_factory=set)
    promised: set[UUID] = field(default_factory=set)
    """What of it a plan or contract pays for: it costs no credit."""
    undrawn: list[Use] = field(default_factory=list)
    """Accepted and perhaps not drawn yet, in the order of acceptance."""
    given: Decimal = NOTHING
    """Gifts of staff, in USD."""
    used: Decimal = NOTHING
    agreements: list[Agreement] = field(default_factory=list)

    @property
    def agreed(self) -> bool:
        return any(agreement.until is None for agreement in self.agreements)

    def stop_agreeing(self, now: datetime) -> None:
        """Nothing may be charged without asking any more."""
        for agreement in self.agreements:
            agreement.until = agreement.until or now

    def accept(self, use: Use, cost: Decimal) -> None:
        self.accepted[use.id] = use
        self.undrawn.append(use)
        if not self.free:
            self.used += cost

    def take_back(self, use: Use, cost: Decimal) -> None:
        self.reversed.add(use.id)
        if not self.free:
            self.used -= cost


@dataclass(frozen=True)
class Paid:
    """A payment of which Stripe has the money."""

    intent_id: UUID
    charge: str
    cents: int


@dataclass
class CardNote:
    """A bank sent a card with another last month. `heard_at`: when Purser was seen to know it; its webhook may be lost, or
    held for weeks."""

    stripe_id: str
    year: int
    month: int
    heard_at: datetime | None = None


@dataclass
class KeyNote:
    """A key, and when it was revoked."""

    key: ApiKey
    revoked_at: datetime | None = None


@dataclass
class Rest:
    """A grant as it was before a draw: what is left of it, and its end."""

    account: int
    left: Decimal
    ends: datetime
    promotional: bool


def drawn(rests: Iterable[Rest], uses: Iterable[tuple[datetime, Decimal]]) -> tuple[dict[int, Decimal], Decimal]:
    """What is left of each grant after it paid for these (minute, cost), and what nobody paid: by the rule as customers are
    told it. The earliest end pays first, gifts before money, older before younger; none pays for what is after its end."""
    queue = sorted(rests, key=lambda rest: (rest.ends, 0 if rest.promotional else 1, rest.account))
    left = {rest.account: rest.left for rest in queue}
    unpaid = NOTHING
    for minute, cost in sorted(uses):
        for rest in queue:
            if minute < rest.ends and left[rest.account] > 0 and cost:
                part = min(cost, left[rest.account])
                left[rest.account] -= part
                cost -= part
        unpaid += cost
    return left, unpaid


LATE_WINDOW = timedelta(hours=72)
"""So long an ended grant may wait for usage of before its end."""
DEBT_KEPT = timedelta(days=180)
