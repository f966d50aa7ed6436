"""From rollups to totals, bars and comparisons: exact, and as cheap for a thousand requests as for one."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing import periods
from billing.catalog.models import AIModel
from billing.coverage.models import Payer
from billing.graphs import charts, ranges, series, spend
from billing.graphs.axes import Grain, Unit
from billing.graphs.ranges import Range, Span
from billing.graphs.series import By
from orgs.models import ApiKey, Organization
from tests.billing.graphs.conftest import NOW
from tests.factories import books, usage
from tests.factories import orgs as people

ONE = Decimal("0.425")
"""1,000,000 tokens in at 0.35 and 100,000 out at 0.75 per million."""


def by_day() -> ranges.Window:
    return ranges.window(Range.DAYS_7, Grain.DAY, NOW)


def stacked(acme: Organization, by: By, unit: Unit = Unit.MONEY, **other: Any) -> series.Stack:
    window = by_day()
    counted = series.totals(acme.pk, by, window.span)
    names = series.names(acme.pk, by, counted.of)
    return series.stack(acme.pk, counted, names, window, unit, complete_through=NOW, **other)


def test_each_model_has_its_bars_and_its_total(
    acme: Organization, key: ApiKey, model: AIModel, other_model: AIModel
) -> None:
    usage.bought(acme, "10", now=NOW - timedelta(days=5))
    for days, used in ((0, model), (1, model), (1, other_model)):
        books.accepted(key, used, NOW - timedelta(days=days))
    books.charged(now=NOW)
    stack = stacked(acme, By.MODEL)
    assert [(one.name, one.total) for one in stack.chart.series] == [
        ("gpt-oss-120b", 2 * ONE),
        ("llama3.1-8b", Decimal("0.11")),
    ]
    assert stack.chart.series[0].values[-2:] == (ONE, ONE)
    assert stack.chart.series[0].beside[-1] == 1_100_000
    assert [bucket.incomplete for bucket in stack.chart.buckets] == [False] * 6 + [True]


def test_spend_counts_what_is_not_posted_yet(acme: Organization, key: ApiKey, model: AIModel) -> None:
    usage.bought(acme, "10", now=NOW)
    books.accepted(key, model, NOW)
    books.charged(now=NOW)
    assert spend.between(acme.pk, [ranges.today(NOW)]) == [ONE]


def test_free_use_counts_in_tokens_and_costs_nothing(acme: Organization, key: ApiKey, model: AIModel) -> None:
    books.accepted(key, model, NOW, payer=Payer.FREE)
    books.accepted(key, model, NOW, tokens_in=500, tokens_out=0)
    books.charged(now=NOW)
    [total] = series.totals(acme.pk, By.MODEL, by_day().span).of.values()
    assert (total.tokens, total.uncharged, total.requests) == (1_100_500, 1_100_000, 20)
    assert total.spend == Decimal("0.000175")


def test_late_tokens_mark_their_day(acme: Organization, key: ApiKey, model: AIModel) -> None:
    books.accepted(key, model, NOW - timedelta(days=3), late=1_240_000)
    books.accepted(key, model, NOW)
    books.charged(now=NOW)
    stack = stacked(acme, By.MODEL)
    assert [bucket.late for bucket in stack.chart.buckets] == [False, False, False, True, False, False, False]
    assert stack.late_in_words == "11\u00a0Apr: 1.24\u00a0M tokens arrived late"


def test_a_bucket_is_incomplete_while_usage_in_it_is_not_complete(
    acme: Organization, key: ApiKey, model: AIModel
) -> None:
    books.accepted(key, model, NOW)
    books.charged(now=NOW)
    window = ranges.window(Range.HOURS_24, Grain.HOUR, NOW)
    counted = series.totals(acme.pk, By.MODEL, window.span)
    names = series.names(acme.pk, By.MODEL, counted.of)
    behind = NOW - timedelta(minutes=50)
    chart = series.stack(acme.pk, counted, names, window, Unit.MONEY, complete_through=behind).chart
    assert [bucket.start.hour for bucket in chart.buckets if bucket.incomplete] == [11, 12]


def test_beyond_six_the_rest_are_added_up_and_counted(acme: Organization, model: AIModel) -> None:
    for number in range(9):
        key = people.key(acme, f"key-{number}", now=NOW).key
        books.accepted(key, model, NOW, tokens_in=1_000_000 * (9 - number), tokens_out=0)
    books.charged(now=NOW)
    stack = stacked(acme, By.KEY, Unit.TOKENS)
    layout = charts.lay_out(stack.chart)
    assert [key.name for key in layout.keys] == [*(f"key-{number}" for number in range(6)), "Other (3)"]
    assert layout.keys[-1].total == 6_000_000
    assert layout.total == 45_000_000


def test_an_open_page_keeps_its_colours(acme: Organization, key: ApiKey, other_key: ApiKey, model: AIModel) -> None:
    books.accepted(key, model, NOW, tokens_in=10)
    books.accepted(other_key, model, NOW, tokens_in=5_000_000)
    books.charged(now=NOW)
    assert stacked(acme, By.KEY).shown == (other_key.pk, key.pk)
    kept = stacked(acme, By.KEY, order=[key.pk, other_key.pk, 999])
    assert kept.shown == (key.pk, other_key.pk)
    assert [one.name for one in charts.arrange(kept.chart.series, kept.chart.order)] == [
        "prod-api",
        "eval-batch",
    ]


def test_keys_of_one_name_are_told_apart(acme: Organization) -> None:
    twins = [people.key(acme, "ci", now=NOW).key for _ in range(2)]
    names = series.names(acme.pk, By.KEY, [key.pk for key in twins])
    assert names == {key.pk: f"ci …{key.last4}" for key in twins}


def test_nobody_sees_the_use_of_others(
    acme: Organization, charlie_personal: Organization, key: ApiKey, model: AIModel
) -> None:
    books.accepted(key, model, NOW)
    books.charged(now=NOW)
    assert series.totals(charlie_personal.pk, By.MODEL, by_day().span).of == {}
    assert series.names(charlie_personal.pk, By.KEY, [key.pk]) == {}
    assert spend.between(charlie_personal.pk, [ranges.today(NOW)]) == [0]


def test_the_cost_of_a_graph_does_not_grow_with_use(
    acme: Organization, model: AIModel, django_assert_num_queries: Any
) -> None:
    for number in range(12):
        key = people.key(acme, f"key-{number}", now=NOW).key
        for hours in range(0, 60, 3):
            books.accepted(key, model, NOW - timedelta(hours=hours))
    books.charged(now=NOW)
    with django_assert_num_queries(3):
        stack = stacked(acme, By.KEY)
    assert len(stack.chart.series) == 7


# --- How much between two instants ---------------------------------------------------------------------------------


def test_spend_is_cut_at_the_minute(acme: Organization, key: ApiKey, model: AIModel) -> None:
    yesterday = NOW - periods.DAY
    for minutes in (-200, -30, -1, 1, 90):
        books.accepted(key, model, yesterday + timedelta(minutes=minutes))
    books.charged(now=NOW)
    assert spend.between(acme.pk, [ranges.by_this_time_yesterday(NOW)]) == [3 * ONE]


def test_several_spans_are_one_query(acme: Organization, django_assert_num_queries: Any) -> None:
    spans = [ranges.today(NOW), ranges.this_month(NOW), Span(NOW - 9 * periods.DAY, NOW)]
    with django_assert_num_queries(1):
        assert spend.between(acme.pk, spans) == [0, 0, 0]


@pytest.mark.parametrize(("first_days_ago", "whole_days"), [(0, 0), (1, 0), (2, 1), (4, 3), (20, 7)])
def test_a_pace_needs_three_whole_days(
    acme: Organization, key: ApiKey, model: AIModel, first_days_ago: int, whole_days: int
) -> None:
    """The day of the first use is no whole day, and neither is today."""
    for days in range(first_days_ago + 1):
        books.accepted(key, model, NOW - days * periods.DAY)
    books.charged(now=NOW)
    pace = spend.pace(acme.pk, now=NOW)
    assert pace.days == whole_days
    assert pace.known == (whole_days >= 3)
    assert pace.per_day == (ONE if whole_days else 0)
