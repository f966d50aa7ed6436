"""Ten batches that meet, over real connections: nothing waits in a circle, nothing counts twice. More: `tests/races/`."""

import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from billing import flows
from billing.catalog.models import AIModel
from billing.ledger import balances
from billing.metering import charging, ingest, returning, rollups
from billing.metering.events import Batch, Event
from billing.metering.models import Gateway, UsageDelta, UsageEvent
from billing.metering.reversing import Reversal
from orgs.models import ApiKey, Organization
from tests.billing.metering.conftest import NOW
from tests.factories import usage
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

ONE = Decimal("0.000425")
MONTH = NOW.replace(day=1, hour=0, minute=0, second=0)


def test_ten_batches_with_the_same_events_in_any_order(
    key: ApiKey,
    personal_key: ApiKey,
    acme: Organization,
    alice_personal: Organization,
    gateway: Gateway,
    model: AIModel,
) -> None:
    """1,000 events, each in four of ten batches that are sent at once, half of the ids of version 7."""
    chance = random.Random(7)
    events = [
        usage.event(
            chance.choice((key, personal_key)).public_id, at := NOW - timedelta(seconds=n),
            id=usage.v7(at, n) if n % 2 else uuid4(),
        )
        for n in range(1_000)
    ]  # fmt: skip
    batches: list[list[Event]] = [[] for _ in range(10)]
    for event in events:
        for batch in chance.sample(batches, 4):
            batch.append(event)
    for n, batch in enumerate(batches):
        chance.shuffle(batch) if n % 3 else batch.sort(key=lambda one: one.occurred_at, reverse=bool(n % 2))

    def send(batch: list[Event]) -> Callable[[], Any]:
        return lambda: ingest.ingest(Batch(batch, range(len(batch))), gateway_id=gateway.pk, now=NOW)

    answers = at_once(*(send(batch) for batch in batches))
    assert sum(answer.accepted for answer in answers) == 1_000
    assert sum(answer.duplicate for answer in answers) == 3_000
    assert [answer.refused for answer in answers] == [[]] * 10
    assert UsageEvent.objects.count() == 1_000
    charging.sweep(now=NOW)
    paid = UsageEvent.objects.filter(org_id=acme.pk).count()
    assert balances.of(acme.pk, now=NOW).available == -paid * ONE
    assert rollups.compare([acme.pk, alice_personal.pk], since=MONTH) == []


def test_use_that_arrives_while_an_event_is_taken_back_is_charged(
    key: ApiKey, acme: Organization, gateway: Gateway, model: AIModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch waits for nobody: it may be committed in the middle of a reversal, after the wallet was drained."""
    usage.given(acme, "10", now=NOW)
    one, other = usage.event(key.public_id, NOW), usage.event(key.public_id, NOW)
    ingest.ingest(usage.batch(one), gateway_id=gateway.pk, now=NOW)
    give_back = returning.give_back

    def meanwhile(*args: Any, **kwargs: Any) -> None:
        give_back(*args, **kwargs)
        (receipt,) = at_once(lambda: ingest.ingest(usage.batch(other), gateway_id=gateway.pk, now=NOW))
        assert receipt.accepted == 1

    monkeypatch.setattr(returning, "give_back", meanwhile)
    flows.reverse_usage(Reversal(uuid4(), one.id, "counted twice", gateway.pk), now=NOW)
    assert UsageDelta.objects.count() == 1, "what came meanwhile waits for the next sweep"

    flows.sweep(now=NOW)
    assert balances.of(acme.pk, now=NOW).available == 10 - ONE
