"""The frame of every JSON door, seen from outside: who gets in, and what a body may be."""

import gzip
import hashlib
import json
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import OperationalError
from django.test import Client

from billing.metering import gateways, ingest
from billing.metering.models import Gateway, GatewayToken
from tests.billing.api.conftest import Send

DOOR = "/api/v1/usage"
HEARTBEAT: dict[str, Any] = {"events": []}


class TestWhoMayComeIn:
    def test_a_gateway_with_its_token(self, post: Send, gateway: Gateway) -> None:
        answer = post(DOOR, HEARTBEAT)
        assert (answer.status_code, answer.json()) == (200, {"accepted": 0, "duplicate": 0, "refused": []})
        gateway.refresh_from_db()
        assert gateway.last_seen_at is not None

    @pytest.mark.parametrize(
        "header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer gw-purser-wrong", "Bearer \u00e9", "gw"]
    )
    def test_nobody_else(self, post: Send, header: str) -> None:
        answer = post(DOOR, HEARTBEAT, Authorization=header)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "unauthorized"
        assert answer["WWW-Authenticate"] == 'Bearer realm="Purser"'

    def test_a_revoked_token_ends_within_seconds(self, post: Send, gateway: Gateway, now: datetime) -> None:
        assert post(DOOR, HEARTBEAT).status_code == 200
        assert gateways.revoke(gateway, now=now) == 1
        assert post(DOOR, HEARTBEAT).status_code == 401

    def test_a_revocation_by_another_process_is_seen_after_a_moment(
        self, gateway: Gateway, token: str, now: datetime
    ) -> None:
        digest = hashlib.sha256(token.encode()).digest()
        assert gateways.recognise(digest, now=now, tick=100.0) is not None
        GatewayToken.objects.update(revoked_at=now)
        assert gateways.recognise(digest, now=now, tick=100.0 + gateways.REMEMBERED_SECONDS) is not None
        assert gateways.recognise(digest, now=now, tick=100.1 + gateways.REMEMBERED_SECONDS) is None

    def test_a_token_expires_at_its_instant_even_while_remembered(self, gateway: Gateway, now: datetime) -> None:
        token = gateways.mint(gateway, now=now, lifetime=timedelta(hours=1))
        digest = hashlib.sha256(token.encode()).digest()
        ends = now + timedelta(hours=1)
        assert gateways.recognise(digest, now=ends - timedelta(microseconds=1), tick=1.0) is not None
        assert gateways.recognise(digest, now=ends, tick=1.0) is None

    def test_only_the_hash_of_a_token_is_kept(self, token: str) -> None:
        assert token.startswith("gw-purser-")
        assert bytes(GatewayToken.objects.get().hash) == hashlib.sha256(token.encode()).digest()

    def test_no_cookie_and_no_csrf_token_is_needed(self, token: str) -> None:
        client = Client(enforce_csrf_checks=True)
        headers = {"Authorization": f"Bearer {token}"}
        assert client.post(DOOR, HEARTBEAT, content_type="application/json", headers=headers).status_code == 200


class TestWhatABodyMayBe:
    @pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "options", "head"])
    def test_another_method_is_405(self, token: str, method: str) -> None:
        answer = getattr(Client(), method)(DOOR, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 405
        assert answer["Allow"] == "POST"

    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
    )
    def test_another_content_type_is_415(self, post: Send, kind: str) -> None:
        assert post(DOOR, HEARTBEAT, **{"Content-Type": kind}).status_code == 415

    def test_json_in_utf_8_may_say_so(self, post: Send) -> None:
        assert post(DOOR, HEARTBEAT, **{"Content-Type": 'Application/JSON; charset="UTF-8"'}).status_code == 200

    def test_gzip_is_read(self, post: Send) -> None:
        body = gzip.compress(json.dumps(HEARTBEAT).encode())
        assert post(DOOR, body, **{"Content-Encoding": "gzip"}).status_code == 200

    @pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip"])
    def test_another_encoding_is_415(self, post: Send, encoding: str) -> None:
        assert post(DOOR, HEARTBEAT, **{"Content-Encoding": encoding}).status_code == 415

    def test_a_bomb_is_413(self, post: Send) -> None:
        bomb = gzip.compress(b" " * 200_000_000)
        assert len(bomb) < 1_000_000
        assert post(DOOR, bomb, **{"Content-Encoding": "gzip"}).status_code == 413

    def test_five_megabytes_is_the_end(self, post: Send) -> None:
        body = json.dumps(HEARTBEAT).encode()
        assert post(DOOR, body + b" " * (5 * 1024 * 1024 - len(body))).status_code == 200
        assert post(DOOR, body + b" " * (5 * 1024 * 1024 - len(body) + 1)).status_code == 413


def test_a_database_that_is_away_is_503_and_send_again(post: Send) -> None:
    with patch.object(ingest, "ingest", side_effect=OperationalError("the server closed the connection")):
        answer = post(DOOR, HEARTBEAT)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert answer["Retry-After"] == "1"


def test_answers_are_never_cached_between(post: Send) -> None:
    assert post(DOOR, HEARTBEAT)["Cache-Control"] == "no-store"
