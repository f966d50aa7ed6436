"""Idempotency keys: replayed, refused, remembered, forgotten as Stripe does."""

import threading
from typing import Any

import pytest
import stripe

from sandbox.stripe import Running
from sandbox.stripe.idempotency import KEPT_SECONDS
from tests.sandbox.stripe.conftest import client_of, eventually, in_browser, off_session, saved

KEY: Any = {"idempotency_key": "pay-7-1"}


def headers(answer: Any) -> dict[str, str]:
    return dict(answer.last_response.headers)


def test_the_same_request_again_gives_the_same_answer_and_no_second_charge(
    client: stripe.StripeClient, sandbox: Running, alice: stripe.Customer
) -> None:
    asked = off_session(alice, saved(client, alice))
    first, second = (client.v1.payment_intents.create(asked, KEY) for _ in range(2))
    assert first.to_dict() == second.to_dict()
    assert "Idempotent-Replayed" not in headers(first)
    assert headers(second)["Idempotent-Replayed"] == "true"
    assert headers(second)["Original-Request"] == headers(first)["Request-Id"] != headers(second)["Request-Id"]
    assert sandbox.admin.books()["totals"]["charged"] == 5_000


def test_the_replay_is_the_first_answer_not_the_present_state(client: stripe.StripeClient) -> None:
    asked: Any = {"amount": 500, "currency": "usd"}
    intent = client.v1.payment_intents.create(asked, KEY)
    client.v1.payment_intents.cancel(intent.id)
    assert client.v1.payment_intents.create(asked, KEY).status == "requires_payment_method"


def test_another_body_is_refused(client: stripe.StripeClient) -> None:
    client.v1.payment_intents.create(in_browser(amount=500), KEY)
    with pytest.raises(stripe.IdempotencyError, match="same parameters") as refused:
        client.v1.payment_intents.create(in_browser(amount=600), KEY)
    assert refused.value.http_status == 400


def test_another_address_is_refused(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create({"amount": 500, "currency": "usd"}, KEY)
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        client.v1.payment_intents.cancel(intent.id, None, KEY)


def test_a_decline_is_remembered(client: stripe.StripeClient, alice: stripe.Customer) -> None:
    asked = off_session(alice, saved(client, alice, "pm_card_chargeCustomerFail"))
    bodies = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as refused:
            client.v1.payment_intents.create(asked, KEY)
        bodies.append(refused.value.http_body)
    assert bodies[0] == bodies[1]
    assert len(client.v1.payment_intents.list().data) == 1


def test_what_never_began_is_not_remembered(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.create({"amount": 500, "currency": "usd", "customer": "cus_nobody"}, KEY)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.create({"amount": "many", "currency": "usd"}, KEY)  # type: ignore[typeddict-item]
    assert client.v1.payment_intents.create(in_browser(), KEY).status == "succeeded"


def test_a_500_after_execution_began_is_remembered(client: stripe.StripeClient, sandbox: Running) -> None:
    sandbox.admin.fault("error", moment="after", method="POST", path="/v1/payment_intents")
    for _ in range(3):
        with pytest.raises(stripe.APIError) as failed:
            client.v1.payment_intents.create(in_browser(), KEY)
        assert failed.value.http_status == 500
        assert dict(failed.value.headers or {})["Stripe-Should-Retry"] == "false"
    (intent,) = client.v1.payment_intents.list().data
    assert intent.status == "succeeded"
    assert sandbox.admin.books()["totals"]["charged"] == 5_000


def test_a_500_before_execution_is_not_remembered(client: stripe.StripeClient, sandbox: Running) -> None:
    sandbox.admin.fault("error", moment="before", method="POST")
    with pytest.raises(stripe.APIError):
        client.v1.payment_intents.create(in_browser(), KEY)
    assert client.v1.payment_intents.list().data == []
    assert client.v1.payment_intents.create(in_browser(), KEY).status == "succeeded"


def test_while_the_first_is_under_way_the_second_gets_409(client: stripe.StripeClient, sandbox: Running) -> None:
    sandbox.admin.fault("slow", method="POST", seconds=1.0)
    first: list[Any] = []
    asked = in_browser()
    slow = threading.Thread(target=lambda: first.append(client.v1.payment_intents.create(asked, KEY)))
    slow.start()
    eventually(lambda: sandbox.sandbox.keys.under_way("pay-7-1"))
    with pytest.raises(stripe.StripeError) as busy:
        client_of(sandbox).v1.payment_intents.create(asked, KEY)
    slow.join(10)
    assert busy.value.error is not None
    assert (busy.value.http_status, busy.value.error.code) == (409, "idempotency_key_in_use")
    assert dict(busy.value.headers or {})["Stripe-Should-Retry"] == "true"
    assert first[0].status == "succeeded"
    assert client.v1.payment_intents.create(asked, KEY).id == first[0].id


def test_eight_at_once_charge_once(sandbox: Running) -> None:
    together, answers = threading.Barrier(8), list[str]()

    def pay() -> None:
        own = client_of(sandbox)
        together.wait(10)
        try:
            answers.append(own.v1.payment_intents.create(in_browser(), KEY).id)
        except stripe.APIError as busy:
            answers.append(str(busy.http_status))

    threads = [threading.Thread(target=pay) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(answers) == 8
    assert len(set(answers) - {"409"}) == 1
    assert sandbox.admin.books()["totals"]["charged"] == 5_000


def test_after_a_day_the_key_is_new(client: stripe.StripeClient, sandbox: Running) -> None:
    first = client.v1.payment_intents.create(in_browser(), KEY)
    sandbox.admin.advance(KEPT_SECONDS - 60)
    assert client.v1.payment_intents.create(in_browser(), KEY).id == first.id
    sandbox.admin.advance(120)
    assert client.v1.payment_intents.create(in_browser(), KEY).id != first.id


def test_reading_has_no_keys(client: stripe.StripeClient, alice: stripe.Customer) -> None:
    client.v1.customers.retrieve(alice.id, None, KEY)
    client.v1.customers.update(alice.id, {"name": "Alice"})
    assert client.v1.customers.retrieve(alice.id, None, KEY).name == "Alice"


def test_a_key_can_be_too_long(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.IdempotencyError, match="255"):
        client.v1.customers.create({}, {"idempotency_key": "x" * 256})
