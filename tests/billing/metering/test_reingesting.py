"""A19: a refused event comes in when staff have mended the cause, and only then."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.metering import ingest, reingesting
from billing.metering.models import Gateway, RefusedUsage, UsageEvent
from orgs.models import ApiKey, Organization
from tests.factories import catalog, usage
from tests.factories import orgs as people

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)


@pytest.fixture
def gateway() -> Gateway:
    usage.days(NOW)
    return usage.gateway(now=NOW - timedelta(days=4))


@pytest.fixture
def key(acme: Organization) -> ApiKey:
    return people.key(acme, now=NOW).key


def refused(gateway: Gateway, key: ApiKey, model: str) -> RefusedUsage:
    receipt = ingest.ingest(
        usage.batch(usage.event(key.public_id, NOW, model=model)), gateway_id=gateway.pk, now=NOW, reported=False
    )
    assert receipt.accepted == 0
    return RefusedUsage.objects.latest("pk")


def test_once_the_model_is_there_its_events_are_taken_in_once(gateway: Gateway, key: ApiKey) -> None:
    row = refused(gateway, key, "new-model")
    assert reingesting.again([row], now=NOW) == 0
    assert not UsageEvent.objects.exists()

    catalog.model("new-model")
    assert reingesting.again([row], now=NOW) == 1
    row.refresh_from_db()
    assert row.reingested_at == NOW
    assert str(UsageEvent.objects.get().id) == row.event_id
    assert reingesting.again([row], now=NOW) == 0


def test_one_that_came_in_meanwhile_counts_as_in(gateway: Gateway, key: ApiKey) -> None:
    row = refused(gateway, key, "new-model")
    catalog.model("new-model")
    reingesting.again([row], now=NOW)
    RefusedUsage.objects.update(reingested_at=None)
    row.refresh_from_db()
    assert reingesting.again([row], now=NOW) == 1
    assert UsageEvent.objects.count() == 1


def test_other_causes_are_not_mended_by_asking_again(gateway: Gateway, acme: Organization) -> None:
    catalog.model()
    batch = usage.batch(usage.event("key_0000000000000000", NOW))
    ingest.ingest(batch, gateway_id=gateway.pk, now=NOW, reported=False)
    row = RefusedUsage.objects.get(reason="unknown_key")
    assert reingesting.again([row], now=NOW) == 0


def test_it_is_no_sign_of_life_of_the_gateway(gateway: Gateway, key: ApiKey) -> None:
    row = refused(gateway, key, "new-model")
    catalog.model("new-model")
    reingesting.again([row], now=NOW)
    gateway.refresh_from_db()
    assert gateway.last_seen_at is None
