"""Use coming in: gateways, events, and credit to pay for them."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from billing.ledger import grants, wallets
from billing.ledger.models import CreditGrant, GrantSource
from billing.limits import publishing
from billing.metering import gateways
from billing.metering.events import Batch, Event
from billing.metering.models import Gateway
from billing.payments.models import Intent
from orgs.models import Organization


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
