"""A world in which time goes on when it is told to, and a Stripe that can be given trouble."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client

from orgs.models import User
from sandbox.stripe import Running
from tests.factories.paying import sandboxed
from tests.faults.living import World

BEGINNING = datetime(2026, 4, 14, 12, 41, 8, tzinfo=UTC)


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
    with sandboxed(settings) as running:
        settings.STRIPE_TIMEOUT_SECONDS = 0.3
        yield running


@pytest.fixture
def world(stripe: Running, clock: time_machine.Traveller, alice: User) -> World:
    browser = Client(raise_request_exception=False)
    browser.force_login(alice, backend="allauth.account.auth_backends.AuthenticationBackend")
    return World(stripe, clock, alice, browser, Client())
