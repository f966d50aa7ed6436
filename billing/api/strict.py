"""JSON as strict as money needs it: nothing doubled, nothing invented, nothing coerced.

`msgspec` refuses wrong types, NaN and broken text by itself. It takes the last of two equal keys, though, and leaves raw
parts unread, so `read` looks at the whole document once more and refuses what two readers could read differently.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

DEEPEST = 16
"""How deep objects and arrays may lie in one another: no door needs more than four."""

T = TypeVar("T")


class Unreadable(ValueError):
    """A body that is not one plain JSON document, or not the one that was asked for. `at` is the place: "$.events[3].id"."""

    def __init__(self, detail: str, at: str | None = None) -> None:
        super().__init__(detail)
        self.detail, self.at = detail, at


def decode(raw: bytes, kind: type[T]) -> T:
    """The body as `kind`, or `Unreadable` with the place of the first fault."""
    read(raw)
    return typed(raw, kind)


def typed(raw: bytes | msgspec.Raw, kind: type[T]) -> T:
    """Types and ranges alone: enough for a document that `read` has seen."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as wrong:
        raise Unreadable(*_told(wrong)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        raise _malformed(broken) from None


def read(raw: bytes) -> Any:
    """The whole document as plain values, or `Unreadable`: doubled keys, NaN, lone surrogates, too deep, not UTF-8."""
    try:
        document = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_number,
        )
    except (ValueError, RecursionError) as broken:
        raise _malformed(broken) from None
    _walk(document, "$", 0)
    return document


class Digits(str):
    """A number that no Python number holds faithfully, as it was written."""


@dataclass
class _Doubled:
    """Stands where an object with two equal keys was read, until its place is known."""

    key: str


def _object(pairs: list[tuple[str, Any]]) -> Any:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    for key, value in pairs:
        if isinstance(value, _Doubled):
            return found | {key: value}
        if key in seen:
            return _Doubled(key)
        seen.add(key)
    raise AssertionError("unreachable: some key is doubled")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _integer(digits: str) -> int | Digits:
    return int(digits) if len(digits) <= 40 else Digits(digits)


def _number(digits: str) -> float | Digits:
    number = float(digits)
    return number if number - number == 0 else Digits(digits)  # infinity less itself is not zero


def _walk(value: Any, at: str, depth: int) -> None:
    if isinstance(value, _Doubled):
        raise Unreadable(f"the key {_short(value.key)} is there twice", f"{at}.{_short(value.key)}")
    if isinstance(value, str):
        _whole_text(value, at)
        return
    if not isinstance(value, dict | list):
        return
    if depth >= DEEPEST:
        raise Unreadable(f"nested deeper than {DEEPEST}", at)
    if isinstance(value, dict):
        for key, inner in value.items():
            _whole_text(key, at)
            _walk(inner, f"{at}.{_short(key)}", depth + 1)
    else:
        for place, inner in enumerate(value):
            _walk(inner, f"{at}[{place}]", depth + 1)


def _whole_text(text: str, at: str) -> None:
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise Unreadable("half of a surrogate pair is not a character", at.encode("utf-8", "replace").decode())


def _short(key: str) -> str:
    return key[:40].encode("ascii", "backslashreplace").decode()


def _malformed(broken: Exception) -> Unreadable:
    match broken:
        case RecursionError():
            return Unreadable(f"nested deeper than {DEEPEST}")
        case UnicodeDecodeError():
            return Unreadable("the body is not UTF-8", f"byte {broken.start}")
        case json.JSONDecodeError():
            return Unreadable(f"this is not JSON: {broken.msg}", f"character {broken.pos}")
    return Unreadable(f"this is not JSON: {broken}")


def _told(wrong: msgspec.ValidationError) -> tuple[str, str]:
    """`msgspec` says "Expected `int`, got `float` - at `$.events[0].n`": the detail and the place apart."""
    detail, _, at = str(wrong).rpartition(" - at ")
    if not detail:
        return str(wrong).replace("`", ""), "$"
    place = re.sub(r"[^ -~]", "?", at.strip("`"))[:200]
    return detail.replace("`", ""), place
