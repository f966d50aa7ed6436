"""Limits out, through the doors: who is let in, what a key may do, what changed, and nothing that breaks them."""

import hashlib
import json
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import transaction
from django.test import Client

from billing.ledger import grants, wallets
from billing.limits import publishing, reading
from orgs import keys
from orgs.keys import NewKey
from orgs.models import ApiKey, Organization
from tests.billing.api.limits.calling import CHANGES, ME, REFRESH, RESOLVE, Caller, gateway_named

pytestmark = pytest.mark.django_db


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
