"""A world in which time goes on when it is told to, and a Stripe that can be given trouble."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.test import Client

from billing.payments import gateway
from orgs.models import User
from sandbox.stripe import Running
from tests.factories.paying import sandboxed
from tests.faults.living import BEGINNING, World
from tests.faults.troubles import NEVER, PATIENCE


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Hundreds of lives full of trouble, and each has a lot to tell."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(BEGINNING, tick=True) as clock:
        yield clock


@pytest.fixture
def stripe(clock: time_machine.Traveller, settings: Any) -> Iterator[Running]:
    """On the same clock as ours."""
    with sandboxed(settings, patience=NEVER) as running:
        # The first call of a process loads half of Stripe's library.
        gateway.create_customer(gateway.NewCustomer(1, "Warm-up", "warm-up@example.com"), key="warm-up")
        settings.STRIPE_TIMEOUT_SECONDS = PATIENCE
        yield running


@pytest.fixture
def world(stripe: Running, clock: time_machine.Traveller, alice: User) -> World:
    browser = Client(raise_request_exception=False)
    browser.force_login(alice, backend="allauth.account.auth_backends.AuthenticationBackend")
    return World(stripe, clock, alice, browser, Client())
