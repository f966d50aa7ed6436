"""A gateway's way in: its token, a model with a price, and a key of Acme Research."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from billing.catalog.models import AIModel
from billing.metering import gateways
from billing.metering.models import Gateway
from orgs.models import ApiKey, Organization
from tests.factories import catalog, usage
from tests.factories import orgs as people

Send = Callable[..., Any]


@pytest.fixture
def now(db: None) -> datetime:
    """The doors read the clock themselves."""
    return datetime.now(UTC)


@pytest.fixture
def model(now: datetime) -> AIModel:
    usage.days(now)
    return catalog.model()


@pytest.fixture
def key(acme: Organization, now: datetime) -> ApiKey:
    return people.key(acme, now=now).key


@pytest.fixture
def gateway(now: datetime) -> Gateway:
    return gateways.register("eu-1", now=now)


@pytest.fixture
def token(gateway: Gateway, now: datetime) -> str:
    return gateways.mint(gateway, now=now)


@pytest.fixture
def post(token: str) -> Send:
    """Posts a body (a value, or bytes as they are) as the gateway; headers by their names."""

    def send(address: str, body: Any, **headers: str) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = headers.pop("Content-Type", "application/json")
        sent = {"Authorization": f"Bearer {token}"} | headers
        client = Client(raise_request_exception=False)
        return client.post(address, raw, content_type=kind, headers=sent)

    return send
