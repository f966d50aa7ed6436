"""Each fault, before and after the effect, and what the SDK makes of it."""

import time
from typing import Any

import pytest
import stripe

from sandbox.stripe import Running, spoiling
from sandbox.stripe.client import Refused
from tests.sandbox.stripe.conftest import client_of, in_browser

KEY: Any = {"idempotency_key": "k1"}
CREATE = {"method": "POST", "path": "/v1/payment_intents"}


def charged(sandbox: Running) -> int:
    return int(sandbox.admin.books()["totals"]["charged"])


@pytest.mark.parametrize(("moment", "effect"), [("before", 0), ("after", 5_000)])
@pytest.mark.parametrize("kind", ["timeout", "reset"])
def test_no_answer(sandbox: Running, kind: str, moment: str, effect: int) -> None:
    """The SDK sees the same; the books tell which it was, and the same key finds out."""
    sandbox.admin.fault(kind, moment=moment, seconds=20, **CREATE)
    client = client_of(sandbox, timeout=0.5)
    with pytest.raises(stripe.APIConnectionError):
        client.v1.payment_intents.create(in_browser(), KEY)
    assert charged(sandbox) == effect
    assert client.v1.payment_intents.create(in_browser(), KEY).status == "succeeded"
    assert charged(sandbox) == 5_000


def test_a_replay_can_get_lost_too(sandbox: Running, client: stripe.StripeClient) -> None:
    first = client.v1.payment_intents.create(in_browser(), KEY)
    sandbox.admin.fault("reset", moment="after", **CREATE)
    sandbox.admin.fault("error", moment="after", stored=False, **CREATE)
    for lost in (stripe.APIConnectionError, stripe.APIError):
        with pytest.raises(lost):
            client.v1.payment_intents.create(in_browser(), KEY)
    assert client.v1.payment_intents.create(in_browser(), KEY).id == first.id
    assert charged(sandbox) == 5_000


def test_a_timeout_ends_by_itself(sandbox: Running, client: stripe.StripeClient) -> None:
    sandbox.admin.fault("timeout", seconds=0.2, **CREATE)
    started = time.monotonic()
    with pytest.raises(stripe.APIConnectionError):
        client.v1.payment_intents.create(in_browser())
    assert 0.2 <= time.monotonic() - started < 5


@pytest.mark.parametrize("status", [500, 502, 503])
@pytest.mark.parametrize(
    ("moment", "stored", "effect", "retry"),
    [
        ("before", None, 0, "succeeded"),
        ("before", True, 0, "error"),
        ("after", None, 5_000, "error"),
        ("after", False, 5_000, "succeeded"),
    ],
)
def test_a_server_error(
    sandbox: Running,
    client: stripe.StripeClient,
    status: int,
    moment: str,
    stored: bool | None,
    effect: int,
    retry: str,
) -> None:
    sandbox.admin.fault("error", moment=moment, stored=stored, status=status, **CREATE)
    with pytest.raises(stripe.APIError) as failed:
        client.v1.payment_intents.create(in_browser(), KEY)
    assert failed.value.http_status == status
    assert charged(sandbox) == effect
    if retry == "error":
        with pytest.raises(stripe.APIError):
            client.v1.payment_intents.create(in_browser(), KEY)
        assert charged(sandbox) == effect
    else:
        assert client.v1.payment_intents.create(in_browser(), KEY).status == "succeeded"
        assert charged(sandbox) == 5_000


def test_too_many_requests(sandbox: Running, client: stripe.StripeClient) -> None:
    sandbox.admin.fault("rate_limit", count=2, **CREATE)
    for _ in range(2):
        with pytest.raises(stripe.RateLimitError):
            client.v1.payment_intents.create(in_browser(), KEY)
    assert charged(sandbox) == 0
    assert client.v1.payment_intents.create(in_browser(), KEY).status == "succeeded"


def test_slow_beyond_the_clients_patience(sandbox: Running) -> None:
    """The effect comes after its sender gave up; asking with the same key finds it."""
    sandbox.admin.fault("slow", seconds=1.0, **CREATE)
    with pytest.raises(stripe.APIConnectionError):
        client_of(sandbox, timeout=0.2).v1.payment_intents.create(in_browser(), KEY)
    assert charged(sandbox) == 0
    patient = stripe.StripeClient("sk_test_x", base_addresses={"api": sandbox.base_url}, max_network_retries=8)
    assert patient.v1.payment_intents.create(in_browser(), KEY).status == "succeeded"
    assert charged(sandbox) == 5_000


def test_the_sdks_own_retries_get_through(sandbox: Running) -> None:
    sandbox.admin.fault("error", status=503, **CREATE)
    client = stripe.StripeClient("sk_test_x", base_addresses={"api": sandbox.base_url}, max_network_retries=2)
    assert client.v1.payment_intents.create(in_browser()).status == "succeeded"
    keys = {row["idempotency_key"] for row in sandbox.admin.requests("POST", "/v1/payment_intents")}
    assert len(keys) == 1


def test_only_what_matches_goes_wrong(sandbox: Running, client: stripe.StripeClient) -> None:
    sandbox.admin.fault("error", method="POST", path="/v1/payment_intents/*/confirm", count=None)
    intent = client.v1.payment_intents.create({"amount": 500, "currency": "usd"})
    for _ in range(3):
        with pytest.raises(stripe.APIError):
            client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert client.v1.payment_intents.retrieve(intent.id).status == "requires_payment_method"
    sandbox.admin.clear_faults()
    assert client.v1.payment_intents.cancel(intent.id).status == "canceled"


def test_the_third_goes_wrong(sandbox: Running, client: stripe.StripeClient) -> None:
    sandbox.admin.fault("rate_limit", method="GET", skip=2)
    client.v1.events.list()
    client.v1.events.list()
    with pytest.raises(stripe.RateLimitError):
        client.v1.events.list()
    client.v1.events.list()


@pytest.mark.parametrize("bad", [{"kind": "earthquake"}, {"kind": "error", "moment": "during"}, {"kind": "reorder"}])
def test_a_fault_that_makes_no_sense_is_refused(sandbox: Running, bad: Any) -> None:
    with pytest.raises(Refused):
        sandbox.admin.fault(**bad)
    with pytest.raises(Refused, match="Unknown field"):
        sandbox.admin.fault("error", colour="red")


def test_requests_are_on_record(sandbox: Running, client: stripe.StripeClient) -> None:
    sandbox.admin.fault("error", **CREATE)
    with pytest.raises(stripe.APIError):
        client.v1.payment_intents.create(in_browser(), KEY)
    (row,) = sandbox.admin.requests()
    assert (row["status"], row["idempotency_key"], row["fault"]) == (500, "k1", "error before")


# --- Refusals and spoilt answers -----------------------------------------------------------------------------------------

ERRORS: dict[int, type[stripe.StripeError]] = {
    400: stripe.InvalidRequestError,
    401: stripe.AuthenticationError,
    402: stripe.CardError,
    403: stripe.PermissionError,
    404: stripe.InvalidRequestError,
    409: stripe.APIError,
}


@pytest.mark.parametrize("status", ERRORS)
def test_a_refusal_out_of_the_blue(sandbox: Running, client: stripe.StripeClient, status: int) -> None:
    """As Stripe says it, without effect, and the key remembers nothing."""
    sandbox.admin.fault("refuse", status=status, **CREATE)
    with pytest.raises(ERRORS[status]) as refused:
        client.v1.payment_intents.create(in_browser(), KEY)
    assert refused.value.http_status == status
    assert charged(sandbox) == 0
    assert client.v1.payment_intents.create(in_browser(), KEY).status == "succeeded"


def test_too_many_requests_may_say_when_to_come_again(sandbox: Running, client: stripe.StripeClient) -> None:
    sandbox.admin.fault("rate_limit", retry_after=7)
    sandbox.admin.fault("rate_limit")
    waits = []
    for _ in range(2):
        with pytest.raises(stripe.RateLimitError) as refused:
            client.v1.events.list()
        waits.append((refused.value.headers or {}).get("Retry-After"))
    assert waits == ["7", None]


@pytest.mark.parametrize(("moment", "effect"), [("before", 0), ("after", 5_000)])
@pytest.mark.parametrize("status", [502, 503])
def test_a_proxy_answers_in_its_own_words(
    sandbox: Running, client: stripe.StripeClient, status: int, moment: str, effect: int
) -> None:
    sandbox.admin.fault("error", status=status, body="page", moment=moment, stored=False, **CREATE)
    with pytest.raises(stripe.APIError) as failed:
        client.v1.payment_intents.create(in_browser(), KEY)
    assert (failed.value.http_status, charged(sandbox)) == (status, effect)
    assert "<html>" in str(failed.value)
    assert client.v1.payment_intents.create(in_browser(), KEY).status == "succeeded"
    assert charged(sandbox) == 5_000


@pytest.mark.parametrize("how", spoiling.WAYS)
@pytest.mark.parametrize(("moment", "effect"), [("before", 0), ("after", 5_000)])
def test_a_200_that_is_no_answer(
    sandbox: Running, client: stripe.StripeClient, how: str, moment: str, effect: int
) -> None:
    if moment == "before" and how in spoiling.OF_AN_ANSWER:
        with pytest.raises(Refused, match="no answer yet"):
            sandbox.admin.fault("spoil", body=how, moment=moment)
        return
    sandbox.admin.fault("spoil", body=how, moment=moment, **CREATE)
    try:
        answer: Any = client.v1.payment_intents.create(in_browser(), KEY)
    except (stripe.StripeError, AttributeError, TypeError, KeyError):
        answer = None
    assert answer is None or getattr(answer, "amount", None) != 5_000, "it did arrive"
    assert charged(sandbox) == effect
    assert client.v1.payment_intents.create(in_browser(), KEY).status == "succeeded"
    assert charged(sandbox) == 5_000


@pytest.mark.parametrize(
    "bad",
    [
        {"kind": "refuse", "status": 500},
        {"kind": "refuse", "moment": "after"},
        {"kind": "spoil"},
        {"kind": "spoil", "body": "sour"},
        {"kind": "error", "body": "cut"},
        {"kind": "reset", "body": "page"},
    ],
    ids=lambda bad: "-".join(str(value) for value in bad.values()),
)
def test_a_refusal_or_spoilt_answer_that_makes_no_sense_is_refused(sandbox: Running, bad: Any) -> None:
    with pytest.raises(Refused):
        sandbox.admin.fault(**bad)
