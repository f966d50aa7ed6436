"""Charts in pages: `{% bars chart name="spend" title="Spend per day, 16 Mar to 14 Apr, USD" %}`.

`chart` is a `billing.graphs.charts.Chart`. The legend stands above with each series' total, the table twin below. What
is written between the tags stands right of the legend: the freshness line.
"""

from django import template
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from billing.graphs import charts
from billing.graphs.axes import Grain, Number, Unit

register = template.Library()

HEADS = {Grain.DAY: "Day (UTC)", Grain.HOUR: "Hour (UTC)", Grain.MINUTE: "Minute (UTC)"}


@register.simple_block_tag
def bars(
    content: str, chart: charts.Chart, *, name: str, title: str, legend: bool = True, notes: str = "", twin: str = ""
) -> SafeString:
    """Stacked bars. `name` is unique on the page; `title` says what, range and unit; `notes` a sentence below.

    `twin` names the table in <details> ("Show the 30 days as a table"); without it the page has its own table.
    """
    return mark_safe(
        render_to_string(
            "charts/bars.html",
            {
                "layout": charts.lay_out(chart),
                "name": name,
                "title": title,
                "legend": legend,
                "beside_legend": content,
                "notes": notes,
                "twin": twin,
                "head": HEADS[chart.grain],
            },
        )
    )


@register.simple_tag
def figure(value: Number, unit: Unit) -> str:
    return charts.worded(value, unit)


@register.simple_tag
def swatch(colour: str) -> SafeString:
    """The colour of a series beside its name in a table; decoration, since the name says it."""
    return format_html('<span class="swatch bg-{}" aria-hidden="true"></span>', colour)
