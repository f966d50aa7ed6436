"""The door for Stripe: genuine events are stored once and answered at once; everything else is a 4xx with a reason."""

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing import queue
from billing.webhooks import endpoints
from billing.webhooks.models import InboxEvent, InboxState
from tests.billing.webhooks.test_signature import NOT_EVENTS
from tests.factories.paying import SECRET, post

pytestmark = pytest.mark.django_db

EVENT = {
    "id": "evt_1",
    "object": "event",
    "type": "charge.succeeded",
    "livemode": False,
    "data": {"object": {"id": "ch"}},
}


@pytest.fixture(autouse=True)
def our_secret(settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_being_replaced", SECRET]
    settings.STRIPE_SECRET_KEY = "sk_test_of_the_tests"


@pytest.fixture
def hinted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(queue, "hint", lambda task: names.append(task.name))
    return names


def test_an_event_is_stored_as_it_came_and_work_is_asked_for(hinted: list[str]) -> None:
    body = json.dumps(EVENT, indent=3)
    answer = post(body)
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    stored = InboxEvent.objects.get()
    assert (stored.provider, stored.provider_event_id, stored.type) == ("stripe", "evt_1", "charge.succeeded")
    assert (stored.body, stored.state, stored.tries) == (body, InboxState.NEW, 0)
    assert hinted == ["billing.tasks.process_inbox"]


def test_the_same_event_again_is_answered_and_not_stored(hinted: list[str]) -> None:
    assert [post(EVENT).status_code for _ in range(5)] == [200] * 5
    assert InboxEvent.objects.count() == len(hinted) == 1


def test_a_queue_that_is_away_does_not_lose_the_event(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from celery.canvas import Signature

    def away(*args: object, **kwargs: object) -> None:
        raise OSError("connection refused")

    monkeypatch.setattr(Signature, "apply_async", away)
    monkeypatch.setattr("django.db.transaction.on_commit", lambda act: act())
    assert post(EVENT).status_code == 200
    assert InboxEvent.objects.get().state == InboxState.NEW


@pytest.mark.parametrize(("key", "livemode"), [("sk_test_x", True), ("sk_live_x", False), ("rk_live_x", False)])
def test_test_and_live_do_not_mix(settings: Any, hinted: list[str], key: str, livemode: bool) -> None:
    settings.STRIPE_SECRET_KEY = key
    assert post({**EVENT, "livemode": livemode}).status_code == 200
    assert InboxEvent.objects.get().state == InboxState.IGNORED
    assert hinted == []


@pytest.mark.parametrize("header", ["", "t=1,v1=" + "0" * 64, "nonsense", f"t={10**11},v1={'a' * 64}"])
def test_what_is_not_signed_is_refused_and_not_stored(header: str) -> None:
    answer = post(EVENT, header=header)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"].startswith("signature_")
    assert not InboxEvent.objects.exists()


@pytest.mark.parametrize("kind", NOT_EVENTS)
def test_rightly_signed_nonsense_is_refused_with_a_reason(kind: str) -> None:
    answer = post(NOT_EVENTS[kind])
    assert answer.status_code == 400
    assert answer.json()["error"]["detail"]
    assert not InboxEvent.objects.exists()


def test_a_body_over_a_megabyte_is_too_large() -> None:
    assert post(b"x" * (endpoints.BODY_LIMIT + 1)).status_code == 413
    assert post(b"x" * 7_000_000).status_code == 413


@pytest.mark.parametrize("length", ["", "-1", "many", "1e9"])
def test_a_length_that_is_none_is_no_way_in(length: str) -> None:
    answer = Client().generic("POST", "/webhooks/stripe", b"", headers={}, CONTENT_LENGTH=length)
    assert answer.status_code == 400


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_the_door_takes_post_only(method: str) -> None:
    assert Client().generic(method, "/webhooks/stripe").status_code == 405


def test_the_door_asks_for_no_csrf_token_and_no_session() -> None:
    answer = post(EVENT, client=Client(enforce_csrf_checks=True))
    assert answer.status_code == 200
    assert not answer.cookies


def test_an_old_delivery_cannot_be_replayed() -> None:
    from sandbox.stripe.webhooks import signature

    body = json.dumps(EVENT).encode()
    old = signature(SECRET, int(timezone.now().timestamp()) - 3600, body)
    assert post(body, header=old).json()["error"]["code"] == "timestamp_out_of_range"
