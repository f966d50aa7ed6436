"""Lists with cursors, newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from . import errors, shapes
from .books import Obj

PAGING = frozenset({"limit", "starting_after", "ending_before", "expand"})


def page(rows: Iterable[Obj], params: Obj, url: str) -> Obj:
    """One page of `rows`, which come newest first: limit 1-100 (10), a cursor, and a range of `created`."""
    limit = params.get("limit", 10)
    if not 1 <= limit <= 100:
        side = "greater than or equal to 1" if limit < 1 else "less than or equal to 100"
        raise errors.invalid(f"This value must be {side}.", param="limit", code="parameter_invalid_integer")
    if "starting_after" in params and "ending_before" in params:
        raise errors.invalid("You can only specify one of these parameters: starting_after, ending_before.",
                             param="starting_after")  # fmt: skip
    kept = [row for row in rows if _created_within(row, params.get("created"))]
    if "ending_before" in params:
        before = kept[: _place(kept, params, "ending_before")]
        return shapes.listing(url, before[-limit:], len(before) > limit)
    if "starting_after" in params:
        kept = kept[_place(kept, params, "starting_after") + 1 :]
    return shapes.listing(url, kept[:limit], len(kept) > limit)


def _place(rows: list[Obj], params: Obj, cursor: str) -> int:
    for place, row in enumerate(rows):
        if row["id"] == params[cursor]:
            return place
    raise errors.invalid(f"No such object: '{params[cursor]}'", param=cursor, code="resource_missing")


def _created_within(row: Obj, wanted: Any) -> bool:
    if wanted is None:
        return True
    created = row["created"]
    if isinstance(wanted, int):
        return bool(created == wanted)
    tests: dict[str, Callable[[int, int], bool]] = {
        "gt": lambda a, b: a > b,
        "gte": lambda a, b: a >= b,
        "lt": lambda a, b: a < b,
        "lte": lambda a, b: a <= b,
    }
    return all(tests[name](created, bound) for name, bound in wanted.items())
