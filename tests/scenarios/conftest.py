"""Months of an organization in few words, told with the real doors and tasks at made-up times."""

from datetime import UTC, datetime
from typing import Any

import pytest

from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.factories import catalog, plans, usage
from tests.factories import orgs as people
from tests.factories.paying import stripe
from tests.scenarios import plan_life
from tests.scenarios.plan_life import Life
from tests.scenarios.story import MODEL, Story

__all__ = ["stripe"]


@pytest.fixture(autouse=True)
def the_books_are_right(books_are_right: None) -> None:
    """Whatever happens in a story, every promise holds afterwards."""


@pytest.fixture
def story(transactional_db: None, stripe: Running, settings: Any, acme: Organization, alice: User) -> Story:
    # A machine under load must not turn an answer into none: that is another story.
    settings.STRIPE_TIMEOUT_SECONDS = 20.0
    usage.days(datetime.now(UTC))
    catalog.model(MODEL, input_usd="1")
    return Story(stripe, acme, alice)


@pytest.fixture
def life(transactional_db: None, stripe: Running, settings: Any, acme: Organization, alice: User) -> Life:
    settings.STRIPE_TIMEOUT_SECONDS = 20.0
    plans.offered(plan_life.MODEL)
    return Life(stripe, acme, alice, people.key(acme, now=plan_life.WINTER - plan_life.DAY).key)
