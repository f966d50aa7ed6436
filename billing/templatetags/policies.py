"""The words of a policy with what is marked in them: `{{ sentence|told:operators }}`."""

import re
from collections.abc import Mapping

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()

MARKED = re.compile(r"(\*\*[^*]+\*\*|\{[a-z_]+\})")


@register.filter
def told(sentence: str, operators: Mapping[str, object]) -> SafeString:
    """`**Billing**` becomes bold, `{billing_email}` a link, `{usage_days}` what the operator set; everything is escaped."""
    return format_html_join("", "{}", ((_drawn(part, operators),) for part in MARKED.split(sentence)))


def _drawn(part: str, operators: Mapping[str, object]) -> str:
    if part.startswith("**"):
        return format_html("<b>{}</b>", part.strip("*"))
    if not MARKED.fullmatch(part):
        return part
    value = operators[part.strip("{}")]
    if part == "{billing_email}":
        return format_html('<a class="link-inline" href="mailto:{}">{}</a>', value, value)
    return str(value)
