"""A gateway, a priced model and a key of Acme Research; `NOW` is the moment at which everything happens unless told."""

from datetime import UTC, datetime

import pytest

from billing.catalog.models import AIModel
from billing.metering.models import Gateway
from orgs.models import ApiKey, Organization
from tests.factories import catalog, usage
from tests.factories import orgs as people

NOW = datetime(2026, 3, 10, 12, 30, 17, tzinfo=UTC)


@pytest.fixture(autouse=True)
def the_books_are_right(books_are_right: None) -> None:
    """Whatever these tests do to money, every promise holds afterwards."""


@pytest.fixture
def days(db: None) -> None:
    usage.days(NOW)


@pytest.fixture
def model(days: None) -> AIModel:
    return catalog.model()


@pytest.fixture
def gateway(db: None) -> Gateway:
    return usage.gateway(now=NOW)


@pytest.fixture
def key(acme: Organization) -> ApiKey:
    return people.key(acme, now=NOW).key


@pytest.fixture
def personal_key(alice_personal: Organization) -> ApiKey:
    return people.key(alice_personal, now=NOW).key
