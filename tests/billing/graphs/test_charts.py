"""Charts as geometry: what is drawn is what was counted, wherever it stands on the page."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from django.template import Context, Template
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.graphs import axes, charts
from billing.graphs.axes import Grain, Unit
from billing.graphs.charts import Bucket, Chart, Series

NBSP = "\u00a0"
START = datetime(2026, 3, 16, tzinfo=UTC)
STEP = {Grain.MINUTE: timedelta(minutes=1), Grain.HOUR: timedelta(hours=1), Grain.DAY: timedelta(days=1)}
NEARLY = 1e-6


def chart(*series: Series, grain: Grain = Grain.DAY, unit: Unit = Unit.MONEY, **more: object) -> Chart:
    number = len(series[0].values) if series else 0
    buckets = tuple(Bucket(START + STEP[grain] * at) for at in range(number))
    return Chart(**{"buckets": buckets, "series": series, "unit": unit, "grain": grain, **more})  # type: ignore[arg-type]


def money(*figures: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(figure) for figure in figures)


@st.composite
def any_chart(draw: st.DrawFn) -> Chart:
    unit = draw(st.sampled_from(Unit))
    number = draw(st.integers(1, 40))
    amount = st.decimals(min_value=0, max_value=10**7, places=12) if unit is Unit.MONEY else st.integers(0, 10**12)
    names = draw(st.lists(st.text("abcdef-", min_size=1, max_size=8), min_size=1, max_size=9, unique=True))
    series = tuple(Series(name, tuple(draw(st.lists(amount, min_size=number, max_size=number)))) for name in names)
    return chart(*series, unit=unit, grain=draw(st.sampled_from(Grain)))


class TestBars:
    @settings(max_examples=40, deadline=None)
    @given(any_chart())
    def test_segments_stack_exactly_to_the_total(self, given_chart: Chart) -> None:
        layout = charts.lay_out(given_chart)
        for at, column in enumerate(layout.columns):
            total = sum(series.values[at] for series in given_chart.series)
            share = float(total / (axes.ticks(_most(given_chart), given_chart.unit)[-1] or 1))
            assert sum(segment.height for segment in column.segments) == pytest.approx(column.height, abs=NEARLY)
            assert column.height == pytest.approx(share * layout.plot_height, abs=NEARLY)
            assert column.top == pytest.approx(layout.base - column.height, abs=NEARLY)

    @settings(max_examples=40, deadline=None)
    @given(any_chart())
    def test_nothing_leaves_the_plot_and_no_segment_covers_another(self, given_chart: Chart) -> None:
        layout = charts.lay_out(given_chart)
        assert layout.top <= layout.base <= layout.height
        right = 0.0
        for column in layout.columns:
            assert column.x >= right - NEARLY
            right = column.x + column.width
            assert right <= 100 + NEARLY
            foot = layout.base
            for segment in column.segments:
                assert segment.y + segment.drawn == pytest.approx(foot, abs=NEARLY) or segment.y + segment.drawn <= foot
                assert 0 <= segment.drawn <= segment.height
                assert segment.y >= layout.top - NEARLY
                foot = segment.y
        assert all(0 <= label.x <= 100 for label in layout.labels)

    @settings(max_examples=40, deadline=None)
    @given(any_chart())
    def test_the_table_twin_says_every_figure(self, given_chart: Chart) -> None:
        layout = charts.lay_out(given_chart)
        assert layout.total == sum(series.total for series in given_chart.series)
        assert sum(key.total for key in layout.keys) == layout.total
        assert [row.total for row in layout.rows] == [
            sum(series.values[at] for series in given_chart.series) for at in range(len(given_chart.buckets))
        ]
        assert all(sum(row.values) == row.total for row in layout.rows)

    def test_a_gap_of_a_pixel_parts_thick_segments_and_half_of_thin_ones(self) -> None:
        layout = charts.lay_out(
            chart(Series("a", money("10")), Series("b", money("0.01")), Series("c", money("0.001")))
        )
        thick, thin, last = layout.columns[0].segments
        assert thick.height - thick.drawn == pytest.approx(1)
        assert thin.drawn == pytest.approx(thin.height / 2)
        assert last.drawn == last.height

    def test_nothing_used_is_an_empty_plot_with_its_foot(self) -> None:
        layout = charts.lay_out(chart(Series("a", money("0", "0"))))
        assert [tick.label for tick in layout.ticks] == ["$0"]
        assert all(column.segments == () and column.height == 0 for column in layout.columns)

    def test_no_bucket_at_all(self) -> None:
        layout = charts.lay_out(chart())
        assert layout.columns == layout.labels == layout.keys == ()

    def test_a_negative_figure_is_drawn_as_nothing_and_said_as_it_is(self) -> None:
        layout = charts.lay_out(chart(Series("a", money("5")), Series("b", money("-1"))))
        assert [segment.colour for segment in layout.columns[0].segments] == ["s1"]
        assert layout.rows[0].values == money("5", "-1")
        assert layout.columns[0].title.endswith("$4.00")

    def test_values_and_buckets_must_match(self) -> None:
        with pytest.raises(ValueError, match="another number of values"):
            chart(Series("a", money("1", "2")), Series("b", money("1")))

    def test_titles_say_the_exact_figure_and_the_one_beside_it(self) -> None:
        spent = Series("gpt-oss-120b", money("2.9077"), (7_400_000,))
        layout = charts.lay_out(chart(spent, beside_unit=Unit.TOKENS))
        assert layout.columns[0].segments[0].title == (
            f"16{NBSP}Mar · gpt-oss-120b · $2.91 (2.9077) · 7.40{NBSP}M tokens"
        )
        assert layout.columns[0].title == f"16{NBSP}Mar · $2.91 (2.9077) · 7.40{NBSP}M tokens"


class TestSeries:
    def test_the_largest_share_comes_first_and_ties_go_by_name(self) -> None:
        series = [Series("b", money("1")), Series("c", money("9")), Series("a", money("1"))]
        assert [one.name for one in charts.arrange(series)] == ["c", "a", "b"]

    def test_the_seventh_and_later_become_other(self) -> None:
        series = [Series(name, money(str(10 - at), "1"), (at, 1)) for at, name in enumerate("abcdefgh")]
        arranged = charts.arrange(series)
        assert [one.name for one in arranged] == [*"abcdef", "Other (2)"]
        assert arranged[-1].values == money("7", "2")
        assert arranged[-1].beside == (13, 2)
        keys = charts.lay_out(chart(*series)).keys
        assert [key.colour for key in keys] == ["s1", "s2", "s3", "s4", "s5", "s6", "s0"]

    def test_an_open_page_keeps_its_colours(self) -> None:
        series = [Series("a", money("1")), Series("b", money("9"))]
        assert [one.name for one in charts.arrange(series, order=("a", "b"))] == ["a", "b"]
        assert [one.name for one in charts.arrange([*series, Series("new", money("99"))], order=("a", "b"))] == [
            "a",
            "b",
            "new",
        ]


class TestTicks:
    @given(st.decimals(min_value=Decimal("1e-12"), max_value=10**9, places=12))
    def test_three_or_four_round_ticks_cover_the_largest_bar(self, most: Decimal) -> None:
        steps = axes.ticks(most, Unit.MONEY)
        assert 3 <= len(steps) <= 4
        assert steps[0] == 0
        assert steps[-1] >= most
        assert most > steps[-1] / 3, "no more than two thirds of the plot stay empty"
        step = steps[1]
        assert all(higher - lower == step for lower, higher in itertools.pairwise(steps))
        assert step.normalize().as_tuple().digits in {(1,), (2,), (2, 5), (5,)}

    @given(st.integers(1, 10**13))
    def test_tokens_are_never_split(self, most: int) -> None:
        steps = axes.ticks(most, Unit.TOKENS)
        assert steps[-1] >= most
        assert all(step == int(step) for step in steps)
        assert len(steps) <= 4

    @pytest.mark.parametrize(
        ("most", "unit", "labels"),
        [
            ("13.1", Unit.MONEY, ["$0", "$5", "$10", "$15"]),
            ("0.447", Unit.MONEY, ["$0", "$0.25", "$0.50"]),
            ("2400", Unit.MONEY, ["$0", "$1,000", "$2,000", "$3,000"]),
            ("0.0013", Unit.MONEY, ["$0", "$0.0005", "$0.0010", "$0.0015"]),
            ("6980000", Unit.TOKENS, ["0", f"2.5{NBSP}M", f"5{NBSP}M", f"7.5{NBSP}M"]),
            ("1", Unit.REQUESTS, ["0", "1"]),
        ],
    )
    def test_labels(self, most: str, unit: Unit, labels: list[str]) -> None:
        steps = axes.ticks(Decimal(most), unit)
        assert [axes.tick_label(step, unit, steps) for step in steps] == labels


class TestLabels:
    def test_days_are_counted_back_from_the_last_which_ends_the_plot(self) -> None:
        labels = axes.labels([START + timedelta(days=at) for at in range(30)], Grain.DAY)
        assert [label.text.replace(NBSP, " ") for label in labels] == [
            "20 Mar",
            "25 Mar",
            "30 Mar",
            "4 Apr",
            "9 Apr",
            "14 Apr",
        ]
        assert (labels[-1].x, labels[-1].anchor) == (100, "end")
        assert [label.text.replace(NBSP, " ") for label in labels if not label.wide_only] == [
            "25 Mar",
            "4 Apr",
            "14 Apr",
        ]

    def test_hours_stand_on_round_hours_and_midnight_is_a_date(self) -> None:
        labels = axes.labels([START + timedelta(hours=at) for at in range(48)], Grain.HOUR)
        assert [label.text.replace(NBSP, " ") for label in labels] == [
            "16 Mar",
            "06:00",
            "12:00",
            "18:00",
            "17 Mar",
            "06:00",
            "12:00",
            "18:00",
        ]
        assert [label.text.replace(NBSP, " ") for label in labels if not label.wide_only] == [
            "16 Mar",
            "12:00",
            "17 Mar",
            "12:00",
        ]

    @given(st.sampled_from(Grain), st.integers(1, 800), st.integers(0, 10_000))
    def test_there_are_never_too_many(self, grain: Grain, number: int, later: int) -> None:
        starts = [
            START + timedelta(hours=later) + STEP[grain] * at
            for at in range(min(number, 60 if grain == "minute" else 800))
        ]
        labels = axes.labels(starts, grain)
        assert len(labels) <= 14
        assert sum(not label.wide_only for label in labels) <= 8


class TestDrawing:
    TAGS = (
        '{% load charts %}{% bars chart name="spend" title="Spend per day, USD" twin="Show the days as a table" %}'
        "{% endbars %}"
    )

    def drawn(self, given_chart: Chart) -> str:
        return Template(self.TAGS).render(Context({"chart": given_chart}))

    def test_it_is_well_formed_named_and_without_inline_style(self) -> None:
        page = self.drawn(chart(Series("<b>", money("1", "2")), Series("b&c", money("3", "4"))))
        assert "style=" not in page
        assert "viewBox" not in page
        root = ElementTree.fromstring(page)
        image = root.find(".//*[@role='img']")
        assert image is not None
        assert image.find("title").text == "Spend per day, USD"  # type: ignore[union-attr]
        assert image.get("aria-labelledby") == "spend-title"
        assert len(image.findall(".//rect[@class='fill-s1']")) == 2

    def test_the_growing_day_is_hatched_and_late_usage_marked(self) -> None:
        one = chart(Series("a", money("1", "2", "3")))
        late, plain, growing = one.buckets
        page = self.drawn(
            Chart(
                buckets=(Bucket(late.start, late=True), plain, Bucket(growing.start, incomplete=True)),
                series=one.series,
                unit=one.unit,
                grain=one.grain,
            )
        )
        assert page.count("chart-late") == 1
        assert page.count('fill="url(#spend-hatch)"') == 1
        assert "Hatched: today so far" in page

    def test_the_table_has_every_bucket_newest_first(self) -> None:
        page = self.drawn(chart(Series("a", money("1", "2.5")), Series("b", money("0.25", "0"))))
        cells = [cell.text for cell in ElementTree.fromstring(page).iter("td")]
        assert cells == ["$2.50", "$0.00", "$2.50", "$1.00", "$0.25", "$1.25", "$3.50", "$0.25", "$3.75"]


def _most(given_chart: Chart) -> Decimal:
    return max(
        Decimal(sum(max(series.values[at], 0) for series in given_chart.series))
        for at in range(len(given_chart.buckets))
    )
