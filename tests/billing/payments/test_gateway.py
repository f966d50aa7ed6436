"""What Stripe says, in three words and plain values."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from billing.payments import gateway
from billing.payments.gateway import NewCheckout, NewCustomer
from sandbox.stripe import Running
from tests.factories.paying import ASKS, NO_FUNDS, PAYS

pytestmark = pytest.mark.django_db(transaction=True)


def customer() -> str:
    return gateway.create_customer(NewCustomer(7, "Acme Research", "alice@example.com"), key=uuid4().hex)


def page(customer_id: str, /, **other: Any) -> NewCheckout:
    at = timezone.now().replace(microsecond=0) + timedelta(minutes=31)
    return NewCheckout(
        **{
            "intent_id": uuid4(),
            "customer_id": customer_id,
            "amount_cents": 100_00,
            "title": "Purser credit",
            "expires_at": at,
            "return_url": "http://127.0.0.1/back?returned=1",
            "cancel_url": "http://127.0.0.1/back",
            **other,
        }
    )


def test_a_page_is_opened_once_per_key_and_knows_what_it_is_for(stripe: Running) -> None:
    new = page(customer())
    first, again = (gateway.create_checkout(new, key="one") for _ in range(2))
    assert first == again
    assert (first.status, first.payment_status, first.amount_cents, first.currency) == ("open", "unpaid", 100_00, "usd")
    assert (first.intent_id, first.expires_at) == (new.intent_id, new.expires_at)
    assert first.url.startswith(stripe.base_url)
    assert first.payment is None


def test_a_paid_page_shows_the_payment_the_charge_and_the_card(stripe: Running) -> None:
    new = page(customer())
    opened = gateway.create_checkout(new, key="one")
    stripe.admin.pay(opened.id, PAYS)
    payment = gateway.read_checkout(opened.id).payment
    assert payment is not None
    assert payment.charge is not None
    assert payment.charge.card is not None
    assert (payment.status, payment.received_cents, payment.currency) == ("succeeded", 100_00, "usd")
    assert payment.intent_id == new.intent_id
    assert payment.charge.amount_cents == 100_00
    assert (payment.charge.card.brand, payment.charge.card.last4) == ("visa", "4242")
    assert gateway.read_payment(payment.id) == payment
    assert gateway.read_charge(payment.charge.id) == payment.charge


def test_the_card_is_saved_for_charges_without_its_holder(stripe: Running) -> None:
    customer_id = customer()
    opened = gateway.create_checkout(page(customer_id), key="one")
    stripe.admin.pay(opened.id, PAYS)
    payment = gateway.read_checkout(opened.id).payment
    assert payment is not None
    assert payment.charge is not None
    assert payment.charge.card is not None
    method = stripe.sandbox.world.find("payment_method", payment.charge.card.method_id)
    assert method["customer"] == customer_id


def test_a_decline_on_the_page_leaves_it_open_and_says_why(stripe: Running) -> None:
    opened = gateway.create_checkout(page(customer()), key="one")
    stripe.admin.pay(opened.id, NO_FUNDS)
    seen = gateway.read_checkout(opened.id)
    assert seen.status == "open"
    assert seen.payment is not None
    assert seen.payment.decline is not None
    assert seen.payment.decline.code == "insufficient_funds"


def test_a_challenge_is_neither_paid_nor_failed(stripe: Running) -> None:
    opened = gateway.create_checkout(page(customer()), key="one")
    stripe.admin.pay(opened.id, ASKS)
    payment = gateway.read_checkout(opened.id).payment
    assert payment is not None
    assert payment.status == "requires_action"


def test_a_page_is_found_by_our_id_and_a_missing_one_is_none(stripe: Running) -> None:
    customer_id, since = customer(), timezone.now() - timedelta(hours=1)
    new = page(customer_id)
    opened = gateway.create_checkout(new, key="one")
    for place in range(3):
        gateway.create_checkout(page(customer_id), key=f"other {place}")
    assert gateway.find_checkout(customer_id, new.intent_id, since=since) == opened
    assert gateway.find_checkout(customer_id, uuid4(), since=since) is None


def test_a_closed_page_cannot_be_closed_again(stripe: Running) -> None:
    opened = gateway.create_checkout(page(customer()), key="one")
    gateway.expire_checkout(opened.id)
    assert gateway.read_checkout(opened.id).status == "expired"
    with pytest.raises(gateway.Refused):
        gateway.expire_checkout(opened.id)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "timeout", "seconds": 3},
        {"kind": "timeout", "moment": "after", "seconds": 3},
        {"kind": "reset"},
        {"kind": "reset", "moment": "after"},
        {"kind": "error", "status": 500},
        {"kind": "error", "status": 503, "moment": "after"},
        {"kind": "error", "status": 502, "moment": "after", "stored": False},
        {"kind": "rate_limit"},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
def test_whatever_leaves_us_in_the_dark_is_unknown_and_sent_once(
    stripe: Running, settings: Any, fault: dict[str, Any]
) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.3
    new = page(customer())
    stripe.admin.fault(**fault, method="POST", path="/v1/checkout/sessions")
    with pytest.raises(gateway.Unknown):
        gateway.create_checkout(new, key="one")
    assert len(stripe.admin.requests("POST", "/v1/checkout/sessions")) == 1, "no hidden retries"


def test_a_second_request_while_the_first_is_under_way_is_unknown(stripe: Running, settings: Any) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.2
    new = page(customer())
    stripe.admin.fault("slow", seconds=1, method="POST", path="/v1/checkout/sessions")
    for _ in range(2):
        with pytest.raises(gateway.Unknown):
            gateway.create_checkout(new, key="one")


def test_nobody_there_is_unknown(settings: Any) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "sk_test_x", "http://127.0.0.1:9"
    with pytest.raises(gateway.Unknown):
        customer()


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"customer_id": "cus_nobody"}, "resource_missing"),
        ({"amount_cents": 49}, "amount_too_small"),
        ({"return_url": "nowhere"}, "url_invalid"),
        ({"expires_at": timezone.now()}, "invalid_request"),
    ],
)
def test_what_stripe_will_not_do_is_refused(stripe: Running, other: dict[str, Any], code: str) -> None:
    with pytest.raises(gateway.Refused) as refusal:
        gateway.create_checkout(page(customer(), **other), key="one")
    assert refusal.value.code == code


def test_another_request_under_the_same_key_is_refused(stripe: Running) -> None:
    customer_id = customer()
    gateway.create_checkout(page(customer_id), key="one")
    with pytest.raises(gateway.Refused) as refusal:
        gateway.create_checkout(page(customer_id, amount_cents=5_00), key="one")
    assert refusal.value.code == "idempotency"


@pytest.mark.parametrize("key", ["", "sk_live_not_here"])
def test_a_key_stripe_does_not_take_is_refused(stripe: Running, settings: Any, key: str) -> None:
    settings.STRIPE_SECRET_KEY = key
    with pytest.raises(gateway.Refused):
        customer()


def test_stripe_is_never_called_inside_a_transaction(stripe: Running) -> None:
    with transaction.atomic(), pytest.raises(gateway.CalledInsideTransaction):
        customer()
    assert stripe.admin.requests() == []
