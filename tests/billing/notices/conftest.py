"""Acme Research on 30 March 2026, and what it is told."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from billing.notices import announcing
from billing.notices.models import Kind, Notice
from orgs.models import Organization
from tests.billing.notices.examples import FACTS

NOW = datetime(2026, 3, 30, 16, 0, 0, tzinfo=UTC)

Tell = Callable[..., Notice]


@pytest.fixture(autouse=True)
def the_house(settings: Any) -> None:
    settings.PUBLIC_URL = "https://billing.purser.example"
    settings.SUPPORT = {**settings.SUPPORT, "email": "billing@purser.example"}
    settings.DEFAULT_FROM_EMAIL = "Purser <billing@purser.example>"
    settings.ROOT_URLCONF = "tests.billing.notices.urls"


@pytest.fixture
def tell(acme: Organization) -> Tell:
    """Tell Acme one of the examples."""

    def told(example: str = "receipt", *, org: Organization = acme, now: datetime = NOW) -> Notice:
        kind, facts = FACTS[example]
        key = str(uuid4())
        announcing.announce(org.pk, Kind(kind), key=key, facts=facts, now=now)
        return Notice.objects.get(key=f"{kind}:{key}")

    return told
