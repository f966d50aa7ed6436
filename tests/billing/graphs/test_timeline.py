"""Forecasts on the timeline, against figures by hand; and the picture. Pure."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.graphs.spend import Pace
from billing.graphs.timeline import Item, Kind, Lane, Timeline, drawing, forecasts
from billing.graphs.timeline.items import end_of, in_order
from billing.ledger.burndown import Source
from billing.recharge.policy import Situation, Terms

NOW = datetime(2026, 4, 14, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TERMS = Terms(20_00, 50_00)
A_DAY = Decimal(10)


def source(rest: str, days: int, number: int = 1) -> Source:
    return Source(number, Decimal(rest), NOW + days * DAY, promotional=False)


def recharged(
    terms: Terms, *grants: Source, days: int = 30, available: str | None = None, **other: Any
) -> list[tuple[float, int]]:
    """(days from now, cents)."""
    has = sum((one.rest for one in grants), Decimal(0)) if available is None else Decimal(available)
    start = Situation(available=has, **other)
    made, _ = forecasts.recharges(terms, start, grants, A_DAY, now=NOW, until=NOW + days * DAY)
    return [(round((one.at - NOW) / DAY, 2), one.cents) for one in made]


def test_each_time_it_falls_below_the_threshold() -> None:
    assert recharged(TERMS, source("50", 300), days=10) == [(3, 30_01), (6, 30_01), (9, 30_01)]


def test_below_the_threshold_now_it_is_charged_now() -> None:
    assert recharged(TERMS, source("5", 300), days=4)[0] == (0, 45_00)
    assert recharged(TERMS, days=1, available="-3")[0] == (0, 53_00)


def test_credit_that_expires_is_gone_and_the_rest_falls_sooner() -> None:
    """50.00, of which 25.00 end after a day with 15.00 left: 25.00 are left then, and half a day to the threshold."""
    assert recharged(TERMS, source("25", 1), source("25", 300, 2), days=2) == [(1.5, 30_01)]


def test_the_cap_holds_until_the_month_is_over() -> None:
    capped = Terms(20_00, 50_00, cap_cents=40_00)
    made = recharged(capped, source("50", 300), days=20)
    # 30.01, then what is left of the cap; nothing more in April, and in May it begins anew.
    assert made[:2] == [(3, 30_01), (6, 9_99)]
    assert made[2][0] == round((datetime(2026, 5, 1, tzinfo=UTC) - NOW) / DAY, 2)
    assert recharged(capped, source("50", 300), days=10, spent_cents=40_00) == []


def test_the_days_limit_holds_until_midnight() -> None:
    fast = Terms(20_00, 25_00, per_day=1)
    made = recharged(fast, source("21", 300), days=2)
    assert [at for at, _ in made] == [0.1, 0.6, 1.5]


@pytest.mark.parametrize("pace", ["0", "0.001"])
def test_without_a_pace_nothing_is_foretold(pace: str) -> None:
    start = Situation(available=Decimal(50))
    assert forecasts.recharges(TERMS, start, [source("50", 9)], Decimal(pace), now=NOW, until=NOW + DAY) == ([], [])


def test_many_in_a_month_are_one_line() -> None:
    made = [forecasts.Recharge(NOW + n * DAY, 30_00) for n in range(20)]
    april, *may = forecasts.recharge_items(made, Decimal(20), "Visa ending 4242")
    assert (april.title, april.charge, april.fixed) == ("Auto-recharge, about 17 times", 510, False)
    assert [(one.title, one.charge) for one in may] == [("Auto-recharge", 30)] * 3


# --- The picture -----------------------------------------------------------------------------------------------------------


def told(*items: Item) -> Timeline:
    return Timeline(NOW, end_of(NOW), in_order(items, until=end_of(NOW)), Pace(0, Decimal(0)))


def test_lanes_hold_what_belongs_to_them_and_months_are_named_over_them() -> None:
    picture = drawing.of(
        told(
            Item(NOW + 5 * DAY, Kind.RENEWAL, "Code Pro"),
            Item(NOW + 9 * DAY, Kind.RECHARGE, "Auto-recharge", fixed=False, charge=Decimal(30), exact=False),
            Item(NOW + 60 * DAY, Kind.CARD_END, "Visa ending 4242 expires", short="Card expires"),
        )
    )
    assert [(row.lane, [mark.fixed for mark in row.marks]) for row in picture.rows] == [
        (Lane.PLAN, [True]), (Lane.RECHARGE, [False]), (Lane.CHANGES, [True]),
    ]  # fmt: skip
    assert [name.text for name in picture.months][:2] == ["Apr", "May"]
    assert "Jan\u00a02027" in [name.text for name in picture.months]
    assert picture.rows[1].marks[0].title == "23\u00a0Apr\u00a02026 · Auto-recharge, ≈\u00a0$30.00"
    assert picture.rows[2].marks[0].label == "Card expires"


def test_a_label_never_lies_on_the_next_mark() -> None:
    ends = [Item(NOW + n * DAY, Kind.EXPIRY, f"{n}", short="Purchase") for n in (10, 40, 200, 350)]
    [row] = drawing.of(told(*ends)).rows
    assert [(bool(mark.label), mark.left) for mark in row.marks] == [
        (False, False), (True, False), (True, False), (True, True),
    ]  # fmt: skip


def test_what_is_due_already_stands_at_the_left_edge_and_in_this_month() -> None:
    overdue = told(Item(NOW - DAY * 20, Kind.MONTH_CLOSE, "March closes"))
    assert drawing.of(overdue).rows[0].marks[0].x == 0
    assert [one.period.month for one in overdue.months] == [4]


def test_a_months_sums_keep_what_is_certain_apart() -> None:
    [april] = told(
        Item(NOW + DAY, Kind.RENEWAL, "Code Pro", charge=Decimal(50)),
        Item(NOW + DAY, Kind.MONTH_CLOSE, "closes", charge=Decimal(3), exact=False),
        Item(NOW + DAY, Kind.RECHARGE, "Auto-recharge", charge=Decimal(30), fixed=False, exact=False),
        Item(NOW + DAY, Kind.EXPIRY, "expires", credit=Decimal(9), exact=False),
    ).months
    assert (april.fixed, april.forecast) == (50, 33)
