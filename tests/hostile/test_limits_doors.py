"""Hostile input at the doors of limits, in addresses and bodies: no 5xx, and an answer only to what was rightly asked.

The strict rule: a key's name, a cursor and a number are taken in the one way of writing them that is handed out.
"""

import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from billing.limits import feed, reading, resolved
from billing.metering import gateways
from orgs.keys import NewKey
from orgs.models import Organization
from tests import figures as counted
from tests.architecture import routes
from tests.billing.api import hostile, test_usage
from tests.factories import catalog
from tests.factories import orgs as people
from tests.hostile import test_webhooks
from tests.hostile.texts import TEXTS

pytestmark = [pytest.mark.money, pytest.mark.django_db]

RESOLVE, REFRESH = "/api/v1/limits/resolve", "/api/v1/limits"
CHANGES, ME, OPENAPI = "/api/v1/limits/changes", "/api/v1/limits/me", "/api/v1/openapi.json"
EVERY = 4
RAW = ("%ff", "%c3%28", "%ed%a0%80", "%", "%zz", "%u0031", "%00", "a%00b", "%2500", "+", "%20", "%0a", "%e2%80%ae")
QUERIES: dict[str, tuple[str, ...]] = {
    REFRESH: ("key",),
    CHANGES: ("since", "limit"),
    ME: ("key",),
    OPENAPI: ("version",),
}


def queries(names: tuple[str, ...]) -> Iterator[tuple[str, str | None]]:
    """(query, what a strict reader reads as the value, None where there is no one value)."""
    for name in names:
        # An address of 100,000 letters no server passes on.
        yield from ((f"{name}={quote(text)}", text) for text in TEXTS if len(text) < 8_000)
        yield from ((f"{name}={raw}", None) for raw in RAW)
        yield f"{name}=1&{name}=1", None
        yield f"{name}[]=1", None
        yield f"{name.upper()}=1", None
        yield f"{name}=1&other=1", None
        yield f"{name}=1;{name}=2", None
        yield name, None
        yield "&".join(f"f{number}=1" for number in range(1_500)), None


def is_rightly_asked(path: str, query: str, value: str | None) -> bool:
    """Whether a 200 is right. The document for machines is the same whatever is asked of it."""
    if path == OPENAPI:
        return True
    name = query.partition("=")[0]
    if value is None or path != CHANGES:
        return False
    if name == "limit":
        return bool(re.fullmatch(r"[1-9][0-9]{0,2}", value, re.ASCII)) and int(value) <= feed.PAGE
    return str(feed.parse(value)) == value


@pytest.fixture
def key(acme: Organization) -> NewKey:
    catalog.model()
    return people.key(acme, now=datetime.now(UTC))


@pytest.fixture
def machine(settings: Any, key: NewKey) -> Iterator[Client]:
    """A gateway, that has not resolved the key."""
    settings.RATES = dict.fromkeys(settings.RATES, "1000000/d")
    logging.disable(logging.CRITICAL)
    for room in (reading, resolved, gateways):
        room.forget()
    now = datetime.now(UTC)
    token = gateways.mint(gateways.register("eu-1", now=now), now=now)
    yield Client(raise_request_exception=False, headers={"authorization": f"Bearer {token}"})
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("path", QUERIES)
def test_addresses(machine: Client, path: str, key: NewKey, figures: counted.Record) -> None:
    if path == ME:
        machine.defaults["HTTP_AUTHORIZATION"] = f"Bearer {key.secret}"
    chosen, wrong = list(queries(QUERIES[path]))[:: counted.of(EVERY, full=1)], {}
    for query, value in chosen:
        answer = machine.get(path, QUERY_STRING=query)
        is_right = answer.status_code < 500 if path == OPENAPI else 400 <= answer.status_code < 500
        if not is_right and not (answer.status_code == 200 and is_rightly_asked(path, query, value)):
            wrong[query[:80]] = answer.status_code
    assert wrong == {}
    figures("hostile", inputs=len(chosen), server_errors=0, coerced=0)


def hashes(good: str) -> Iterator[hostile.Case]:
    """Bodies for the door that resolves a key by the hash of its secret."""
    names = ("key_sha256",)
    for name, text in hostile.fields({"key_sha256": good}, numbers=names, texts=names, times=names):
        yield name, text.encode("utf-8", "surrogatepass"), {}
    for text in TEXTS:
        yield f"key_sha256={text[:20]!r}", json.dumps({"key_sha256": text}).encode(), {}
    for text in (
        good.upper(),
        f" {good}",
        f"{good} ",
        good[:-1],
        f"{good}0",
        f"0x{good}",
        f"{good}\n",
        good[::-1] + "g",
    ):
        yield f"near {text!r}", json.dumps({"key_sha256": text}).encode(), {}
    yield from hostile.documents()


def test_bodies(machine: Client, key: NewKey, figures: counted.Record) -> None:
    good = bytes(key.key.hash).hex()
    chosen, wrong = list(hashes(good))[:: counted.of(EVERY, full=1)], {}
    for name, raw, headers in chosen:
        answer = machine.post(RESOLVE, raw, content_type="application/json", headers=headers)
        if answer.status_code not in (400, 413, 415):
            wrong[name] = answer.status_code
    assert wrong == {}
    figures("hostile", inputs=len(chosen), server_errors=0, coerced=0)


def test_the_doors_are_not_simply_shut(machine: Client, key: NewKey) -> None:
    """The control: rightly asked, each of them answers."""
    body = json.dumps({"key_sha256": bytes(key.key.hash).hex()})
    assert machine.post(RESOLVE, body, content_type="application/json").status_code == 200
    assert machine.get(REFRESH, {"key": key.key.public_id}).status_code == 200
    begun = machine.get(CHANGES).json()["cursor"]
    assert machine.get(CHANGES, {"since": begun, "limit": "10"}).status_code == 200
    assert is_rightly_asked(CHANGES, f"since={begun}", begun)
    assert not is_rightly_asked(CHANGES, "limit=010", "010")


def test_every_door_for_machines_meets_enough() -> None:
    met = {
        "billing:api_usage": len(test_usage.DOCUMENTS) + len(test_usage.AROUND_EVENTS) + len(test_usage.IN_ONE_EVENT),
        "billing:api_usage_reversals": len(test_usage.AROUND_REVERSALS),
        "billing:api_limits_resolve": len(list(hashes("a" * 64))),
        "billing:api_limits": len(list(queries(QUERIES[REFRESH]))),
        "billing:api_limits_changes": len(list(queries(QUERIES[CHANGES]))),
        "billing:api_limits_me": len(list(queries(QUERIES[ME]))),
        "billing:api_openapi": len(list(queries(QUERIES[OPENAPI]))),
        "billing:stripe_webhook": len(list(test_webhooks.bodies({}))),
    }
    there = {route.name for route in routes.there_are() if route.pattern.startswith(("api/v1/", "webhooks/"))}
    assert there == set(met), "a door for machines that is in no hostile suite"
    assert {name: number for name, number in met.items() if number < 150} == {}
