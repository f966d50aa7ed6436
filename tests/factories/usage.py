"""Use coming in: gateways, events, and credit to pay for them."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.db import connection

from billing import flows
from billing.catalog.models import AIModel
from billing.ledger import grants, wallets
from billing.ledger.models import CreditGrant, GrantSource
from billing.limits import publishing
from billing.metering import gateways, ingest
from billing.metering.events import Batch, Event
from billing.metering.models import Gateway
from billing.payments.models import Intent
from orgs.models import Organization
from tests.factories import catalog
from tests.factories import orgs as people


def days(*moments: datetime) -> None:
    """Room for events of these days and of those beside them: to make all that `partitions.make` makes takes ten times as
    long as what most tests do there."""
    with connection.cursor() as cursor:
        for moment in moments:
            cursor.execute("SELECT usage_partitions_make(%s::date, 3)", [(moment - timedelta(days=1)).date()])


def gateway(name: str = "eu-1", *, now: datetime) -> Gateway:
    return gateways.register(name, now=now)


def event(key: str, at: datetime, **other: Any) -> Event:
    """One event of 1,000 input (none cached) and 100 output tokens on gpt-oss-120b, unless told otherwise."""
    body: dict[str, Any] = {
        "model": "gpt-oss-120b",
        "input_tokens": 1_000,
        "output_tokens": 100,
        "id": uuid4(),
        **other,
    }
    return Event(key=key, occurred_at=at, **body)


def batch(*events: Event) -> Batch:
    return Batch(events, range(len(events)))


def v7(at: datetime, tail: int = 0) -> UUID:
    """An id of version 7 that carries this time."""
    milliseconds = int(at.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | tail)


def bought(organization: Organization, usd: str, *, now: datetime) -> CreditGrant:
    """Credit that was paid for. The answers for gateways follow, as after every payment."""
    intent = Intent.objects.create(
        id=uuid4(), wallet_id=organization.pk, purpose="credits", amount_cents=int(Decimal(usd) * 100), key=f"buy:{uuid4()}",
        created_at=now, state="succeeded", charged_at=now, provider_id=f"pi_{uuid4().hex}",
    )  # fmt: skip
    wallets.lock([organization.pk])
    grant = grants.issue_paid(
        organization.pk, Decimal(usd), payment_id=intent.id, source=GrantSource.PURCHASE, title="Purchase", charged_at=now,
        now=now,
    )  # fmt: skip
    publishing.publish([organization.pk], now=now)
    return grant


def given(organization: Organization, usd: str, *, now: datetime, days: int = 30) -> CreditGrant:
    """Promotional credit."""
    wallets.lock([organization.pk])
    grant = grants.issue_promotional(
        organization.pk, Decimal(usd), key=str(uuid4()), title="Welcome credit", expires_at=now + timedelta(days=days),
        reason="welcome", issued_by=None, now=now,
    )  # fmt: skip
    publishing.publish([organization.pk], now=now)
    return grant


def spent(organization: Organization, usd: str, *, now: datetime) -> None:
    """Use that cost exactly this much, reported, accepted and charged: on a model of 1.00 USD per million input tokens."""
    slug = "dollar-a-million"
    if not AIModel.objects.filter(slug=slug).exists():
        catalog.model(slug, input_usd="1")
    days(now)
    key = people.key(organization).key
    reporter = Gateway.objects.first() or gateway(now=now)
    left, events = int(Decimal(usd) * 1_000_000), []
    while left:
        tokens = min(left, 1_000_000)
        events.append(event(key.public_id, now, model=slug, input_tokens=tokens, output_tokens=0))
        left -= tokens
    answer = ingest.ingest(batch(*events), gateway_id=reporter.pk, now=now)
    assert answer.accepted == len(events)
    flows.sweep(now=now)
