"""Bodies that no door may fall for. Each is (name, bytes, headers)."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

Case = tuple[str, bytes, dict[str, str]]

WRONG_NUMBERS = [
    "-1", "-0.0", "1.0", "1.9", "1e2", "1E+2", "1e30", "1e400", "-1e400", "NaN", "Infinity", "-Infinity", "true", "false",
    "null", '"1"', '""', "[]", "[1]", "{}", "9223372036854775807", "9223372036854775808", "18446744073709551616",
    "9" * 5_000, "100000001", "01", "+1", "0x10", "1_000", ".5", "5.",
]  # fmt: skip
WRONG_TEXTS = [
    "1", "true", "null", "[]", "{}", '""', '"\\ud800"', '"\\udfff\\ud800"', '"\\u0000"', '"a\\u0000b"', '"\\x41"', '"\x01"',
    '"' + "x" * 100_000 + '"', '"\\ud83d\\ude00"', "'single'", '"unclosed',
]  # fmt: skip
WRONG_TIMES = [
    '"yesterday"', '"2026-03-10"', '"2026-03-10T12:00:00"', '"2026-02-30T12:00:00Z"', '"2026-03-10T25:00:00Z"',
    '"2026-03-10T12:00:60Z"', '"2026-03-10T12:00:00+99:00"', '"0000-01-01T00:00:00Z"', '"0001-01-01T00:00:00+14:00"',
    '"9999-12-31T23:59:59-14:00"', '"99999-01-01T00:00:00Z"', "1773144000", "1773144000.5", "true", "null", "[]", '""',
]  # fmt: skip
NOT_JSON = [
    b"", b" ", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf{}", b"{", b"}", b"[", b"{]", b"nul", b"NaN", b"'a'", b"{'a': 1}",
    b"{} {}", b'{"a": 1,}', b'{"a"}', b'{"a": undefined}', b"// c\n{}", b"\xc3\x28", b'"\xed\xa0\x80"', b"--1", b"events=[]",
]  # fmt: skip
WRONG_SHAPES = [b"null", b"true", b"1", b'"text"', b"[]", b"[{}]", b"{}", b'{"unknown": 1}', b'{"\\ud800": 1}']


def documents() -> Iterator[Case]:
    """Bodies that are not one plain JSON object."""
    for raw in (*NOT_JSON, *WRONG_SHAPES):
        yield f"body {raw[:20]!r}", raw, {}
    for depth in (20, 500, 100_000):
        yield f"{depth} arrays", b"[" * depth + b"]" * depth, {}
        yield f"{depth} objects", b'{"a":' * depth + b"1" + b"}" * depth, {}
        yield f"{depth} open arrays", b"[" * depth, {}
    yield "6 MB", b'{"events": "' + b"x" * 6_000_000 + b'"}', {}
    zipped = {"Content-Encoding": "gzip"}
    whole = gzip.compress(b'{"events": []}')
    yield "not gzip", b'{"events": []}', zipped
    yield "half of a gzip", whole[: len(whole) // 2], zipped
    yield "gzip with a wrong sum", whole[:-8] + b"\0" * 8, zipped
    yield "gzip with a tail", whole + b"tail", zipped
    yield "gzip of nothing", gzip.compress(b""), zipped
    yield "a gzip bomb", gzip.compress(b"[" * 60_000_000), zipped


def with_field(good: dict[str, Any], name: str, value: str) -> str:
    """The object as JSON with one field's value replaced by this text, whatever it is."""
    mark = "@@here@@"
    return json.dumps(good | {name: mark}).replace(json.dumps(mark), value)


def fields(
    good: dict[str, Any], *, numbers: tuple[str, ...], texts: tuple[str, ...], times: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """(name, JSON text) of the object with each field wrong in each way, missing, doubled, or beside an unknown one."""
    for kinds, values in ((numbers, WRONG_NUMBERS), (texts, WRONG_TEXTS), (times, WRONG_TIMES)):
        for name in kinds:
            for value in values:
                yield f"{name}={value[:24]}", with_field(good, name, value)
    text = json.dumps(good)
    for name, value in good.items():
        yield f"no {name}", json.dumps({other: kept for other, kept in good.items() if other != name})
        again = json.dumps(value)
        yield f"{name} twice", f"{text[:-1]}, {json.dumps(name)}: {again}}}"
        yield f"{name} twice, spelt apart", f'{text[:-1]}, "\\u{ord(name[0]):04x}{name[1:]}": {again}}}'
    yield "an unknown field", json.dumps(good | {"cost": 1})
