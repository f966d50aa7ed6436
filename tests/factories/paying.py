"""Buying credit at the Stripe sandbox, and bringing its webhooks to the door by hand."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils import timezone

from billing import flows
from billing.payments import collecting, polling
from billing.payments.models import Intent
from orgs.models import Organization, User
from sandbox.stripe import Running, running
from sandbox.stripe.webhooks import signature

SECRET = "whsec_of_the_tests"
PAYS = "4242424242424242"
DECLINES = "4000000000000002"
NO_FUNDS = "4000000000009995"
ASKS = "4000002760003184"
"""3-D Secure on every payment."""


@contextmanager
def sandboxed(settings: Any, *, patience: float | None = None) -> Iterator[Running]:
    """Purser's own gateway, talking to a Stripe on this machine. `patience`: see `sandbox.stripe.core.Sandbox`."""
    with running(webhook_secret=SECRET, patience=patience) as stripe:
        settings.STRIPE_SECRET_KEY = "sk_test_of_the_tests"
        settings.STRIPE_API_BASE = stripe.base_url
        settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
        settings.STRIPE_TIMEOUT_SECONDS = 1.0
        yield stripe


@pytest.fixture
def stripe(settings: Any) -> Iterator[Running]:
    with sandboxed(settings) as running:
        yield running


def order(org: Organization, by: User, cents: int = 100_00, nonce: UUID | None = None) -> collecting.Order:
    return collecting.Order(org.pk, cents, nonce or uuid4(), by.pk)


def begin(org: Organization, by: User, cents: int = 100_00) -> Intent:
    """A purchase whose page at Stripe is open."""
    return collecting.buy_credits(order(org, by, cents), now=timezone.now())


def pay(stripe: Running, org: Organization, by: User, cents: int = 100_00, card: str = PAYS) -> Intent:
    """A purchase that was paid and is credited."""
    intent = begin(org, by, cents)
    stripe.admin.pay(intent.checkout_id or "", card)
    flows.payment_outcome(intent.pk, polling.ask(intent.pk, now=timezone.now()), now=timezone.now())
    intent.refresh_from_db()
    assert intent.charge_id
    return intent


def events(stripe: Running, type: str = "") -> list[dict[str, Any]]:
    """What Stripe has to tell, oldest first."""
    url = f"{stripe.base_url}/v1/events?limit=100" + (f"&type={type}" if type else "")
    asked = urllib.request.Request(url, headers={"Authorization": "Bearer sk_test_of_the_tests"})
    with urllib.request.urlopen(asked) as answer:
        listed: list[dict[str, Any]] = json.loads(answer.read())["data"]
    return listed[::-1]


def post(body: bytes | str | dict[str, Any], *, header: str | None = None, client: Client | None = None) -> Any:
    """A webhook at the door, rightly signed unless a header is given."""
    raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    header = signature(SECRET, int(timezone.now().timestamp()), raw) if header is None else header
    headers = {"Stripe-Signature": header} if header else {}
    return (client or Client()).post("/webhooks/stripe", raw, content_type="application/json", headers=headers)


def tell(stripe: Running, type: str = "", *, times: int = 1) -> int:
    """Deliver what Stripe has to tell so far, each `times` times; answers how many deliveries that were."""
    told = 0
    for event in events(stripe, type):
        for _ in range(times):
            assert post(event).status_code == 200
            told += 1
    return told
