"""Pages as people see them. The dashboard's tests stop the clock at NOW."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine

from billing.catalog.models import AIModel
from orgs.models import ApiKey, Organization
from tests.factories import catalog
from tests.factories import orgs as people
from tests.factories.paying import stripe

__all__ = ["stripe"]

NOW = datetime(2026, 4, 14, 12, 41, 8, tzinfo=UTC)


@pytest.fixture
def at_noon() -> Iterator[datetime]:
    """14 April 2026, 12:41:08 UTC, and no second later."""
    with time_machine.travel(NOW, tick=False):
        yield NOW


@pytest.fixture
def model(db: None) -> AIModel:
    return catalog.model("gpt-oss-120b")


@pytest.fixture
def key(acme: Organization) -> ApiKey:
    return people.key(acme, "prod-api", now=NOW).key
