"""The spans a page of usage can show: from the words of its address to buckets. Pure.

A range ends now, inside its last bucket. Days are UTC days. What a range is compared with is as long as what it shows so
far, so that half a day is never held against a whole one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from billing import periods
from billing.graphs.axes import Grain


class Range(StrEnum):
    HOURS_24 = "24h"
    DAYS_7 = "7d"
    DAYS_30 = "30d"
    MONTH = "month"


LENGTHS = {Range.HOURS_24: periods.DAY, Range.DAYS_7: 7 * periods.DAY, Range.DAYS_30: 30 * periods.DAY}
GRAINS = {
    Range.HOURS_24: (Grain.HOUR,),
    Range.DAYS_7: (Grain.HOUR, Grain.DAY),
    Range.DAYS_30: (Grain.HOUR, Grain.DAY),
    Range.MONTH: (Grain.HOUR, Grain.DAY),
}
"""What each range can be cut into."""


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open, in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """A range at an instant: its span in whole buckets, and the span before it that compares with it up to `now`."""

    span: Span
    grain: Grain
    before: Span

    @property
    def step(self) -> timedelta:
        return periods.HOUR if self.grain is Grain.HOUR else periods.DAY

    @property
    def buckets(self) -> tuple[datetime, ...]:
        number = (self.span.end - self.span.start) // self.step
        return tuple(self.span.start + self.step * at for at in range(number))


def default_grain(range_: Range) -> Grain:
    return GRAINS[range_][-1]


def window(range_: Range, grain: Grain, now: datetime) -> Window:
    """Raises ValueError for a grain the range cannot be cut into."""
    if grain not in GRAINS[range_]:
        raise ValueError(f"{range_} cannot be cut by {grain}")
    end = periods.floor_hour(now) + periods.HOUR if grain is Grain.HOUR else periods.floor_day(now) + periods.DAY
    return Window(Span(_start(range_, now), end), grain, _before(range_, now))


def today(now: datetime) -> Span:
    return Span(periods.floor_day(now), now)


def by_this_time_yesterday(now: datetime) -> Span:
    return Span(periods.floor_day(now) - periods.DAY, now - periods.DAY)


def this_month(now: datetime) -> Span:
    return Span(periods.month_start(periods.month_of(now)), now)


def by_this_day_last_month(now: datetime) -> Span:
    """As far into last month as now is into this one; a shorter month is whole by then."""
    start = this_month(now).start
    last = periods.month_start(periods.month_of(start - periods.DAY))
    return Span(last, min(last + (now - start), start))


def _start(range_: Range, now: datetime) -> datetime:
    if range_ is Range.MONTH:
        return this_month(now).start
    if range_ is Range.HOURS_24:
        return periods.floor_hour(now) + periods.HOUR - periods.DAY
    return periods.floor_day(now) + periods.DAY - LENGTHS[range_]


def _before(range_: Range, now: datetime) -> Span:
    if range_ is Range.MONTH:
        return by_this_day_last_month(now)
    return Span(_start(range_, now) - LENGTHS[range_], now - LENGTHS[range_])
