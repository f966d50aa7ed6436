"""A gateway at the doors of limits, in few words."""

import json
from typing import Any

from django.test import Client
from django.utils import timezone

from billing.metering import gateways
from orgs.keys import NewKey

RESOLVE, REFRESH = "/api/v1/limits/resolve", "/api/v1/limits"
CHANGES, ME = "/api/v1/limits/changes", "/api/v1/limits/me"


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
