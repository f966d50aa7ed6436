"""The geometry of charts: from buckets and figures to bars, ticks and labels. Pure.

Across, everything is in percent of the plot; up and down, in pixels: one drawing serves every width and its text never
scales. Colours are names of classes: "s1" (largest share of the range) to "s6", "s0" for the rest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from billing import wording
from billing.graphs import axes
from billing.graphs.axes import Grain, Label, Number, Unit

MOST_SERIES = 6
OTHER = "Other"
BAR_SHARE = 0.76  # of its slot
TOP, BOTTOM = 14, 26  # room above the plot for its highest label, below it for the labels of the buckets
GAP = 1.0  # between the segments of one bar


# --- What goes in --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bucket:
    """One column. `incomplete`: still growing, hatched. `late`: usage arrived after it was complete, marked."""

    start: datetime
    incomplete: bool = False
    late: bool = False


@dataclass(frozen=True)
class Series:
    """One name through all buckets. `beside` is a second figure for the titles, such as tokens beside money.

    `stands_for`: how many series were added up in this one already.
    """

    name: str
    values: tuple[Number, ...]
    beside: tuple[Number, ...] = ()
    stands_for: int = 1

    @property
    def total(self) -> Number:
        return sum(self.values)


@dataclass(frozen=True)
class Chart:
    buckets: tuple[Bucket, ...]
    series: tuple[Series, ...]
    unit: Unit
    grain: Grain
    beside_unit: Unit | None = None
    height: int = 228
    order: tuple[str, ...] = ()  # names in the order an open page has already given them colours

    def __post_init__(self) -> None:
        for series in self.series:
            if len(series.values) != len(self.buckets) or len(series.beside) not in (0, len(self.buckets)):
                raise ValueError(f"{series.name} has another number of values than there are buckets")


# --- What comes out ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tick:
    y: float
    label: str


@dataclass(frozen=True)
class Segment:
    colour: str
    y: float
    height: float
    drawn: float  # the height without the gap to the segment above
    title: str


@dataclass(frozen=True)
class Column:
    slot_x: float
    slot_width: float
    x: float
    width: float
    middle: float
    top: float
    height: float
    segments: tuple[Segment, ...]
    title: str
    incomplete: bool
    late: bool


@dataclass(frozen=True)
class Key:
    """A line of the legend, and a column of the table twin."""

    colour: str
    name: str
    total: Number


@dataclass(frozen=True)
class Row:
    """A bucket in the table twin."""

    label: str
    values: tuple[Number, ...]
    total: Number


@dataclass(frozen=True)
class Layout:
    height: int
    top: float
    base: float
    ticks: tuple[Tick, ...]
    labels: tuple[Label, ...]
    columns: tuple[Column, ...]
    keys: tuple[Key, ...]
    rows: tuple[Row, ...]
    unit: Unit
    grain: Grain
    total: Number

    @property
    def plot_height(self) -> float:
        return self.base - self.top

    @property
    def hatched(self) -> bool:
        return any(column.incomplete for column in self.columns)


# --- From one to the other -----------------------------------------------------------------------------------------


def lay_out(chart: Chart) -> Layout:
    """Everything a template needs to draw the bars and their table.

    A negative value is drawn as nothing and worded as it is.
    """
    series = arrange(chart.series, chart.order)
    keys = tuple(Key(_colour(place, one), one.name, one.total) for place, one in enumerate(series))
    totals = [sum(one.values[at] for one in series) for at in range(len(chart.buckets))]
    tops = [sum(max(one.values[at], 0) for one in series) for at in range(len(chart.buckets))]
    steps = axes.ticks(max(tops, default=0), chart.unit)
    base, top = float(chart.height - BOTTOM), float(TOP)
    ceiling = steps[-1] or 1

    def y(value: Number) -> float:
        return base - (base - top) * float(value / ceiling)

    columns = tuple(_column(chart, series, keys, at, totals[at], y) for at in range(len(chart.buckets)))
    rows = tuple(
        Row(
            axes.bucket_label(chart.buckets[at].start, chart.grain), tuple(one.values[at] for one in series), totals[at]
        )
        for at in range(len(chart.buckets))
    )
    return Layout(
        height=chart.height,
        top=top,
        base=base,
        ticks=tuple(Tick(y(step), axes.tick_label(step, chart.unit, steps)) for step in steps),
        labels=axes.labels([bucket.start for bucket in chart.buckets], chart.grain),
        columns=columns,
        keys=keys,
        rows=rows,
        unit=chart.unit,
        grain=chart.grain,
        total=sum(totals),
    )


def arrange(series: Sequence[Series], order: Sequence[str] = ()) -> list[Series]:
    """The largest first (ties by name), at most six; what is left becomes "Other (n)".

    `order` keeps the colours that an open page has already given.
    """
    given = {name: place for place, name in enumerate(order)}
    ranked = sorted(series, key=lambda one: (given.get(one.name, len(given)), -one.total, one.name))
    if len(ranked) <= MOST_SERIES:
        return ranked
    shown, rest = ranked[:MOST_SERIES], ranked[MOST_SERIES:]
    beside = tuple(map(sum, zip(*(one.beside for one in rest), strict=True))) if all(one.beside for one in rest) else ()
    values = tuple(map(sum, zip(*(one.values for one in rest), strict=True)))
    number = sum(one.stands_for for one in rest)
    return [*shown, Series(f"{OTHER} ({number})", values, beside, number)]


def worded(value: Number, unit: Unit) -> str:
    """A figure of the chart in words, rounded as in lists."""
    if unit is Unit.MONEY:
        return wording.usd(Decimal(value))
    return wording.tokens(int(value)) if unit is Unit.TOKENS else wording.count(int(value))


def _colour(place: int, series: Series) -> str:
    return f"s{place + 1}" if place < MOST_SERIES else "s0"


def _column(
    chart: Chart, series: Sequence[Series], keys: Sequence[Key], at: int, total: Number, y: Callable[[Number], float]
) -> Column:
    bucket, slot = chart.buckets[at], 100 / len(chart.buckets)
    width = slot * BAR_SHARE
    x = slot * at + (slot - width) / 2
    label = axes.bucket_label(chart.buckets[at].start, chart.grain)
    segments: list[Segment] = []
    below: Number = 0
    for one, key in zip(series, keys, strict=True):
        value = one.values[at]
        if value <= 0:
            continue
        foot, head = y(below), y(below + value)
        title = " · ".join((label, one.name, *_figures(chart, value, one.beside[at] if one.beside else None)))
        segments.append(Segment(key.colour, head, foot - head, foot - head, title))
        below = below + value
    # The gap belongs to the lower segment, so that the top of the bar stands exactly at its total.
    drawn = [replace(one, y=one.y + _gap(one), drawn=one.height - _gap(one)) for one in segments[:-1]] + segments[-1:]
    beside = sum(one.beside[at] for one in series) if all(one.beside for one in series) and series else None
    return Column(
        slot_x=slot * at,
        slot_width=slot,
        x=x,
        width=width,
        middle=slot * (at + 0.5),
        top=y(below),
        height=y(0) - y(below),
        segments=tuple(drawn),
        title=" · ".join((label, *_figures(chart, total, beside))),
        incomplete=bucket.incomplete,
        late=bucket.late,
    )


def _gap(segment: Segment) -> float:
    """A pixel, but never more than half of a thin segment."""
    return min(GAP, segment.height / 2)


def _figures(chart: Chart, value: Number, beside: Number | None) -> list[str]:
    """ "$2.91 (2.9077)", "7.4 M tokens"."""
    figures = [_figure(value, chart.unit)]
    if beside is not None and chart.beside_unit is not None:
        figures.append(_figure(beside, chart.beside_unit))
    return figures


def _figure(value: Number, unit: Unit) -> str:
    if unit is not Unit.MONEY:
        return f"{worded(value, unit)} {unit.value}"
    amount = Decimal(value)
    hidden = wording.decimals_needed(amount) > 2
    return f"{wording.usd(amount)} ({wording.plain(amount)})" if hidden else wording.usd(amount)
