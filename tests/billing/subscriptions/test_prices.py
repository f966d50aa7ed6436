"""What an upgrade costs, what grace costs, and what of a fee is earned."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as some

from billing.subscriptions import prices

START, END = datetime(2027, 1, 31, 10, tzinfo=UTC), datetime(2027, 2, 28, 10, tzinfo=UTC)
CENTS = some.integers(min_value=0, max_value=100_000_00)


def upgrade(now: datetime, *, new: int = 200_00, charged: int = 50_00) -> int:
    return prices.difference(new_cents=new, charged_cents=charged, now=now, start=START, end=END)


def test_half_of_the_period_costs_half_of_the_difference() -> None:
    assert upgrade(datetime(2027, 2, 14, 10, tzinfo=UTC)) == 75_00


def test_an_hour_before_the_end_the_difference_of_22_cents_is_free() -> None:
    hour_before = datetime(2027, 2, 28, 9, tzinfo=UTC)
    assert prices.share(150_00, timedelta(hours=1), END - START) == 22
    assert upgrade(hour_before) == 0


def test_it_is_free_below_50_cents_and_not_at_50() -> None:
    whole = (END - START).total_seconds()
    at_50 = END - timedelta(seconds=whole * 50 / 15000)
    assert upgrade(at_50) == 50
    assert upgrade(at_50 + timedelta(seconds=1)) == 0


def test_it_is_never_below_zero_and_never_more_than_the_whole_difference() -> None:
    assert upgrade(START, new=40_00) == 0
    assert upgrade(START - timedelta(seconds=5)) == upgrade(START) == 150_00
    assert upgrade(END) == upgrade(END + timedelta(days=1)) == 0


@given(CENTS, CENTS, some.integers(min_value=0, max_value=28 * 86_400 * 10**6))
def test_it_falls_with_time_and_is_at_most_a_cent_below_the_exact_share(new: int, charged: int, passed: int) -> None:
    at, whole = START + timedelta(microseconds=passed), 28 * 86_400 * 10**6
    due = prices.share(max(new - charged, 0), END - at, END - START)
    exact = max(new - charged, 0) * (whole - passed)
    assert due * whole <= exact < (due + 1) * whole
    assert upgrade(at, new=new, charged=charged) in (due, 0)


def test_seven_days_of_grace_of_a_28_day_period_cost_a_quarter() -> None:
    assert prices.grace_used(200_00, start=START, used_until=START + timedelta(days=7), end=END) == 50_00
    assert prices.grace_used(200_00, start=START, used_until=END + timedelta(days=1), end=END) == 200_00


# --- What is earned ------------------------------------------------------------------------------------------------------


def test_a_fee_is_earned_by_whole_days_rounded_down_and_the_rest_at_the_end() -> None:
    earned = {day: prices.earned(50_00, start=START, end=END, until=date(2027, 2, day)) for day in (1, 2, 11, 27, 28)}
    assert earned == {1: 1_78, 2: 3_57, 11: 19_64, 27: 48_21, 28: 50_00}
    assert prices.earned(50_00, start=START, end=END, until=date(2027, 1, 31)) == 0
    assert prices.earned(50_00, start=START, end=END, until=date(2027, 3, 5)) == 50_00


def test_what_is_paid_on_the_last_day_is_earned_on_it() -> None:
    late = END - timedelta(hours=2)
    assert prices.earned(60, start=late, end=END, until=END.date()) == 60
    assert prices.earned(60, start=late, end=END, until=END.date() - timedelta(days=1)) == 0


@given(CENTS, some.integers(min_value=0, max_value=40))
def test_it_only_grows_and_never_beyond_the_fee(cents: int, days: int) -> None:
    day = START.date() + timedelta(days=days)
    today, tomorrow = (
        prices.earned(cents, start=START, end=END, until=until) for until in (day, day + timedelta(days=1))
    )
    assert 0 <= today <= tomorrow <= cents


# --- Renewals (A32) --------------------------------------------------------------------------------------------------------

NEXT, AFTER = END, datetime(2027, 3, 31, 10, tzinfo=UTC)


def renewal(offered: int, agreed: int, *rises: tuple[int, datetime], at: datetime = NEXT) -> int:
    told = tuple(prices.Rise(cents, effective_at) for cents, effective_at in rises)
    return prices.renewal(offered, prices.Agreed(agreed, START, told), starts_at=at)


def test_a_renewal_costs_what_was_agreed_to_a_lower_price_at_once_a_higher_one_when_it_was_told_of() -> None:
    assert [renewal(50_00, 50_00), renewal(45_00, 50_00), renewal(60_00, 50_00)] == [50_00, 45_00, 50_00]
    assert [renewal(60_00, 50_00, (60_00, AFTER), at=at) for at in (NEXT, AFTER)] == [50_00, 60_00]
    assert renewal(70_00, 50_00, (60_00, NEXT)) == 60_00, "of the seventy nobody was told"
    assert renewal(55_00, 50_00, (60_00, NEXT)) == 55_00, "never more than it costs others"
    assert renewal(60_00, 45_00, (60_00, START)) == 45_00, "it had its chance at the period that runs"


@given(CENTS, CENTS, some.lists(some.tuples(CENTS, some.sampled_from([START, NEXT, AFTER])), max_size=4))
def test_a_renewal_never_costs_more_than_is_offered_nor_than_was_agreed_to_or_told(
    offered: int, agreed: int, rises: list[tuple[int, datetime]]
) -> None:
    costs = renewal(offered, agreed, *rises)
    assert costs <= offered
    assert costs <= max([agreed, *(cents for cents, _ in rises)])
    assert renewal(offered, costs) <= costs
