"""Periods by the anchor: every day of a leap year, four years long."""

import itertools
from datetime import UTC, datetime, timedelta, timezone

import pytest

from billing.subscriptions import calendar

LEAP_YEAR = datetime(2028, 1, 1, 10, 0, 0, 1, tzinfo=UTC)
ANCHORS = [LEAP_YEAR + timedelta(days=day) for day in range(366)]


def starts(anchor: datetime, months: int) -> list[tuple[int, int]]:
    return [
        (period.start.month, period.start.day) for period in (calendar.period(anchor, n) for n in range(1, months + 1))
    ]


def test_48_months_from_366_anchors_have_no_gap_no_overlap_and_no_drift() -> None:
    seen = 0
    for anchor in ANCHORS:
        periods = [calendar.period(anchor, n) for n in range(1, 49)]
        assert periods[0].start == anchor
        for before, after in itertools.pairwise(periods):
            assert before.end == after.start
        for n, period in enumerate(periods):
            month = anchor.month - 1 + n
            assert (period.start.year, period.start.month) == (anchor.year + month // 12, month % 12 + 1)
            assert period.start.day == anchor.day or (
                period.start.day < anchor.day and (period.start + timedelta(days=1)).day == 1
            ), "on its day, or on the last one"
            assert period.start.timetz() == anchor.timetz()
            assert timedelta(days=28) <= period.end - period.start <= timedelta(days=31)
            seen += 1
    assert seen == 366 * 48


def test_the_31st_is_the_last_day_of_a_shorter_month_and_comes_back() -> None:
    assert starts(datetime(2028, 1, 31, tzinfo=UTC), 5) == [(1, 31), (2, 29), (3, 31), (4, 30), (5, 31)]
    assert starts(datetime(2027, 1, 31, tzinfo=UTC), 3) == [(1, 31), (2, 28), (3, 31)]
    assert starts(datetime(2027, 1, 30, tzinfo=UTC), 3) == [(1, 30), (2, 28), (3, 30)]


def test_the_29th_of_february_is_an_anchor_too() -> None:
    assert starts(datetime(2028, 2, 29, tzinfo=UTC), 2) == [(2, 29), (3, 29)]
    assert calendar.period(datetime(2028, 2, 29, 8, tzinfo=UTC), 13).start == datetime(2029, 2, 28, 8, tzinfo=UTC)
    assert calendar.period(datetime(2028, 2, 29, 8, tzinfo=UTC), 49).start == datetime(2032, 2, 29, 8, tzinfo=UTC)


def test_the_time_of_day_is_kept_in_utc_whatever_zone_it_was_said_in() -> None:
    berlin = datetime(2027, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert calendar.period(berlin, 2).start == datetime(2027, 1, 31, 23, 30, tzinfo=UTC)
    assert calendar.period(berlin, 3).start == datetime(2027, 2, 28, 23, 30, tzinfo=UTC)


def test_a_period_holds_its_start_and_not_its_end() -> None:
    period = calendar.period(LEAP_YEAR, 1)
    assert period.holds(period.start)
    assert period.holds(period.end - timedelta(microseconds=1))
    assert not period.holds(period.end)
    with pytest.raises(ValueError):
        calendar.period(LEAP_YEAR, 0)


def test_a_renewal_is_tried_at_0_1_3_5_and_7_days() -> None:
    end, tries = LEAP_YEAR, [LEAP_YEAR]
    while (at := calendar.next_try(end, tries[-1])) is not None:
        tries.append(at)
    assert [(at - end).days for at in tries] == [0, 1, 3, 5, 7]


def test_a_clock_that_stood_still_costs_the_customer_no_day_of_grace() -> None:
    end, soon, late = LEAP_YEAR, LEAP_YEAR + timedelta(minutes=40), LEAP_YEAR + timedelta(days=8)
    assert calendar.grace_begins(end, soon) == end
    assert calendar.grace_begins(end, late) == late
    assert calendar.next_try(calendar.grace_begins(end, late), late) == late + timedelta(days=1)
