"""The words after the question mark: read strictly. What a page does not know is 404, never a guess."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import TypeVar

from django.http import Http404, HttpRequest

from billing.graphs import credits, movements
from billing.ledger.models import Account, Transfer

E = TypeVar("E", bound=StrEnum)

MOST_OPEN = 40
"""Days that may be open at once: more than a page holds."""


def choice(request: HttpRequest, name: str, default: E) -> E:
    """One of the words of an enumeration."""
    given = request.GET.get(name)
    if given is None:
        return default
    try:
        return type(default)(given)
    except ValueError as error:
        raise _unknown(name) from error


def flag(request: HttpRequest, name: str) -> bool:
    """Present as "1", or absent."""
    given = request.GET.get(name)
    if given not in (None, "1"):
        raise _unknown(name)
    return given == "1"


def days(request: HttpRequest, name: str) -> set[date]:
    """Any number of dates, each written 2026-04-14."""
    given = request.GET.getlist(name)
    if len(given) > MOST_OPEN or not all(re.fullmatch(r"\d{4}-\d\d-\d\d", one, re.ASCII) for one in given):
        raise _unknown(name)
    try:
        return {date.fromisoformat(one) for one in given}
    except ValueError as error:
        raise _unknown(name) from error


def ids(request: HttpRequest, name: str, most: int) -> list[int]:
    """Numbers separated by commas."""
    given = request.GET.get(name)
    if given is None:
        return []
    if not re.fullmatch(r"\d{1,18}(,\d{1,18})*", given, re.ASCII) or given.count(",") >= most:
        raise _unknown(name)
    return [int(one) for one in given.split(",")]


def digest(request: HttpRequest, name: str) -> str:
    given = request.GET.get(name, "")
    if given and not re.fullmatch(r"[0-9a-f]{16}", given):
        raise _unknown(name)
    return given


def line(request: HttpRequest, name: str, org_id: int) -> Transfer | None:
    """A line of this organization's ledger by its name, "2026-04.17"."""
    given = request.GET.get(name)
    if given is None:
        return None
    found = movements.named(org_id, given)
    if found is None:
        raise _unknown(name)
    return found


def past_grant(request: HttpRequest, name: str, org_id: int) -> Account | None:
    """A used or expired grant of this organization, by its number."""
    given = request.GET.get(name)
    if given is None:
        return None
    found = credits.past_named(org_id, given)
    if found is None:
        raise _unknown(name)
    return found


def link(
    request: HttpRequest,
    changes: Mapping[str, str | list[str]] | None = None,
    *,
    anchor: str = "",
    without: Sequence[str] = (),
) -> str:
    """This page's address with some words changed; an empty one is left out."""
    words = request.GET.copy()
    for name in without:
        words.pop(name, None)
    for name, value in (changes or {}).items():
        words.setlist(name, [value] if value and isinstance(value, str) else list(value))
    asked = words.urlencode()
    return request.path + (f"?{asked}" if asked else "") + (f"#{anchor}" if anchor else "")


def _unknown(name: str) -> Http404:
    return Http404(f"This page does not know that value of “{name}”.")
