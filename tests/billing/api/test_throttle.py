"""How often machines may call: gateways far more often than any calls, whoever guesses tokens not."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.metering import gateways
from orgs.models import ApiKey
from tests.billing.api.conftest import Send
from tests.factories import orgs as people

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_is_kept() -> None:
    gateways.forget()


def call(token: str, path: str = "/api/v1/limits/changes", address: str = "203.0.113.9") -> Any:
    return Client().get(path, headers={"Authorization": f"Bearer {token}"}, REMOTE_ADDR=address)


def codes(answers: list[Any]) -> list[tuple[int, str]]:
    return [(answer.status_code, answer.json().get("error", {}).get("code", "")) for answer in answers]


@pytest.mark.parametrize("path", ["/api/v1/limits/changes", "/api/v1/limits/me"])
def test_guessing_tokens_is_stopped_by_address(settings: Any, path: str, token: str) -> None:
    settings.RATES = settings.RATES | {"unknown_token": "3/d"}
    answers = [call(f"gw-purser-{n}", path) for n in range(5)]
    assert [status for status, _ in codes(answers)] == [401, 401, 401, 429, 429]
    assert codes(answers)[4][1] == "too_many_requests"
    assert 1 <= int(answers[4]["Retry-After"]) <= 86_400
    assert call("gw-purser-9", path, address="203.0.113.10").status_code == 401
    # A gateway behind the same address goes on working.
    assert call(token).status_code == 200


def test_a_gateway_has_a_limit_of_its_own(settings: Any, post: Send, token: str) -> None:
    settings.RATES = settings.RATES | {"gateway": "3/d"}
    answers = [post("/api/v1/usage", {"events": []}) for _ in range(4)]
    assert [status for status, _ in codes(answers)] == [200, 200, 200, 429]
    assert "nothing was stored, send the same again" in answers[3].json()["error"]["detail"]
    other = gateways.mint(gateways.register("eu-2", now=timezone.now()), now=timezone.now())
    assert call(other).status_code == 200


def test_a_customers_key_has_one_too(settings: Any, key: ApiKey) -> None:
    settings.RATES = settings.RATES | {"customer_key": "3/d"}
    made = people.key(key.organization, "mine")
    assert [call(made.secret, "/api/v1/limits/me").status_code for _ in range(4)] == [200, 200, 200, 429]


def test_a_gateway_at_work_meets_no_limit(post: Send) -> None:
    assert {post("/api/v1/usage", {"events": []}).status_code for _ in range(300)} == {200}
