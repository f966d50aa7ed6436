"""The simulation's own books of plans and contracts: what was shown, asked and told, and what follows from it.

Written from the rules as customers are told them (A7, A11, A21, A26, A28), with a calendar and a proration of their own.
"""

from __future__ import annotations

import calendar
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from tests.simulation.tally import Use

PLANNED, RESERVED = "coder", "bulk"
"""The models that plans and contracts cover here; others are paid by credit alone."""
PRICES = {"basic": 20_00, "plus": 80_00}
"""Cents a month."""
TOKENS, COMMITMENT = 10_000_000, 8_00
"""What a contract commits to in a month, and what that costs, in cents."""
OVERAGE_PER_MILLION = 2
"""USD."""
FREE_BELOW = 50
ARREARS_FOR = timedelta(days=60)
MOMENT = timedelta(microseconds=1)


# --- The calendar, and what it costs -------------------------------------------------------------------------------------


def months_after(anchor: datetime, months: int) -> datetime:
    """The same day and time so many months later, or the last day of a shorter month."""
    year, month = anchor.year, anchor.month
    for _ in range(months):
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return anchor.replace(year=year, month=month, day=min(anchor.day, calendar.monthrange(year, month)[1]))


def part_of(cents: int, rest: timedelta, whole: timedelta) -> int:
    """Whole cents, rounded down."""
    return cents * (rest // MOMENT) // (whole // MOMENT)


def upgrade_cents(old: int, new: int, now: datetime, start: datetime, end: datetime) -> int:
    """The difference for the rest of the period; less than half a dollar is free (A28)."""
    due = part_of(max(new - old, 0), end - now, end - start)
    return due if due >= FREE_BELOW else 0


def earned_cents(cents: int, start: datetime, end: datetime, now: datetime) -> int:
    """What of a fee is revenue at `now`: all of it after its end, else whole days through the last month's end (A26)."""
    if end <= now:
        return cents
    month, first, last = now.astimezone(UTC).date().replace(day=1), start.date(), end.date()
    days = (month - first).days
    return cents * days // (last - first).days if days > 0 else 0


# --- What was seen -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Span:
    """From the moment at which a page said so to the end it named, this model is covered: that is certain."""

    model: str
    since: datetime
    until: datetime


@dataclass
class Order:
    """Somebody agreed to what a plan was shown to cost."""

    quote_id: UUID
    plan: str
    cents: int
    at: datetime
    upgrades: bool
    arrears: int = 0


@dataclass
class Wish:
    """What was scheduled for the end of a period, as the page told it: another plan, or None, the end."""

    plan: str | None
    number: int
    told_at: datetime
    withdrawn_at: datetime | None = None


@dataclass
class PlanSeen:
    """A plan as its page showed it. `unsure`: periods at whose end nobody was told in time what will be."""

    id: UUID
    wishes: list[Wish] = field(default_factory=list)
    unsure: list[int] = field(default_factory=list)
    canceled_at: datetime | None = None
    periods: set[int] = field(default_factory=set)

    def standing(self, number: int) -> list[Wish]:
        return [wish for wish in self.wishes if wish.number == number and wish.withdrawn_at is None]

    def wish_for(self, number: int, upgraded_at: datetime | None) -> Wish | None:
        """What is to happen when this period ends. An upgrade withdraws what was scheduled before it."""
        standing = self.standing(number)
        last = standing[-1] if standing else None
        return None if last is not None and upgraded_at is not None and last.told_at <= upgraded_at else last


@dataclass(frozen=True, slots=True)
class Counted:
    """Tokens of an event under a plan or contract, and when they were accepted, or taken back."""

    at: datetime
    model: str
    day: date
    tokens: int


@dataclass
class Promises:
    """What one organization was promised. `asked`: when it first agreed to anything that covers this model: before that it
    is not covered, certainly."""

    spans: list[Span] = field(default_factory=list)
    asked: dict[str, datetime] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    plans: dict[UUID, PlanSeen] = field(default_factory=dict)
    cards: list[tuple[datetime, UUID, str]] = field(default_factory=list)
    """When a page said which plan is to be renewed with which card."""
    counted: list[Counted] = field(default_factory=list)

    def ask(self, model: str, now: datetime) -> None:
        self.asked.setdefault(model, now)

    def runs(self, model: str, now: datetime) -> bool:
        """Whether it is certainly covered now."""
        return any(span.model == model and span.since <= now < span.until for span in self.spans)

    def covers(self, use: Use, now: datetime) -> bool | None:
        """Whether a plan or contract pays for it; None: nobody here can say, it fell into the hours around a boundary."""
        if any(span.model == use.model and span.since <= use.occurred_at < span.until for span in self.spans):
            return None if use.occurred_at > now else True
        asked = self.asked.get(use.model)
        return False if asked is None or use.occurred_at < asked else None

    def count(self, use: Use, now: datetime, sign: int = 1) -> None:
        """Its tokens, for allowances and commitments; below zero when it is taken back."""
        tokens, day = sign * (use.input + use.output), use.occurred_at.date()
        self.counted.append(Counted(now, use.model, day, tokens))

    def by_day(self) -> dict[date, int]:
        """Tokens under plans, by the UTC day of their occurrence."""
        found: Counter[date] = Counter()
        for one in self.counted:
            found[one.day] += one.tokens if one.model == PLANNED else 0
        return {day: tokens for day, tokens in found.items() if tokens}

    def by_month(self, until: datetime | None = None) -> dict[date, int]:
        """Tokens under contracts, by the month of their occurrence, as far as they were counted by then."""
        found: Counter[date] = Counter()
        for one in self.counted:
            if one.model == RESERVED and (until is None or one.at < until):
                found[one.day.replace(day=1)] += one.tokens
        return {month: tokens for month, tokens in found.items() if tokens}

    def taken_back(self) -> int:
        """Tokens under contracts that were counted and do not count any more."""
        return -sum(one.tokens for one in self.counted if one.model == RESERVED and one.tokens < 0)

    def plan(self, id_: UUID) -> PlanSeen:
        return self.plans.setdefault(id_, PlanSeen(id_))
