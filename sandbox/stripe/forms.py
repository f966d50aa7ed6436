"""Form bodies as Stripe reads them: `a[b][0]=c` becomes nested dictionaries, still all strings."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from . import errors

KEY = re.compile(r"\A([^\[\]]+)((?:\[[^\[\]]*\])*)\Z")
PART = re.compile(r"\[([^\[\]]*)\]")
MAX_DEPTH = 8


def parse(text: str) -> dict[str, Any]:
    """Nested dictionaries of strings. Lists stay dictionaries keyed by position until the types say that they are lists."""
    tree: dict[str, Any] = {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict")
    except ValueError as error:
        raise errors.invalid(f"Invalid request body: {error}") from error
    for key, value in pairs:
        _place(tree, key, value)
    return tree


def _place(tree: dict[str, Any], key: str, value: str) -> None:
    match = KEY.match(key)
    if match is None:
        raise errors.invalid(f"Invalid parameter name: {key}", param=key)
    path = [match[1], *PART.findall(match[2])]
    if len(path) > MAX_DEPTH:
        raise errors.invalid("Parameters are nested too deeply.", param=key)
    here = tree
    for part in path[:-1]:
        below = here.setdefault(part if part else str(len(here)), {})
        if not isinstance(below, dict):
            raise errors.invalid(f"Invalid parameter: {key} is given both as a value and as an object.", param=key)
        here = below
    last = path[-1] if path[-1] else str(len(here))
    if last in here:
        raise errors.invalid(f"Parameter given twice: {key}", param=key)
    here[last] = value


def as_list(tree: dict[str, Any]) -> list[Any] | None:
    """The values by position when every key is a position 0..n-1, else None."""
    if not all(key.isascii() and key.isdigit() for key in tree):
        return None
    ordered = sorted(tree.items(), key=lambda item: int(item[0]))
    if [int(key) for key, _ in ordered] != list(range(len(ordered))):
        return None
    return [value for _, value in ordered]
