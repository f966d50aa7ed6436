"""The doors of limits refuse what they cannot read, with 4xx and a reason."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from orgs.keys import NewKey
from tests.billing.api.limits.calling import CHANGES, ME, REFRESH, RESOLVE, Caller

pytestmark = pytest.mark.django_db

GOOD = "a" * 64
BODIES: list[bytes] = [
    b"",
    b" ",
    b"null",
    b"true",
    b"0",
    b"[]",
    b"{}",
    b'""',
    b"{",
    b"}{",
    b"NaN",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"{'key_sha256': 'a'}",
    b'{"key_sha256": null}',
    b'{"key_sha256": true}',
    b'{"key_sha256": 1}',
    b'{"key_sha256": 1e30}',
    b'{"key_sha256": -1}',
    b'{"key_sha256": 9223372036854775808}',
    b'{"key_sha256": NaN}',
    b'{"key_sha256": Infinity}',
    b'{"key_sha256": []}',
    b'{"key_sha256": {}}',
    b'{"key_sha256": ""}',
    b'{"key_sha256": "a"}',
    b'{"key_sha256": "\\ud800"}',
    b'{"key_sha256": "\\u0000"}',
    b'{"KEY_SHA256": "%s"}' % GOOD.encode(),
    b'{"key_sha256": "%s", "more": 1}' % GOOD.encode(),
    b'{"key_sha256": "%s", "key_sha256": "%s"}' % (GOOD.encode(), GOOD.encode()),
    b'{"key_sha256": "%s"} x' % GOOD.encode(),
    b'[{"key_sha256": "%s"}]' % GOOD.encode(),
    b'{"key_sha256": "%s"}' % (b"A" * 64),
    b'{"key_sha256": "%s"}' % (b"g" * 64),
    b'{"key_sha256": "%s"}' % (b"a" * 63),
    b'{"key_sha256": "%s"}' % (b"a" * 65),
    b'{"key_sha256": "%s\\n"}' % (b"a" * 64),
    b'{"key_sha256": " %s"}' % (b"a" * 63),
    b'{"key_sha256": "%s"}' % ("١" * 64).encode(),
    b'{"key_sha256": "%s"}' % ("ａ" * 64).encode(),
    b'{"key_sha256": "0x%s"}' % (b"a" * 62),
    b'{"key_sha256": "sk-purser-%s"}' % (b"a" * 43),
    b'{"key_sha256": "\' OR 1=1 --"}',
    b"[" * 100_000,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    b'{"key_sha256": "%s"}' % (b"a" * (6 * 1024 * 1024)),
    b'{"key_sha256": %s}' % (b"9" * 5_000),
    b'{"key_sha256": "%s", "x": %s}' % (GOOD.encode(), b"[" * 500 + b"]" * 500),
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_resolve_refuses_what_it_cannot_read(gateway: Caller, body: bytes) -> None:
    status, answer = gateway.post(RESOLVE, body)
    assert 400 <= status < 500
    assert status != 401, "nothing was looked up"
    assert answer["error"]["code"]
    assert answer["error"]["detail"]


@pytest.mark.parametrize(
    ("body", "more"),
    [
        (b"not gzip", {"headers": {"content-encoding": "gzip"}}),
        (
            gzip.compress(b'{"key_sha256": "%s"}' % GOOD.encode(), mtime=0)[:-9],
            {"headers": {"content-encoding": "gzip"}},
        ),
        (gzip.compress(b" " * (6 * 1024 * 1024), mtime=0), {"headers": {"content-encoding": "gzip"}}),
        (b"{}", {"headers": {"content-encoding": "br"}}),
        (b"{}", {"content_type": "text/plain"}),
        (b"{}", {"content_type": "application/json; charset=latin-1"}),
        (b"key_sha256=a", {"content_type": "application/x-www-form-urlencoded"}),
    ],
)
def test_resolve_refuses_what_is_not_json(gateway: Caller, body: bytes, more: dict[str, Any]) -> None:
    status, answer = gateway.post(RESOLVE, body, **more)
    assert 400 <= status < 500
    assert answer["error"]["code"]


def test_gzip_is_welcome(gateway: Caller, key: NewKey) -> None:
    body = gzip.compress(json.dumps({"key_sha256": bytes(key.key.hash).hex()}).encode())
    assert gateway.post(RESOLVE, body, headers={"content-encoding": "gzip"})[0] == 200


STRINGS = [
    "",
    " ",
    "x",
    "\x00",
    "key_\x00",
    "é",
    "\ud800",
    "a" * 25,
    "a" * 100_000,
    "' OR 1=1 --",
    "key_1;DROP TABLE api_key",
    "../../etc/passwd",
    "%00",
    "null",
    "NaN",
    "1e30",
    "-1",
    "9223372036854775808",
    "true",
    "[]",
    "{}",
    "key_1\n",
    "\u202e",
    "\U0001f600",
    "<script>",
    "{{7*7}}",
]


@pytest.mark.parametrize("text", STRINGS, ids=range(len(STRINGS)))
@pytest.mark.parametrize(("path", "name"), [(REFRESH, "key"), (CHANGES, "since"), (CHANGES, "limit"), (ME, "key")])
def test_addresses_are_read_as_strictly(gateway: Caller, path: str, name: str, text: str) -> None:
    query = text.encode("utf-8", "surrogatepass").decode("latin-1")
    status, answer = gateway.get(path, **{name: query})
    assert 400 <= status < 500
    assert answer["error"]["code"]


@pytest.mark.parametrize(
    "address",
    [
        REFRESH,
        f"{REFRESH}?key=a&key=b",
        f"{REFRESH}?key=a&more=1",
        f"{REFRESH}?KEY=a",
        f"{CHANGES}?since=a&since=b",
        f"{CHANGES}?limit=0",
        f"{CHANGES}?limit=501",
        f"{CHANGES}?limit=1&limit=2",
        f"{CHANGES}?limit=%D9%A1",
        f"{CHANGES}?cursor=a",
        f"{ME}?x=1",
    ],
)
def test_unknown_and_doubled_parameters_are_refused(gateway: Caller, address: str) -> None:
    answer = gateway.client.get(address)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_query"


@pytest.mark.parametrize("path", [RESOLVE, REFRESH, CHANGES, ME])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "HEAD"])
def test_each_door_takes_one_method(gateway: Caller, path: str, method: str) -> None:
    if method == ("POST" if path == RESOLVE else "GET"):
        return
    answer = gateway.client.generic(method, path)
    assert answer.status_code == 405
    assert answer.headers["Allow"] in ("POST", "GET")


def test_answers_are_not_kept_by_anybody_between(gateway: Caller, key: NewKey) -> None:
    ask = json.dumps({"key_sha256": bytes(key.key.hash).hex()})
    answer = gateway.client.post(RESOLVE, ask, content_type="application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"


def test_a_warm_answer_asks_the_database_nothing(
    gateway: Caller, key: NewKey, django_assert_num_queries: Callable[[int], Any]
) -> None:
    gateway.resolve(key)
    with django_assert_num_queries(0):
        assert gateway.resolve(key)[0] == 200
        assert gateway.get(REFRESH, key=key.key.public_id)[0] == 200
