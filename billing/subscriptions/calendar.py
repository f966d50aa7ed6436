"""When periods begin and end. Pure.

A period is a month by the anchor, the instant at which the subscription began: the same day and time of day in UTC, the
last day of a month that is shorter, and the anchor's own day again after it (31 January, 28 February, 31 March). Half-open,
so that one begins where the one before ends. The anchor, never the period before, is what is counted from: nothing drifts.
"""

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

TRIES = (timedelta(0), timedelta(days=1), timedelta(days=3), timedelta(days=5), timedelta(days=7))
"""When a renewal is tried, from its period's end (A11)."""
GRACE = TRIES[-1]
ON_TIME = timedelta(hours=1)
"""A first try later than this was late through no fault of the customer's: grace is counted from it."""


@dataclass(frozen=True, slots=True)
class Period:
    """[start, end); the first is number 1."""

    number: int
    start: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        return self.start <= at < self.end


def period(anchor: datetime, number: int) -> Period:
    """The period of this number, from 1."""
    if number < 1:
        raise ValueError(f"periods are counted from 1, not {number}")
    return Period(number, boundary(anchor, number - 1), boundary(anchor, number))


def boundary(anchor: datetime, months: int) -> datetime:
    """The anchor, so many months later: on its day, or on the last one of a shorter month."""
    anchor = anchor.astimezone(UTC)
    years, month = divmod(anchor.month - 1 + months, 12)
    year = anchor.year + years
    last = calendar.monthrange(year, month + 1)[1]
    return anchor.replace(year=year, month=month + 1, day=min(anchor.day, last))


def grace_begins(period_end: datetime, first_try: datetime) -> datetime:
    """From when the tries of a renewal, and the days of grace, are counted."""
    return period_end if first_try - period_end <= ON_TIME else first_try


def next_try(grace_from: datetime, now: datetime) -> datetime | None:
    """The try after one that was made at `now`; None: that was the last one. Tries that were missed are not made up for."""
    return next((grace_from + wait for wait in TRIES if grace_from + wait > now), None)
