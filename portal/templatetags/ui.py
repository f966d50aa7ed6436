"""The parts of pages that are more than a class name (templates/components/README.md shows each call)."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from functools import cache

import structlog
from django import template
from django.conf import settings
from django.forms import BaseForm, BoundField, CheckboxInput, RadioSelect
from django.forms.widgets import CheckboxSelectMultiple
from django.template import Context
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from portal import navigation, theme

register = template.Library()

# --- The page ------------------------------------------------------------------------------------------------------


@cache
def _drawing(name: str) -> str:
    """The committed SVG of an icon: ours, so safe; an unknown name is a mistake of the template's author."""
    return (settings.BASE_DIR / "templates" / "icons" / f"{name}.svg").read_text().strip()


@register.simple_tag
def icon(name: str) -> SafeString:
    return mark_safe(_drawing(name))


@register.simple_tag
def brand_name() -> str:
    """Also where no context processor runs: the page for a broken server."""
    return str(settings.BRAND["name"])


@register.simple_tag
def support_channels() -> Mapping[str, str]:
    return settings.SUPPORT


@register.simple_tag
def request_id() -> str:
    """What people quote and staff find in the log."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


@register.simple_tag(takes_context=True)
def data_theme(context: Context) -> SafeString:
    """`data-theme="…"` for <html>, or nothing where the system decides."""
    name = theme.THEMES[theme.chosen(context.get("request"))]
    return format_html(' data-theme="{}"', name) if name else SafeString()


@register.simple_tag(takes_context=True)
def chosen_theme(context: Context) -> str:
    return theme.chosen(context.get("request"))


@register.simple_tag(takes_context=True)
def sidebar(context: Context) -> list[navigation.LinkGroup]:
    request = context["request"]
    return navigation.sidebar(request.membership.organization.slug, request.path)


@register.simple_tag(takes_context=True)
def bottom_bar(context: Context) -> list[navigation.Link]:
    request = context["request"]
    return navigation.bottom_bar(request.membership.organization.slug, request.path)


# --- Parts ---------------------------------------------------------------------------------------------------------

SHAPES = {
    "ok": '<circle cx="4" cy="4" r="4"/>',
    "waiting": '<circle cx="4" cy="4" r="3"/>',
    "warning": '<path d="M4 0 8.5 8h-9z"/>',
    "failed": '<path d="m1 1 6 6M7 1 1 7"/>',
    "ended": '<path d="M0 4h8"/>',
}


@register.simple_tag
def status(shape: str, word: str) -> SafeString:
    """A shape and a word: ok, waiting, warning, failed or ended."""
    drawing = format_html(
        '<svg class="status-shape" viewBox="0 0 8 8" aria-hidden="true">{}</svg>', mark_safe(SHAPES[shape])
    )
    return format_html('<span class="status status-{}">{}{}</span>', shape, drawing, word)


@register.simple_tag
def meter(value: Decimal | int, most: Decimal | int, *, label: str = "", kind: str = "") -> SafeString:
    """A share of a limit, 6 px. Kind: "" (a warning at the limit), "time" or "share". Without label it is decoration."""
    share = min(max(Decimal(value) / Decimal(most), Decimal(0)), Decimal(1)) if most > 0 else Decimal(0)
    kind = kind or ("warning" if most > 0 and value >= most else "use")
    width = (share * 100).quantize(Decimal("0.01"), ROUND_HALF_UP)
    name = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    return format_html(
        '<svg class="meter meter-{}" {} width="100%" height="6">'
        '<rect class="meter-track" width="100%" height="6" rx="3"/>'
        '<rect class="meter-fill" width="{}%" height="6" rx="{}"/></svg>',
        kind,
        name,
        width,
        "0" if kind == "share" else "3",
    )


ICONS_OF_NOTICES = {"tint": "calendar-clock", "warning": "triangle-alert", "error": "circle-alert", "plain": "info"}


@register.simple_block_tag
def notice(content: str, kind: str = "plain", *, icon: str = "", role: str = "") -> SafeString:
    """tint: scheduled or new; warning: will go wrong unless you act; error: went wrong; plain: context."""
    return mark_safe(
        render_to_string(
            "components/notice.html",
            {"kind": kind, "icon_name": icon or ICONS_OF_NOTICES[kind], "content": content, "role": role},
        )
    )


@register.simple_block_tag
def notice_action(content: str) -> SafeString:
    return format_html('<div class="notice-action">{}</div>', content)


# --- Forms ---------------------------------------------------------------------------------------------------------

CLASSES = ((CheckboxSelectMultiple, "checkbox"), (RadioSelect, "radio"), (CheckboxInput, "checkbox"))


@register.simple_tag
def field(bound: BoundField, *, prefix: str = "", label: str = "") -> SafeString:
    """Label, control, hint and error. `prefix` stands inside the control: "$"."""
    return mark_safe(render_to_string("django/forms/field.html", {"field": bound, "prefix": prefix, "label": label}))


@register.simple_tag
def control(bound: BoundField) -> SafeString:
    """The control alone, with the classes of its kind. A placeholder that only repeats the label is left out."""
    widget = bound.field.widget
    kind = next((name for widgets, name in CLASSES if isinstance(widget, widgets)), "input")
    given = widget.attrs.get("class", "")
    attrs: dict[str, str | bool] = {"class": f"{kind} {given}".strip()}
    if str(widget.attrs.get("placeholder", "")).lower().startswith(str(bound.label).lower()):
        attrs["placeholder"] = False
    return bound.as_widget(attrs=attrs)


@register.filter
def control_kind(bound: BoundField) -> str:
    """How a field is laid out: "box" (label beside), "choices", "hidden" or "line"."""
    widget = bound.field.widget
    if bound.is_hidden:
        return "hidden"
    if isinstance(widget, RadioSelect | CheckboxSelectMultiple):
        return "choices"
    if isinstance(widget, CheckboxInput):
        return "box"
    return "line"


@register.filter
def control_prefix(bound: BoundField) -> str:
    """What the widget says stands inside it: `attrs={"data-prefix": "$"}`."""
    return str(bound.field.widget.attrs.get("data-prefix", ""))


@register.filter
def many_errors(form: BaseForm) -> bool:
    """More than one field is wrong, so a summary on top helps."""
    return len(form.errors) > 1
