"""What a demo organization has: some keys, and days that it lived through before anybody looked.

The past is made by the real code with earlier instants for `now`: reported by a gateway, charged by the sweep, posted by
the hour. Nothing in it is late, and the books are as they would be.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from billing import flows, periods
from billing.catalog.models import AIModel
from billing.metering import gateways, ingest, partitions
from billing.metering.events import Batch, Event
from billing.metering.models import UsageHour
from orgs import keys
from orgs.models import ApiKey, Organization
from sandbox import traces
from sandbox.traces import Served

KEYS = ("prod-api", "eval-batch", "notebooks")
SLOT = timedelta(minutes=10)
"""Of each ten minutes of the past one was busy: enough to see, quick to make."""
SLOTS_A_SWEEP = 18


def keys_of(organization: Organization, now: datetime) -> list[ApiKey]:
    """Three keys, so that there is something to compare; those that are missing are made."""
    with transaction.atomic():
        callers = list(keys.live(organization, now).order_by("created_at", "id")[: len(KEYS)])
        made = [keys.create(organization, None, name, None, None, now).key for name in KEYS[len(callers) :]]
    return callers + made


def models_for_sale(now: datetime) -> list[str]:
    return [model.slug for model in AIModel.objects.all() if model.refused_from is None or now < model.refused_from]


def live_through(organization: Organization, days: int, credit: Decimal, *, now: datetime) -> None:
    """Credit `days` ago and traffic since then, unless the organization has used anything yet."""
    if UsageHour.objects.filter(org_id=organization.pk).exists():
        return
    start = periods.floor_hour(now) - timedelta(days=days)
    partitions.make(now)
    flows.grant_promotional(
        organization.pk, credit, key=f"demo:{organization.pk}:history", title="Research grant",
        expires_at=start + timedelta(days=days + 60), reason="To try the portal with", issued_by=None, now=start,
    )  # fmt: skip
    callers, models = keys_of(organization, now), models_for_sale(now)
    gateway = gateways.register(f"history:{organization.slug}"[:80], now=start)
    name = f"history:{organization.slug}"
    for n in range(days * (periods.DAY // SLOT)):
        at = start + n * SLOT
        served = traces.synthetic(name, len(callers), models, at, at + periods.MINUTE)
        ingest.ingest(_reported(served, callers, at + SLOT), gateway_id=gateway.pk, now=at + SLOT)
        if n % SLOTS_A_SWEEP == SLOTS_A_SWEEP - 1:
            flows.sweep(now=at + SLOT)
    gateways.retire(gateway, now=now)


def _reported(served: Sequence[Served], callers: Sequence[ApiKey], complete_through: datetime) -> Batch:
    """What a gateway would have reported at that instant."""
    events = [
        Event(
            id=one.id, key=callers[one.caller].public_id, model=one.model, input_tokens=one.input_tokens,
            cached_input_tokens=one.cached_input_tokens, output_tokens=one.output_tokens, occurred_at=one.at,
        )
        for one in served
    ]  # fmt: skip
    return Batch(events, range(len(events)), complete_through=complete_through)
