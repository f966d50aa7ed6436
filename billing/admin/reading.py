"""Pages of the admin that only show."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, TypeVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe

M = TypeVar("M", bound=Model)


class ReadOnly(admin.ModelAdmin[M]):
    """Rows that staff look at: nothing is added, changed or deleted here. Large tables are paged without a full count."""

    show_full_result_count = False
    list_per_page = 50
    actions: Any = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False


def exact(amount: Decimal | None) -> str:
    """An amount with every digit it has, two at least: `$6.5054129`."""
    if amount is None:
        return ""
    whole, _, digits = f"{abs(amount):.12f}".rstrip("0").partition(".")
    return f"{'−' if amount < 0 else ''}${int(whole):,}.{digits:0<2}"


def lines(told: Iterable[str]) -> str:
    """Each on a line of its own."""
    return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in told))
