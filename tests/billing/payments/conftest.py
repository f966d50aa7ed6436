"""What tests of payments share: a Stripe, a purchase that was paid, and a key with a model to spend it on."""

import pytest

from billing.catalog.models import AIModel
from billing.payments.models import Intent
from orgs.models import ApiKey, Organization, User
from sandbox.stripe import Running
from tests.factories import catalog
from tests.factories import orgs as people
from tests.factories.paying import pay, stripe

__all__ = ["stripe"]


@pytest.fixture(autouse=True)
def the_books_are_right(books_are_right: None) -> None:
    """Whatever these tests do to money, every promise holds afterwards."""


@pytest.fixture
def paid(stripe: Running, acme: Organization, alice: User) -> Intent:
    """Alice bought 100.00 for Acme."""
    return pay(stripe, acme, alice)


@pytest.fixture
def model(db: None) -> AIModel:
    """A dollar for a million tokens in."""
    return catalog.model(input_usd="1", output_usd="0")


@pytest.fixture
def key(acme: Organization) -> ApiKey:
    return people.key(acme).key
