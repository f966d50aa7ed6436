"""A key of a Team without credit, a gateway, and nothing remembered from the test before."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from billing.limits import reading, resolved
from billing.metering import gateways
from orgs.keys import NewKey
from orgs.models import Organization
from tests.billing.api.limits.calling import Caller, gateway_named
from tests.factories import catalog as catalogs
from tests.factories import orgs as people


@pytest.fixture(autouse=True)
def nothing_is_kept() -> None:
    reading.forget()
    resolved.forget()
    gateways.forget()


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def key(acme: Organization, now: datetime) -> NewKey:
    """A key of the Team Acme Research, which has no credit."""
    catalogs.model()
    return people.key(acme, now=now - timedelta(hours=1))


@pytest.fixture
def gateway(db: None) -> Caller:
    return gateway_named("eu-1")
