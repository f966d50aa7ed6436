"""From the words of an address to buckets, and to what is fair to compare with."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.graphs import ranges
from billing.graphs.axes import Grain
from billing.graphs.ranges import Range, Span

NOW = datetime(2026, 4, 14, 12, 41, 8, tzinfo=UTC)


def at(month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("range_", "grain", "buckets", "first"),
    [
        (Range.HOURS_24, Grain.HOUR, 24, at(4, 13, 13)),
        (Range.DAYS_7, Grain.DAY, 7, at(4, 8)),
        (Range.DAYS_7, Grain.HOUR, 6 * 24 + 13, at(4, 8)),
        (Range.DAYS_30, Grain.DAY, 30, at(3, 16)),
        (Range.MONTH, Grain.DAY, 14, at(4, 1)),
        (Range.MONTH, Grain.HOUR, 13 * 24 + 13, at(4, 1)),
    ],
)
def test_a_range_ends_inside_its_last_bucket(range_: Range, grain: Grain, buckets: int, first: datetime) -> None:
    window = ranges.window(range_, grain, NOW)
    assert len(window.buckets) == buckets
    assert window.buckets[0] == window.span.start == first
    assert window.buckets[-1] <= NOW < window.buckets[-1] + window.step == window.span.end


def test_a_day_cannot_be_one_bucket_of_24_hours() -> None:
    with pytest.raises(ValueError, match="24h"):
        ranges.window(Range.HOURS_24, Grain.DAY, NOW)


def test_half_a_day_is_never_held_against_a_whole_one() -> None:
    assert ranges.today(NOW) == Span(at(4, 14), NOW)
    assert ranges.by_this_time_yesterday(NOW) == Span(at(4, 13), at(4, 13, 12, 41, 8))
    for range_ in (Range.HOURS_24, Range.DAYS_7, Range.DAYS_30):
        window = ranges.window(range_, ranges.default_grain(range_), NOW)
        assert window.before.end - window.before.start == NOW - window.span.start
        assert window.before.start + ranges.LENGTHS[range_] == window.span.start


def test_a_month_is_compared_as_far_as_it_got() -> None:
    assert ranges.by_this_day_last_month(NOW) == Span(at(3, 1), at(3, 14, 12, 41, 8))


def test_a_shorter_last_month_is_whole_by_the_end_of_a_longer_one() -> None:
    assert ranges.by_this_day_last_month(at(3, 30, 9)) == Span(at(2, 1), at(3, 1))


def test_january_is_compared_with_december() -> None:
    before = ranges.by_this_day_last_month(datetime(2026, 1, 2, 6, tzinfo=UTC))
    assert before.start == datetime(2025, 12, 1, tzinfo=UTC)
    assert before.end - before.start == timedelta(days=1, hours=6)
