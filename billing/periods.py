"""Half-open spans of time in UTC: minutes, hours, days, months, and the anchored year of a grant."""

import calendar
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def floor_minute(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def ceil_minute(at: datetime) -> datetime:
    floor = floor_minute(at)
    return floor if floor == at else floor + MINUTE


def floor_hour(at: datetime) -> datetime:
    return floor_minute(at).replace(minute=0)


def floor_day(at: datetime) -> datetime:
    return floor_hour(at).replace(hour=0)


def month_of(at: datetime) -> date:
    """The billing period an instant belongs to, named by its first day."""
    return at.astimezone(UTC).date().replace(day=1)


def month_start(period: date) -> datetime:
    return datetime(period.year, period.month, 1, tzinfo=UTC)


def midnight(day: date) -> datetime:
    """The start of a UTC day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def next_month(period: date) -> date:
    return date(period.year + period.month // 12, period.month % 12 + 1, 1)


def month_before(period: date) -> date:
    return date(period.year - (period.month == 1), (period.month - 2) % 12 + 1, 1)


def one_year_after(at: datetime) -> datetime:
    """When credit bought at `at` expires: one calendar year later in UTC, rounded up to the minute (29 Feb -> 28 Feb)."""
    at = at.astimezone(UTC)
    last = calendar.monthrange(at.year + 1, at.month)[1]
    return ceil_minute(at.replace(year=at.year + 1, day=min(at.day, last)))


def overlap(since: datetime, until: datetime, spans: Iterable[tuple[datetime, datetime]]) -> timedelta:
    """How much of this time lies within any of these spans; what lies within several counts once."""
    total, reached = timedelta(0), since
    for start, end in sorted(spans):
        start, end = max(start, reached), min(end, until)
        if end > start:
            total, reached = total + (end - start), end
    return total
