"""Inside one process: no sockets, no sleeping, the same run for the same seed."""

import time
from typing import Any

import pytest
import stripe

from sandbox.stripe import InProcessClient, Sandbox, Settings
from tests.sandbox.stripe.conftest import SECRET, a_session, in_browser

KEY: Any = {"idempotency_key": "k"}
START = 1_900_000_000


class World:
    """A sandbox whose time stands still until it is moved."""

    def __init__(self, seed: int = 7, **how: Any) -> None:
        self.now = float(START)
        settings = Settings(webhook_url="http://127.0.0.1/hook", webhook_secret=SECRET, retry_delays=(60, 3600))
        self.sandbox = Sandbox(clock=lambda: self.now, seed=seed, settings=settings, **{"patience": 10} | how)
        http = InProcessClient(self.sandbox)
        self.stripe = stripe.StripeClient("sk_test_x", http_client=http, max_network_retries=0)
        self.admin = self.sandbox.admin

    def charged(self) -> int:
        return int(self.admin.books()["totals"]["charged"])


@pytest.fixture
def world() -> World:
    return World()


def test_time_is_the_callers(world: World) -> None:
    assert world.stripe.v1.customers.create({}).created == START
    world.now += 86_400
    assert world.stripe.v1.customers.create({}).created == START + 86_400


def test_the_same_seed_the_same_run() -> None:
    def run(seed: int) -> list[Any]:
        world = World(seed)
        world.admin.fault("error", probability=0.5, count=None, path="/v1/customers")
        seen: list[Any] = []
        for place in range(20):
            try:
                key: Any = {"idempotency_key": f"{seed}-{place}"}
                seen.append(world.stripe.v1.customers.create({"name": str(place)}, key).id)
            except stripe.APIError as error:
                seen.append(error.http_status)
        return [
            *seen,
            *((delivery.body, delivery.headers["Stripe-Signature"]) for delivery in world.sandbox.deliveries()),
        ]

    assert run(1) == run(1)
    assert 500 in run(1)
    assert run(1)[0:20] != run(2)[0:20]


@pytest.mark.parametrize(("moment", "effect"), [("before", 0), ("after", 5_000)])
@pytest.mark.parametrize("kind", ["timeout", "reset"])
def test_no_answer_and_no_waiting(world: World, kind: str, moment: str, effect: int) -> None:
    world.admin.fault(kind, moment=moment, seconds=3_600, method="POST")
    started = time.monotonic()
    with pytest.raises(stripe.APIConnectionError):
        world.stripe.v1.payment_intents.create(in_browser(), KEY)
    assert time.monotonic() - started < 5
    assert world.charged() == effect
    assert world.stripe.v1.payment_intents.create(in_browser(), KEY).status == "succeeded"
    assert world.charged() == 5_000


def test_the_effect_can_come_after_its_sender_gave_up(world: World) -> None:
    world.admin.fault("slow", seconds=60, method="POST")
    with pytest.raises(stripe.APIConnectionError):
        world.stripe.v1.payment_intents.create(in_browser(), KEY)
    with pytest.raises(stripe.APIError) as busy:
        world.stripe.v1.payment_intents.create(in_browser(), KEY)
    assert (busy.value.http_status, world.charged()) == (409, 0)
    (answer,) = world.sandbox.run_late()
    assert (answer.status, world.charged()) == (200, 5_000)
    assert world.stripe.v1.payment_intents.create(in_browser(), KEY).id == answer.json()["id"]
    assert world.charged() == 5_000


def test_a_repeated_request_can_be_slow_too(world: World) -> None:
    """Its answer is known already and comes too late all the same; the key is not taken meanwhile."""
    made = world.stripe.v1.payment_intents.create(in_browser(), KEY)
    world.admin.fault("slow", seconds=60, method="POST")
    with pytest.raises(stripe.APIConnectionError):
        world.stripe.v1.payment_intents.create(in_browser(), KEY)
    assert world.sandbox.run_late() == []
    assert world.stripe.v1.payment_intents.create(in_browser(), KEY).id == made.id


def test_slow_within_patience_is_only_slow(world: World) -> None:
    world.admin.fault("slow", seconds=5, method="POST")
    assert world.stripe.v1.payment_intents.create(in_browser(), KEY).status == "succeeded"


def test_deliveries_are_pulled_and_reported(world: World) -> None:
    world.stripe.v1.customers.create({})
    (first,) = world.sandbox.deliveries()
    event = stripe.Webhook.construct_event(first.body, first.headers["Stripe-Signature"], SECRET, tolerance=300)
    assert (event.type, first.attempt, first.event_id) == ("customer.created", 1, event.id)
    assert world.sandbox.deliveries()[0].id == first.id
    world.sandbox.delivered(first, 503)
    assert world.sandbox.deliveries() == []
    world.now += 60
    (second,) = world.sandbox.deliveries()
    assert (second.attempt, second.event_id) == (2, first.event_id)
    assert second.headers["Stripe-Signature"].startswith(f"t={START + 60},")
    world.sandbox.delivered(second, None)
    world.now += 3_600
    world.sandbox.delivered(world.sandbox.deliveries()[0], 200)
    world.now += 86_400
    assert world.sandbox.deliveries() == []
    assert world.admin.webhooks()["deliveries"][0]["statuses"] == [503, None, 200]


@pytest.mark.parametrize(
    ("fault", "came"),
    [
        ({"kind": "drop", "event": "payment_intent.created"}, ["1", "2", "3"]),
        ({"kind": "double", "event": "payment_intent.created"}, ["0", "0", "1", "2", "3"]),
        ({"kind": "reorder", "count": 4}, ["3", "2", "1", "0"]),
        ({"kind": "delay", "event": "payment_intent.created", "seconds": 60}, ["1", "2", "3"]),
    ],
)
def test_webhook_faults(world: World, fault: Any, came: list[str]) -> None:
    world.admin.fault(**fault)
    world.stripe.v1.payment_intents.create(in_browser())
    order = [event["id"] for event in world.sandbox.books.oldest_first("event")]
    assert [str(order.index(delivery.event_id)) for delivery in world.sandbox.deliveries()] == came


def test_sessions_expire_with_the_callers_clock(world: World) -> None:
    session = world.stripe.v1.checkout.sessions.create(a_session())
    world.now += 86_401
    assert [delivery.event_type for delivery in world.sandbox.deliveries()] == ["checkout.session.expired"]
    assert world.stripe.v1.checkout.sessions.retrieve(session.id).status == "expired"


def test_errors_are_the_sdks_own(world: World) -> None:
    with pytest.raises(stripe.CardError) as refused:
        world.stripe.v1.payment_intents.create(in_browser("pm_card_chargeDeclined"))
    assert str(refused.value.request_id).startswith("req_")
