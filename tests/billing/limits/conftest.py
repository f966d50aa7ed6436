"""Organizations with a key and some credit."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.utils import timezone

from billing.catalog.models import AIModel
from billing.ledger import grants, wallets
from billing.limits import publishing, reading, resolved
from billing.limits.answers import Answer
from billing.metering import gateways
from billing.metering.models import Gateway
from orgs.keys import NewKey
from orgs.models import Organization
from tests.factories import catalog as catalogs
from tests.factories import orgs as people


@pytest.fixture(autouse=True)
def nothing_is_kept() -> None:
    """What the process remembers of one test is not the next one's."""
    reading.forget()
    resolved.forget()
    gateways.forget()


@pytest.fixture
def now() -> datetime:
    return timezone.now().replace(microsecond=0)


@dataclass
class Acme:
    """The Team, its key, and what may be done to it."""

    organization: Organization
    key: NewKey
    now: datetime

    @property
    def id(self) -> int:
        return self.organization.pk

    def give(self, usd: str, *, expires_at: datetime | None = None, publish: bool = True) -> None:
        """Promotional credit, as the flow gives it."""
        with transaction.atomic():
            wallets.lock([self.id])
            grants.issue_promotional(
                self.id,
                Decimal(usd),
                key=f"test-{self.id}-{usd}-{expires_at}",
                title="Welcome",
                expires_at=expires_at or self.now + timedelta(days=30),
                reason="test",
                issued_by=None,
                now=self.now,
            )
            if publish:
                publishing.publish([self.id], now=self.now)

    def ask(self, at: datetime | None = None) -> Answer:
        """The answer of this moment, read anew."""
        reading.forget()
        told = reading.by_hash(bytes(self.key.key.hash), now=at or self.now)
        assert told is not None
        return told.answer


def acme_of(organization: Organization, now: datetime) -> Acme:
    return Acme(organization, people.key(organization, now=now), now)


@pytest.fixture
def gpt(db: None) -> AIModel:
    return catalogs.model("gpt-oss-120b")


@pytest.fixture
def team(acme: Organization, gpt: AIModel, now: datetime) -> Acme:
    return acme_of(acme, now)


@pytest.fixture
def personal(alice_personal: Organization, gpt: AIModel, now: datetime) -> Acme:
    return acme_of(alice_personal, now)


@pytest.fixture
def gateway(now: datetime) -> Gateway:
    return gateways.register("eu-1", now=now)
