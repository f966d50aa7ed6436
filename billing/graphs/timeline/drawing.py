"""The picture of a timeline: a lane for each kind of thing, a mark for each item. Pure: x in percent, y in pixels."""

from dataclasses import dataclass
from datetime import datetime

from billing import periods, wording
from billing.graphs.timeline.items import Item, Lane, Timeline

TOP, LANE = 28, 34
"""Pixels: the names of the months, and a lane."""
ROOM = 17.0
"""Percent that a label needs beside its mark."""
NARROW = 4.0
"""Percent below which a month has no name: it is cut off by an end of the picture."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A disc (fixed) or a ring (forecast). `title` says it in words; `label` stands beside it, to the `left` or right."""

    x: float
    fixed: bool
    title: str
    label: str = ""
    left: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    lane: Lane
    y: int
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Name:
    """A month's, over its middle."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    height: int
    months: tuple[Name, ...]
    rows: tuple[Row, ...]
    forecast: bool


def of(told: Timeline) -> Picture:
    """All items, those that are due already at the left edge."""
    rows = tuple(
        Row(lane, TOP + LANE * n + LANE // 2, _marks(told, [one for one in told.items if one.lane is lane]))
        for n, lane in enumerate(told.lanes)
    )
    forecast = any(not one.fixed for one in told.items)
    return Picture(TOP + LANE * len(rows), tuple(_names(told)), rows, forecast)


def _x(told: Timeline, at: datetime) -> float:
    share = (max(at, told.since) - told.since) / (told.until - told.since)
    return round(min(share, 1.0) * 100, 3)


def _marks(told: Timeline, items: list[Item]) -> tuple[Mark, ...]:
    """A label where there is room for it before the next mark, else before this one, else none."""
    places = [_x(told, one.at) for one in items]
    marks, taken = [], 0.0
    for n, (one, x) in enumerate(zip(items, places, strict=True)):
        before = places[n - 1] if n else 0.0
        after = next((place for place in places[n + 1 :]), 100.0)
        right = bool(one.short) and after - x >= ROOM
        left = bool(one.short) and not right and x - max(before, taken) >= ROOM
        taken = x + ROOM if right else x
        marks.append(Mark(x, one.fixed, _title(one), one.short if right or left else "", left))
    return tuple(marks)


def _title(one: Item) -> str:
    money = f", {wording.usd(one.charge) if one.exact else wording.forecast(one.charge)}" if one.charge else ""
    return f"{wording.day(one.at)} · {one.title}{money}"


def _names(told: Timeline) -> list[Name]:
    names, period = [], periods.month_of(told.since)
    while (start := periods.month_start(period)) < told.until:
        left, right = _x(told, start), _x(told, periods.month_start(periods.next_month(period)))
        if right - left >= NARROW:
            text = wording.MONTHS[period.month - 1] + (f"\u00a0{period.year}" if period.month == 1 else "")
            names.append(Name((left + right) / 2, text))
        period = periods.next_month(period)
    return names
