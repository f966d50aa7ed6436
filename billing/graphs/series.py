"""Usage over time, for people: rollups to totals and charts.

Two questions to the hourly rollup, whatever the number of requests, keys and models: what each series used in all, and
what the largest of them used bucket by bucket. Spend is the cost of what credits paid for, posted or not; what is free or
covered by something else counts in tokens and costs nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from django.db import connection

from billing import wording
from billing.catalog.models import AIModel
from billing.coverage.models import Payer
from billing.graphs import axes, charts
from billing.graphs.axes import Grain, Number, Unit
from billing.graphs.ranges import Span, Window
from billing.money import ZERO
from orgs.models import ApiKey


class By(StrEnum):
    """What the bars are stacked of."""

    MODEL = "model"
    KEY = "key"


COLUMNS = {By.MODEL: "model_id", By.KEY: "key_id"}
REST = 0
"""Stands for every series beyond the largest; no model and no key has this id."""

TOTALS = """
SELECT {column}, payer, sum(events)::bigint, sum(input_tokens)::bigint, sum(output_tokens)::bigint,
    sum(late_tokens)::bigint, sum(cost)
FROM usage_hour WHERE org_id = %(org)s AND hour >= %(start)s AND hour < %(end)s
GROUP BY 1, 2 ORDER BY 1, 2
"""
POINTS = """
SELECT date_trunc(%(grain)s, hour, 'UTC'), CASE WHEN {column} = ANY(%(shown)s) THEN {column} ELSE 0 END,
    sum(events)::bigint, sum(input_tokens + output_tokens)::bigint, sum(late_tokens)::bigint,
    coalesce(sum(cost) FILTER (WHERE payer = %(credits)s), 0)
FROM usage_hour WHERE org_id = %(org)s AND hour >= %(start)s AND hour < %(end)s
GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Total:
    """What one series, or all of them, used. `spend` in USD exactly; `uncharged` are tokens no credit paid for."""

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    late: int = 0
    spend: Decimal = ZERO
    uncharged: int = 0

    def __add__(self, other: "Total") -> "Total":
        return Total(
            self.requests + other.requests,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.late + other.late,
            self.spend + other.spend,
            self.uncharged + other.uncharged,
        )

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out

    def measured(self, unit: Unit) -> Number:
        if unit is Unit.MONEY:
            return self.spend
        return self.tokens if unit is Unit.TOKENS else self.requests


@dataclass(frozen=True, slots=True)
class Totals:
    """By the id of the model or key."""

    by: By
    of: Mapping[int, Total]
    all: Total

    def ranked(self, unit: Unit) -> list[int]:
        """The largest first; equal ones by id, so that an order once seen stays."""
        return sorted(self.of, key=lambda id_: (-self.of[id_].measured(unit), -self.of[id_].tokens, id_))


@dataclass(frozen=True, slots=True)
class Point:
    requests: int
    tokens: int
    late: int
    spend: Decimal

    def measured(self, unit: Unit) -> Number:
        if unit is Unit.MONEY:
            return self.spend
        return self.tokens if unit is Unit.TOKENS else self.requests


NOTHING = Point(0, 0, 0, ZERO)


@dataclass(frozen=True, slots=True)
class Stack:
    """The chart and what stands around it. `shown`: ids of the series with a colour of their own, in their order."""

    chart: charts.Chart
    shown: tuple[int, ...]
    late: Mapping[datetime, int] = field(default_factory=dict)

    def colour(self, id_: int) -> str:
        return f"s{self.shown.index(id_) + 1}" if id_ in self.shown else "s0"

    @property
    def late_in_words(self) -> str:
        """ "11 Apr: 1.24 M tokens arrived late", of several buckets together, or nothing."""
        if not self.late:
            return ""
        tokens = f"{wording.tokens(sum(self.late.values()))} tokens arrived late"
        if len(self.late) == 1:
            return f"{axes.bucket_label(next(iter(self.late)), self.chart.grain)}: {tokens}"
        return f"{tokens}, in {len(self.late)} {self.chart.grain}s"


def totals(org_id: int, by: By, span: Span) -> Totals:
    """One query."""
    of: dict[int, Total] = defaultdict(Total)
    with connection.cursor() as cursor:
        cursor.execute(TOTALS.format(column=COLUMNS[by]), {"org": org_id, "start": span.start, "end": span.end})
        for id_, payer, requests, tokens_in, tokens_out, late, cost in cursor.fetchall():
            paid = payer == Payer.CREDITS
            of[id_] += Total(
                requests, tokens_in, tokens_out, late, cost if paid else ZERO, 0 if paid else tokens_in + tokens_out
            )
    return Totals(by, dict(of), sum(of.values(), Total()))


def stack(
    org_id: int,
    counted: Totals,
    names: Mapping[int, str],
    window: Window,
    unit: Unit,
    *,
    complete_through: datetime | None,
    order: Sequence[int] = (),
) -> Stack:
    """The bars of `counted`, which covers the same window. `order`: ids in the colours an open page gave them. One query."""
    shown = _shown(counted, unit, order)
    points = _points(org_id, counted.by, window, shown)
    rest = [id_ for id_ in counted.of if id_ not in shown and counted.of[id_].measured(unit)]
    late: dict[datetime, int] = defaultdict(int)
    for (start, _), point in points.items():
        late[start] += point.late
    buckets = window.buckets
    lines = [_line(names[id_], id_, buckets, points, unit) for id_ in shown]
    if rest:
        lines.append(_line(charts.OTHER, REST, buckets, points, unit, stands_for=len(rest)))
    chart = charts.Chart(
        buckets=tuple(
            charts.Bucket(start, complete_through is None or start + window.step > complete_through, late[start] > 0)
            for start in buckets
        ),
        series=tuple(lines),
        unit=unit,
        grain=window.grain,
        beside_unit=Unit.TOKENS if unit is not Unit.TOKENS else None,
        order=tuple(names[id_] for id_ in shown),
    )
    return Stack(chart, tuple(shown), {start: tokens for start, tokens in late.items() if tokens})


def names(org_id: int, by: By, ids: Iterable[int]) -> dict[int, str]:
    """What people call these models or keys; keys of one name are told apart by their last four. One query."""
    if by is By.MODEL:
        return dict(AIModel.objects.filter(pk__in=list(ids)).values_list("pk", "slug"))
    keys = list(ApiKey.objects.filter(organization=org_id, pk__in=list(ids)).values_list("pk", "name", "last4"))
    called: dict[str, int] = defaultdict(int)
    for _, name, _ in keys:
        called[name] += 1
    named = {pk: name if called[name] == 1 else f"{name} …{last4}" for pk, name, last4 in keys}
    taken: dict[str, int] = defaultdict(int)
    for name in named.values():
        taken[name] += 1
    return {pk: name if taken[name] == 1 else f"{name} ({pk})" for pk, name in named.items()}


def _shown(counted: Totals, unit: Unit, order: Sequence[int]) -> list[int]:
    ranked = [id_ for id_ in counted.ranked(unit) if counted.of[id_].measured(unit)]
    kept = [id_ for id_ in order if id_ in ranked]
    return [*kept, *(id_ for id_ in ranked if id_ not in kept)][: charts.MOST_SERIES]


def _points(org_id: int, by: By, window: Window, shown: Sequence[int]) -> dict[tuple[datetime, int], Point]:
    grain = "hour" if window.grain is Grain.HOUR else "day"
    with connection.cursor() as cursor:
        cursor.execute(
            POINTS.format(column=COLUMNS[by]),
            {
                "org": org_id,
                "grain": grain,
                "shown": list(shown),
                "credits": Payer.CREDITS,
                "start": window.span.start,
                "end": window.span.end,
            },
        )
        return {(start, id_): Point(*figures) for start, id_, *figures in cursor.fetchall()}


def _line(
    name: str,
    id_: int,
    buckets: Sequence[datetime],
    points: Mapping[tuple[datetime, int], Point],
    unit: Unit,
    *,
    stands_for: int = 1,
) -> charts.Series:
    here = [points.get((start, id_), NOTHING) for start in buckets]
    return charts.Series(
        name,
        values=tuple(point.measured(unit) for point in here),
        beside=tuple(point.tokens for point in here) if unit is not Unit.TOKENS else (),
        stands_for=stands_for,
    )
