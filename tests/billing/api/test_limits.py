"""Limits out, through the doors: who is let in, what a key may do, what changed, and nothing that breaks them."""

import gzip
import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.test import Client
from django.utils import timezone

from billing.ledger import grants, wallets
from billing.limits import publishing, reading, resolved
from billing.metering import gateways
from orgs import keys
from orgs.keys import NewKey
from orgs.models import ApiKey, Organization
from tests.factories import catalog as catalogs
from tests.factories import orgs as people

pytestmark = pytest.mark.django_db

RESOLVE, REFRESH = "/api/v1/limits/resolve", "/api/v1/limits"
CHANGES, ME = "/api/v1/limits/changes", "/api/v1/limits/me"


@pytest.fixture(autouse=True)
def nothing_is_kept() -> None:
    reading.forget()
    resolved.forget()
    gateways.forget()


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def key(acme: Organization, now: datetime) -> NewKey:
    """A key of the Team Acme Research, which has no credit."""
    catalogs.model()
    return people.key(acme, now=now - timedelta(hours=1))


class Caller:
    """A machine with a bearer token; answers are (status, body)."""

    def __init__(self, token: str) -> None:
        self.client = Client(headers={"authorization": f"Bearer {token}"})

    def post(self, path: str, body: Any, **more: Any) -> tuple[int, Any]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.client.post(path, raw, content_type=more.pop("content_type", "application/json"), **more)
        return answer.status_code, json.loads(answer.content)

    def get(self, path: str, **query: Any) -> tuple[int, Any]:
        answer = self.client.get(path, query)
        return answer.status_code, json.loads(answer.content)

    def resolve(self, key: NewKey) -> tuple[int, Any]:
        return self.post(RESOLVE, {"key_sha256": bytes(key.key.hash).hex()})


def gateway_named(name: str) -> Caller:
    now = timezone.now()
    return Caller(gateways.mint(gateways.register(name, now=now), now=now))


@pytest.fixture
def gateway(db: None) -> Caller:
    return gateway_named("eu-1")


def give(organization: Organization, usd: str, now: datetime) -> None:
    with transaction.atomic():
        wallets.lock([organization.pk])
        end = now + timedelta(days=30)
        grants.issue_promotional(
            organization.pk,
            Decimal(usd),
            key=f"t{usd}",
            title="Hello",
            expires_at=end,
            reason="",
            issued_by=None,
            now=now,
        )
        publishing.publish([organization.pk], now=now)


# --- Resolving ---------------------------------------------------------------------------------------------------------


def test_a_gateway_resolves_a_key_by_its_hash(gateway: Caller, key: NewKey, acme: Organization, now: datetime) -> None:
    give(acme, "5.00", now)
    status, answer = gateway.resolve(key)
    assert status == 200
    assert (answer["key"], answer["http_status"], answer["reason"]) == (key.key.public_id, 200, None)
    assert answer["version"] > 0
    assert 9 <= answer["max_age"] <= 10
    model = answer["models"][0]
    assert (model["model"], model["tier"], model["payer"]) == ("gpt-oss-120b", "payg", "credits")
    assert model["limits"]["tokens_per_minute"] == 1_000_000
    assert model["limits"]["tokens_per_hour"] is None
    valid, stale = (datetime.fromisoformat(answer[name]) for name in ("valid_until", "stale_until"))
    assert timedelta(seconds=8) < valid - now < timedelta(seconds=15)
    assert stale - valid == timedelta(seconds=290)


def test_402_appears_and_clears_within_seconds(gateway: Caller, key: NewKey, acme: Organization, now: datetime) -> None:
    with time_machine.travel(now, tick=False) as clock:
        model = gateway.resolve(key)[1]["models"][0]
        assert (model["http_status"], model["reason"], set(model["limits"].values())) == (402, "no_credit", {0})
        assert model["remedy"].startswith("This key belongs to Acme Research, which has no credit.")
        give(acme, "5.00", now)
        clock.shift(reading.KEPT_FOR)
        assert gateway.resolve(key)[1]["models"][0]["http_status"] == 200


@pytest.mark.parametrize(
    ("end", "code"),
    [({"revoked_at": True}, "key_revoked"), ({"expires_at": True}, "key_expired"), (None, "unknown_key")],
)
def test_a_key_that_opens_nothing_is_401_with_its_own_code(
    gateway: Caller, key: NewKey, now: datetime, end: dict[str, bool] | None, code: str
) -> None:
    if end is None:
        status, answer = gateway.post(RESOLVE, {"key_sha256": "0" * 64})
    else:
        ApiKey.objects.update(**dict.fromkeys(end, now))
        status, answer = gateway.resolve(key)
    assert (status, answer["error"]["code"], answer["error"]["max_age"]) == (401, code, 10)
    assert answer["error"]["detail"]


@pytest.mark.parametrize("path", [RESOLVE, REFRESH, CHANGES])
@pytest.mark.parametrize("token", ["gw-purser-unknown", "", "é", "x" * 5000, "a b"])
def test_only_gateways_come_in(path: str, token: str, key: NewKey) -> None:
    caller = Caller(token)
    status, answer = caller.resolve(key) if path == RESOLVE else caller.get(path, key=key.key.public_id)
    assert (status, answer["error"]["code"]) == (401, "unauthorized")


def test_a_customers_key_is_no_gateway_token(key: NewKey) -> None:
    assert Caller(key.secret).resolve(key)[0] == 401


def test_a_person_who_is_signed_in_is_no_gateway(alice_client: Client, key: NewKey) -> None:
    assert alice_client.get(REFRESH, {"key": key.key.public_id}).status_code == 401


def test_the_last_use_of_a_key_is_kept(gateway: Caller, key: NewKey, now: datetime) -> None:
    with time_machine.travel(now, tick=False) as clock:
        gateway.resolve(key)
        assert ApiKey.objects.get().last_used_at == now
        for seconds, written in ((30, now), (31, now + timedelta(seconds=61))):
            clock.shift(timedelta(seconds=seconds))
            gateway.resolve(key)
            assert ApiKey.objects.get().last_used_at == written


# --- Refreshing --------------------------------------------------------------------------------------------------------


def test_a_public_id_opens_nothing_until_the_hash_was_shown(gateway: Caller, key: NewKey) -> None:
    public_id = key.key.public_id
    refused = gateway.get(REFRESH, key=public_id)
    assert (refused[0], refused[1]["error"]["code"]) == (403, "resolve_first")
    assert gateway.get(REFRESH, key="key_0000000000000000") == refused, "a stranger learns nothing"
    gateway.resolve(key)
    status, answer = gateway.get(REFRESH, key=public_id)
    assert (status, answer["key"]) == (200, public_id)
    assert gateway_named("us-1").get(REFRESH, key=public_id) == refused, "each gateway shows it itself"


def test_a_key_revoked_since_is_401(gateway: Caller, key: NewKey, now: datetime) -> None:
    gateway.resolve(key)
    keys.revoke(key.key, now)
    status, answer = gateway.get(REFRESH, key=key.key.public_id)
    assert (status, answer["error"]["code"]) == (401, "key_revoked")


# --- The customer's own question -----------------------------------------------------------------------------------------


def test_a_customer_asks_with_the_key_itself(key: NewKey) -> None:
    status, answer = Caller(key.secret).get(ME)
    assert (status, answer["key"], answer["models"][0]["reason"]) == (200, key.key.public_id, "no_credit")
    assert ApiKey.objects.get().last_used_at is None


def test_nobody_asks_with_another_token(key: NewKey, gateway: Caller) -> None:
    for token in ("sk-purser-unknown", key.key.public_id, bytes(key.key.hash).hex(), key.secret[:-1]):
        status, answer = Caller(token).get(ME)
        assert (status, answer["error"]["code"]) == (401, "unknown_key")
    assert gateway.get(ME)[1]["error"]["code"] == "unknown_key"
    assert Client().get(ME).json()["error"]["code"] == "unauthorized"


def test_the_secret_is_never_in_an_answer(key: NewKey, gateway: Caller) -> None:
    said = json.dumps([Caller(key.secret).get(ME), gateway.resolve(key)])
    assert key.secret not in said
    assert hashlib.sha256(key.secret.encode()).hexdigest() not in said


# --- The feed ----------------------------------------------------------------------------------------------------------


def test_the_feed_tells_what_changed(gateway: Caller, key: NewKey, acme: Organization, now: datetime) -> None:
    gateway.resolve(key)
    begun = gateway.get(CHANGES)[1]
    assert (begun["changes"], begun["more"], begun["everything_changed"]) == ([], False, False)
    give(acme, "5.00", now)
    page = gateway.get(CHANGES, since=begun["cursor"])[1]
    assert [(change["key"], change["models"][0]["tier"]) for change in page["changes"]] == [(key.key.public_id, "payg")]
    again = gateway.get(CHANGES, since=page["cursor"], limit=1)[1]
    assert again["changes"] == []
    assert again["cursor"]


def test_an_old_cursor_is_410(gateway: Caller, key: NewKey, now: datetime) -> None:
    cursor = gateway.get(CHANGES)[1]["cursor"]
    with time_machine.travel(now + timedelta(hours=24, minutes=1)):
        status, answer = gateway.get(CHANGES, since=cursor)
    assert (status, answer["error"]["code"]) == (410, "cursor_expired")


# --- Hostile input -----------------------------------------------------------------------------------------------------

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
        (gzip.compress(b'{"key_sha256": "%s"}' % GOOD.encode())[:-9], {"headers": {"content-encoding": "gzip"}}),
        (gzip.compress(b" " * (6 * 1024 * 1024)), {"headers": {"content-encoding": "gzip"}}),
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
