"""How much a plan costs now: what an upgrade adds, what used grace still costs, what of a fee is earned. Pure.

A proration is defined as whole cents, rounded down (A27); amounts are cents, spans half-open and in UTC.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

SMALLEST = 50
"""Cents: what comes to less is free (A28)."""


def difference(*, new_cents: int, charged_cents: int, now: datetime, start: datetime, end: datetime) -> int:
    """What an upgrade costs at `now` for the rest of the period [start, end): (new price - price of this period) x rest,
    never below 0, and nothing where it is too little to be charged.

    `charged_cents` is the price a month that the running period was charged at.
    """
    due = share(max(new_cents - charged_cents, 0), end - max(now, start), end - start)
    return due if due >= SMALLEST else 0


@dataclass(frozen=True, slots=True)
class Rise:
    """A higher price that a customer was told of: cents a month, and the renewal from which on it holds."""

    cents: int
    effective_at: datetime


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a customer pays for his plan: cents a month `since` its running period began, or, of one that is scheduled, what
    he was shown. `rises`: what he was told it becomes."""

    cents: int
    since: datetime
    rises: tuple[Rise, ...] = ()


def renewal(offered_cents: int, agreed: Agreed, *, starts_at: datetime) -> int:
    """What a period costs that starts then: as offered, and never more than was agreed to, or told of in time (A32).

    A rise has its chance at the first renewal from which it holds: one that was overtaken by a lower price is over.
    """
    told = [rise.cents for rise in agreed.rises if agreed.since < rise.effective_at <= starts_at]
    return min(offered_cents, max([agreed.cents, *told]))


def grace_used(price_cents: int, *, start: datetime, used_until: datetime, end: datetime) -> int:
    """What the days of grace cost that were used of the unpaid period [start, end), pro rata (A11)."""
    return share(price_cents, min(used_until, end) - start, end - start)


def share(cents: int, part: timedelta, whole: timedelta) -> int:
    """So much of it as `part` is of `whole`, in whole cents, rounded down. Exact: both are whole microseconds."""
    microsecond = timedelta(microseconds=1)
    return cents * max(part // microsecond, 0) // (whole // microsecond)


def earned(cents: int, *, start: datetime, end: datetime, until: date) -> int:
    """What of a fee for [start, end) is earned when the day `until` begins: straight-line by whole UTC days, rounded down;
    all of it from the day on which it ends (A26)."""
    first, last = start.astimezone(UTC).date(), end.astimezone(UTC).date()
    if until >= last:
        return cents
    days = (last - first).days
    return cents * max((until - first).days, 0) // days if days else 0
