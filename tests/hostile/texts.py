"""Texts and bodies that no form may misread. What a body says is found here a second time, strictly, without Django."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote_plus

NUMBERS = (
    "1e3", "1E3", "1e-3", "1e400", "NaN", "nan", "sNaN", "Infinity", "-Infinity", "inf", "0x10", "0b11", "0o17", "１２",
    "１００.００", "١٢", "१२", "-0", "-1", "-0.01", "+5", "5.", ".5", "05", "00", "0.00", "5,00", "5.000", "5.001", "1,000",
    "1_000", "1 000", "5 0", "$5", "5$", "USD 5", "5e0", "9" * 30, "9223372036854775808", "2147483648", "-2147483649",
    "½", "²", "Ⅷ", "٫5", "5٫00", "5..0", "5.0.0", "--5", "5-", "(5)", "=5", "5%", "5/1", "'5'", '"5"', "`5`", "5;6", "5|6",
    "10000.01", "10000", "4.99", "12.345678901234567890", "0." + "0" * 50 + "1",
)  # fmt: skip
WORDS = (
    "", " ", "\u3000", "\xa0", "\x00", "a\x00b", "\x01", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u202eevil", "\u200b",
    "\ufeff5", "\ufffe", "\uffff", "\U0001f600", "e\u0301", "é", "ß", "İ", "ﬁ", "Å", "A" * 5_000, "é" * 3_000, "x" * 100_000,
    "<script>alert(1)</script>", "{{7*7}}", "{% csrf_token %}", "${7*7}", "' OR 1=1 --", '"; DROP TABLE api_key; --',
    "../../etc/passwd", "..\\..\\", "%00", "%0a", "%s%s%n", "a\r\nSet-Cookie: b=c", "a\nb", "a\tb", "a  b", " padded ",
    "javascript:alert(1)", "//evil.example", "https://evil.example/", "true", "false", "None", "null", "undefined", "[]",
    "{}", "[5]", '{"a": 1}', "on", "owner", "OWNER", "owner ", "root", "viewer", "alice@example.com", "a@b",
    '"a b"@example.com', "a@exa mple.com", "a@example.com\nBcc: b@example.com", "ａ@example.com",
)  # fmt: skip
DATES = (
    "2026-02-30", "2026-13-01", "0000-00-00", "9999-12-31", "10000-01-01", "2030-1-1", "30-01-01", "2030-01-01T00:00:00Z",
    "01/02/2030", "2030/01/02", "Jan 2 2030", "2 January 2030", "２０３０-０１-０１", "1900-01-01", "1776000000", "tomorrow",
    "2030-01-01 ", "2030-01-01-", "-2030-01-01", "2030-W01-1", "2030-001",
)  # fmt: skip
NAMES = (
    "00000000-0000-0000-0000-000000000000", "{0196340c-8b1e-7c3a-9f00-5a1b2c3d4e5f}", "0196340C8B1E7C3A9F005A1B2C3D4E5F",
    "urn:uuid:0196340c-8b1e-7c3a-9f00-5a1b2c3d4e5f", "0196340c-8b1e-7c3a-9f00-5a1b2c3d4e5", "g" * 32, "１" * 32,
)  # fmt: skip
TEXTS = (*NUMBERS, *WORDS, *DATES, *NAMES)
RAW = (b"%ff", b"%c3%28", b"%ed%a0%80", b"%", b"%zz", b"%u0031", b"\xff\xfe", b"\xc3\x28", b"a%ffb", b"%fe%ff")
"""What stands in a body as it is: no text in UTF-8, or not rightly written."""

FORM, JSON, PLAIN = "application/x-www-form-urlencoded", "application/json", "text/plain"
Fields = Mapping[str, str]


@dataclass(frozen=True)
class Input:
    """A body and its type. `says`: what a strict reader reads in it; None where no two readers need agree."""

    name: str
    body: bytes
    says: dict[str, str] | None
    kind: str = FORM


def written(fields: Fields) -> bytes:
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in fields.items()).encode()


def inputs(good: dict[str, str], fields: tuple[str, ...]) -> Iterator[Input]:
    """Hostile bodies for a form that takes `good`: each of `fields` in each way wrong, then the body itself."""
    for field in fields:
        for text in TEXTS:
            yield Input(f"{field}={text[:24]!r}", written({**good, field: text}), {**good, field: text})
        rest = {name: value for name, value in good.items() if name != field}
        for raw in RAW:
            yield Input(f"{field}={raw!r}", written(rest) + b"&" * bool(rest) + field.encode() + b"=" + raw, None)
        yield Input(f"no {field}", written(rest), rest)
        yield Input(f"{field} twice", written(good) + f"&{field}=other".encode(), None)
        yield Input(f"{field} first", f"{field}=other&".encode() + written(good), None)
        yield Input(f"{field} twice alike", written(good) + b"&" + written({field: good.get(field, "")}), None)
        yield Input(f"{field}[]", written({**rest, f"{field}[]": good.get(field, "")}), rest)
        yield Input(f"{field}[0]", written({**rest, f"{field}[0]": good.get(field, "")}), rest)
        yield Input(f"{field} in capitals", written({**rest, field.upper(): good.get(field, "")}), rest)
    yield from bodies(good)


def bodies(good: dict[str, str]) -> Iterator[Input]:
    """The form as a whole, in ways a browser would never send it."""
    whole = written(good)
    yield Input("nothing", b"", {})
    yield Input("only signs", b"&&&&=&=;&", {})
    yield Input("names without values", b"&".join(name.encode() for name in good), dict.fromkeys(good, ""))
    if len(good) > 1:
        yield Input("semicolons", whole.replace(b"&", b";"), None)
    yield Input("an unknown field", whole + b"&is_staff=on&amount_cents=1&org_id=1", dict(good))
    yield Input("2,000 fields", whole + b"".join(b"&f%d=1" % number for number in range(2_000)), None)
    yield Input("a name of 50,000 letters", whole + b"&" + b"n" * 50_000 + b"=1", dict(good))
    yield Input("a name with a null byte", whole + b"&a%00b=1", dict(good))
    yield Input("a megabyte and more", whole + b"&f=" + b"x" * 1_100_000, None)
    for kind in (JSON, PLAIN, "", "application/xml", "application/octet-stream", "nonsense", f"{JSON}; charset=utf-8"):
        yield Input(f"as {kind!r}", whole, {}, kind)
    yield Input("JSON", b'{"name": "x"}', {}, JSON)
    yield Input("JSON in a form", b'{"name": "x"}', {})
    yield Input("a list in a form", b"[1, 2]", {})
    for charset in ("utf-16", "utf-7", "latin-1", "nonsense", "idna", "rot13"):
        yield Input(f"in {charset}", whole, None, f"{FORM}; charset={charset}")
    yield from multiparts(good)


def multiparts(good: dict[str, str]) -> Iterator[Input]:
    def part(name: str, value: str, more: str = "") -> bytes:
        return f'--here\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'.encode()

    parts, end, kind = (
        b"".join(part(*field) for field in good.items()),
        b"--here--\r\n",
        "multipart/form-data; boundary=here",
    )
    yield Input("parts", parts + end, dict(good), kind)
    yield Input("parts without an end", parts, None, kind)
    yield Input("half of the parts", (parts + end)[: len(parts) // 2], None, kind)
    yield Input("no boundary", parts + end, None, "multipart/form-data")
    yield Input("an empty boundary", parts + end, None, "multipart/form-data; boundary=")
    yield Input("another boundary", parts + end, None, "multipart/form-data; boundary=there")
    yield Input("an endless boundary", parts + end, None, "multipart/form-data; boundary=" + "x" * 300)
    yield Input("parts that are none", b"\r\n\r\n--here\r\n\r\n--here--", None, kind)
    yield Input(
        "a part without a name", b"--here\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + parts + end, None, kind
    )
    yield Input("parts in base64 that is none", parts.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n!", 1) + end, None, kind)  # fmt: skip
    for name, value in good.items():
        others = b"".join(part(*field) for field in good.items() if field[0] != name)
        yield Input(f"{name} as a file", others + part(name, value, '; filename="a.txt"') + end, None, kind)
        yield Input(f"{name} in two parts", parts + part(name, "other") + end, None, kind)
        yield Input(f"{name} not in UTF-8", others + part(name, "@").replace(b"@", b"\xff\xfe") + end, None, kind)
