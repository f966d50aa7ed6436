"""Words that only the dashboard pages need: `{{ credit.expires_at|ahead:now }}`, `{% chart_notes stack free=n %}`."""

from datetime import datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing import wording
from billing.graphs.series import Stack

register = template.Library()

DAYS_IN_WORDS = 60
"""Beyond it weeks are counted."""
LATE_MARK = SafeString(
    '<svg class="chart-mark" viewBox="0 0 8 6" aria-hidden="true"><path class="chart-late" d="M0 0h8L4 6z"/></svg>'
)


@register.filter
def ahead(at: datetime, now: datetime) -> str:
    """How far off a date is, beside that date: "in 25 days", "in 50 weeks", "" once past."""
    if at <= now:
        return ""
    days = (at - now).days
    if days >= DAYS_IN_WORDS:
        return f"in {days // 7} weeks"
    return {0: "within a day", 1: "in 1 day"}.get(days, f"in {days} days")


@register.simple_tag
def chart_notes(stack: Stack, *, free: int = 0) -> SafeString:
    """What the bars do not say: tokens that came late, with their mark, and tokens that cost nothing."""
    late = SafeString()
    if stack.late:
        late = format_html("{}{}. ", LATE_MARK, stack.late_in_words)
    drew_none = f"{wording.tokens(free)} tokens drew no credit and are not in the bars." if free else ""
    return format_html("{}{}", late, drew_none)
