"""The Usage page: what was used and spent, by model or key, over a range. Reads the rollups; refreshes itself."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing import wording
from billing.catalog.models import AIModel, Price
from billing.graphs import charts, freshness, ranges, series, spend
from billing.graphs.axes import Grain, Unit
from billing.graphs.ranges import Range, Span, Window
from billing.graphs.series import By, Stack, Total, Totals
from billing.money import ZERO
from billing.views import query, reading
from orgs import access
from orgs.access import OrgRequest

PART = "usage-live"
"""The id of the element that refreshes itself."""
TRANSIENT = ("order", "seen")
"""What only the refresh carries: the colours in use and the figures already announced."""


class Show(StrEnum):
    SPEND = "spend"
    TOKENS = "tokens"
    REQUESTS = "requests"


UNITS = {Show.SPEND: Unit.MONEY, Show.TOKENS: Unit.TOKENS, Show.REQUESTS: Unit.REQUESTS}
BEFORE = {
    Range.HOURS_24: "the 24 hours before",
    Range.DAYS_7: "the 7 days before",
    Range.DAYS_30: "the 30 days before",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for. `points`: the table of every bucket."""

    range: Range
    grain: Grain
    by: By
    show: Show
    points: bool
    order: list[int]
    seen: str

    @classmethod
    def of(cls, request: OrgRequest) -> "Asked":
        """Raises Http404 for anything the page cannot show."""
        range_ = query.choice(request, "range", Range.DAYS_30)
        grain = query.choice(request, "grain", ranges.default_grain(range_))
        if grain not in ranges.GRAINS[range_]:
            raise Http404("That range is not shown at this grain.")
        return cls(
            range_,
            grain,
            query.choice(request, "by", By.MODEL),
            query.choice(request, "show", Show.SPEND),
            query.flag(request, "points"),
            query.ids(request, "order", charts.MOST_SERIES),
            query.digest(request, "seen"),
        )

    @property
    def unit(self) -> Unit:
        return UNITS[self.show]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table twin. `colour` is empty where the chart shows nothing of it."""

    name: str
    total: Total
    colour: str
    price: Price | None
    model: AIModel | None
    ended: bool

    @property
    def input_per_million(self) -> Decimal:
        return self.price.input_usd * 1_000_000 if self.price else ZERO

    @property
    def output_per_million(self) -> Decimal:
        return self.price.output_usd * 1_000_000 if self.price else ZERO


@require_safe
@access.requires(access.READ)
@reading.page
def usage(request: OrgRequest, slug: str) -> HttpResponse:
    asked, now = Asked.of(request), timezone.now()
    window = ranges.window(asked.range, asked.grain, now)
    org_id = request.organization.pk
    counted = series.totals(org_id, asked.by, window.span)
    names = series.names(org_id, asked.by, counted.of)
    fresh = freshness.of_charges(now=now)
    stack = series.stack(org_id, counted, names, window, asked.unit, complete_through=fresh.through, order=asked.order)
    [before] = spend.between(org_id, [window.before])
    figures = _digest(counted.all)
    page = {
        **_segments(request, asked, now),
        **_told(asked, counted, stack, window, before, now),
        "rows": _rows(asked, counted, names, stack, now),
        "fresh": fresh,
        "announce": figures != asked.seen,
        "refresh_url": query.link(request, {"order": ",".join(map(str, stack.shown)), "seen": figures}),
        "points_url": query.link(request, {"points": "" if asked.points else "1"}, anchor="points", without=TRANSIENT),
    }
    part = reading.wants_part(request, PART)
    return render(request, "billing/usage.html#live" if part else "billing/usage.html", page)


def _told(
    asked: Asked, counted: Totals, stack: Stack, window: Window, before: Decimal, now: datetime
) -> dict[str, Any]:
    """The figures and the words around the chart."""
    return {
        "asked": asked,
        "total": counted.all,
        "before": before,
        "before_words": BEFORE.get(asked.range) or f"{_month(window.before.start)} by this day",
        "change": (counted.all.spend - before) / before if before else None,
        "stack": stack,
        "layout": charts.lay_out(stack.chart) if asked.points else None,
        "title": f"{asked.show.capitalize()} per {asked.grain} by {asked.by}, {_dates(window.span, now)}, {asked.unit}",
        "dates": _dates(window.span, now),
        "buckets": len(stack.chart.buckets),
    }


def _segments(request: OrgRequest, asked: Asked, now: datetime) -> dict[str, list[dict[str, object]]]:
    month = f"{now:%B}"
    labels = {Range.HOURS_24: "24 h", Range.DAYS_7: "7 d", Range.DAYS_30: "30 d", Range.MONTH: month}

    def to(name: str, value: StrEnum, label: str, current: bool, *without: str) -> dict[str, object]:
        url = query.link(request, {name: value.value}, without=(*TRANSIENT, *without))
        return {"label": label, "url": url, "current": current}

    return {
        "ranges": [to("range", one, labels[one], one is asked.range, "grain") for one in Range],
        "grains": [to("grain", one, one.capitalize(), one is asked.grain) for one in ranges.GRAINS[asked.range]],
        "bys": [to("by", one, one.capitalize(), one is asked.by) for one in By],
        "shows": [to("show", one, one.capitalize(), one is asked.show) for one in Show],
    }


def _rows(asked: Asked, counted: Totals, names: dict[int, str], stack: Stack, now: datetime) -> list[Row]:
    """Largest first, as in the chart. Two queries more by model: its price and its end."""
    models = AIModel.objects.in_bulk(counted.of) if asked.by is By.MODEL else {}
    prices = {price.model_id: price for price in _prices(models, now)}
    rows = []
    for id_ in counted.ranked(asked.unit):
        total, model = counted.of[id_], models.get(id_)
        colour = stack.colour(id_) if total.measured(asked.unit) else ""
        ended = bool(model and model.refused_from and model.refused_from <= now)
        rows.append(Row(names[id_], total, colour, prices.get(id_), model, ended))
    return rows


def _prices(models: Iterable[int], now: datetime) -> Iterable[Price]:
    """In force now, one for each model."""
    found = Price.objects.filter(model__in=list(models), valid_from__lte=now)
    return found.order_by("model_id", "-valid_from").distinct("model_id") if models else ()


def _dates(span: Span, now: datetime) -> str:
    return f"{wording.day(span.start, year=False)} – {wording.day(now, year=False)}"


def _month(at: datetime) -> str:
    return f"{at:%B}"


def _digest(total: Total) -> str:
    """Changes when a figure of the page does."""
    return hashlib.sha256(repr(total).encode()).hexdigest()[:16]
