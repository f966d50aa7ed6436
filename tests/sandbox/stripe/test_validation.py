"""Each request is held against the SDK's own parameter types."""

from typing import Any
from urllib.parse import quote

import pytest
import stripe

from sandbox.stripe import Request, Sandbox, forms
from sandbox.stripe.errors import ApiError
from sandbox.stripe.routes import ROUTES
from sandbox.stripe.validation import shape, typed

CREATE = "PaymentIntentCreateParams"
EVERYTHING = frozenset(shape(CREATE).__annotations__)


def refusal(form: str, name: str = CREATE) -> tuple[str | None, str | None]:
    with pytest.raises(ApiError) as refused:
        typed(form, name, frozenset(shape(name).__annotations__))
    assert (refused.value.status, refused.value.stored) == (400, False)
    return refused.value.code, refused.value.param


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.pattern.pattern}")
def test_every_call_has_its_type_and_models_nothing_else(route: Any) -> None:
    assert set(route.modelled) <= set(shape(route.shape).__annotations__)


@pytest.mark.parametrize(
    ("form", "code", "param"),
    [
        ("currency=usd", "parameter_missing", "amount"),
        ("amount=500", "parameter_missing", "currency"),
        ("amount=500&currency=usd&colour=red", "parameter_unknown", "colour"),
        ("amount=500&currency=usd&payment_method_types[0]=card", "parameter_unknown", "payment_method_types"),
        ("amount=1.9&currency=usd", "parameter_invalid_integer", "amount"),
        ("amount=5e2&currency=usd", "parameter_invalid_integer", "amount"),
        ("amount=true&currency=usd", "parameter_invalid_integer", "amount"),
        ("amount=%D9%A5&currency=usd", "parameter_invalid_integer", "amount"),
        ("amount=500&currency=", "parameter_invalid_empty", "currency"),
        ("amount=500&currency=usd&confirm=yes", None, "confirm"),
        ("amount=500&currency=usd&confirm=1", None, "confirm"),
        ("amount=500&currency=usd&setup_future_usage=sometimes", None, "setup_future_usage"),
        ("amount=500&currency=usd&expand=customer", None, "expand"),
        ("amount=500&currency=usd&expand[1]=customer", None, "expand"),
        ("amount=500&currency[a]=usd", None, "currency"),
        ("amount[gte]=500&currency=usd", None, "amount"),
        ("amount=500&currency=usd&automatic_payment_methods=true", None, "automatic_payment_methods"),
        ("amount=500&currency=usd&automatic_payment_methods[allow_redirects]=never", "parameter_missing",
         "automatic_payment_methods[enabled]"),
        ("amount=500&currency=usd&automatic_payment_methods[enabled]=true&automatic_payment_methods[x]=1",
         "parameter_unknown", "automatic_payment_methods[x]"),
        ("amount=500&currency=usd&metadata[a][b]=c", None, "metadata[a]"),
        (f"amount=500&currency=usd&metadata[{'k' * 41}]=v", None, "metadata"),
        (f"amount=500&currency=usd&metadata[k]={'v' * 501}", None, "metadata"),
        ("amount=500&amount=600&currency=usd", None, "amount"),
        ("amount=500&currency=usd&a[b=c", None, "a[b"),
        ("amount=500&currency=usd&a=1&a[b]=2", None, "a[b]"),
        ("amount=500&currency=usd&idempotency_key=x", "parameter_unknown", "idempotency_key"),
    ],
)  # fmt: skip
def test_refused(form: str, code: str | None, param: str) -> None:
    assert refusal(form) == (code, param)


def test_strings_become_what_the_types_say() -> None:
    form = (
        "amount=500&currency=usd&confirm=true&off_session=true&expand[]=customer&expand[]=latest_charge"
        "&metadata[a]=1&metadata[b]=true&automatic_payment_methods[enabled]=false&receipt_email="
    )
    # off_session is a boolean or one of two words; an empty receipt_email does not unset anything.
    with pytest.raises(ApiError):
        typed(form, CREATE, EVERYTHING)
    assert typed(form.removesuffix("&receipt_email="), CREATE, EVERYTHING) == {
        "amount": 500,
        "currency": "usd",
        "confirm": True,
        "off_session": True,
        "expand": ["customer", "latest_charge"],
        "metadata": {"a": "1", "b": "true"},
        "automatic_payment_methods": {"enabled": False},
    }


def test_a_word_where_a_boolean_may_stand() -> None:
    assert typed("amount=500&currency=usd&off_session=recurring", CREATE, EVERYTHING)["off_session"] == "recurring"
    assert refusal("amount=500&currency=usd&off_session=sometimes") == (None, "off_session")


def test_a_range_or_a_moment() -> None:
    assert typed("created=5", "EventListParams", frozenset({"created"})) == {"created": 5}
    assert typed("created[gte]=5", "EventListParams", frozenset({"created"})) == {"created": {"gte": 5}}


def test_what_stripe_knows_and_the_sandbox_does_not_is_said_aloud(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="sandbox does not model the parameter `transfer_group`"):
        client.v1.payment_intents.create({"amount": 500, "currency": "usd", "transfer_group": "x"})
    for asked in ({"capture_method": "manual"}, {"currency": "eur"}):
        with pytest.raises(stripe.InvalidRequestError, match="sandbox does not model"):
            client.v1.payment_intents.create({"amount": 500, "currency": "usd", **asked})  # type: ignore[typeddict-item]


def test_errors_have_stripes_shape(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create({"amount": 500})  # type: ignore[typeddict-item]
    body: Any = refused.value.json_body
    assert body["error"] | {"request_log_url": "..."} == {
        "code": "parameter_missing",
        "doc_url": "https://stripe.com/docs/error-codes/parameter-missing",
        "message": "Missing required param: currency.",
        "param": "currency",
        "request_log_url": "...",
        "type": "invalid_request_error",
    }
    assert str(refused.value.request_id).startswith("req_")


def test_unknown_objects_and_addresses(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such payment_intent: 'pi_x'") as refused:
        client.v1.payment_intents.retrieve("pi_x")
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL") as refused:
        client.v1.invoices.list()
    assert refused.value.http_status == 404


HOSTILE = [
    b"\xff\xfe", b"a=%ff%fe", b"%", b"[]=1", b"=1", b"a[[b]]=1", b"&".join(b"a[%d]=1" % n for n in range(2000)),
    b"amount" + b"[a]" * 50 + b"=1", b"amount=" + b"9" * 400, b"amount=-5&currency=usd", b"amount=0&currency=usd",
    b"amount=500&currency=%00", b'{"amount": 500}', b"amount=500&currency=usd&expand[0][a]=1",
    b"amount=500&currency=usd&payment_method=../../x", b"metadata=x&amount=500&currency=usd",
    b"amount=500&currency=usd&expand[]=" + b".".join([b"a"] * 500),
]  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: quote(body[:20]))
def test_hostile_bodies_get_a_400(body: bytes) -> None:
    sandbox = Sandbox(seed=1)
    asked = Request("POST", "/v1/payment_intents", "", {"authorization": "Bearer sk_test_x"}, body)
    assert sandbox.handle(asked).status == 400
    assert sandbox.books.oldest_first("payment_intent") == []


def test_an_empty_form_is_empty() -> None:
    assert forms.parse("") == {}
