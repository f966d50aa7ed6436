"""Weeks of use in few words: tokens by the minute, charged by the real sweep."""

from datetime import datetime, timedelta
from uuid import uuid4

from django.db import connection

from billing import flows, periods
from billing.catalog.models import AIModel, Price
from billing.coverage.models import Payer
from billing.metering import gateways
from billing.metering.models import Gateway
from orgs.models import ApiKey


def accepted(
    key: ApiKey,
    model: AIModel,
    at: datetime,
    *,
    tokens_in: int = 1_000_000,
    cached: int = 0,
    tokens_out: int = 100_000,
    requests: int = 10,
    late: int = 0,
    payer: Payer = Payer.CREDITS,
) -> None:
    """What a gateway reported, accepted and not yet charged: one minute of one key and model at the price in force."""
    price = Price.objects.filter(model=model, valid_from__lte=at).latest("valid_from")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO usage_delta (minute, org_id, key_id, events, input_tokens, cached_tokens, output_tokens,"
            " late_tokens, price_id, model_id, payer) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [periods.floor_minute(at), key.organization_id, key.pk, requests, tokens_in, cached, tokens_out, late,
             price.pk, model.pk, payer.value],
        )  # fmt: skip


def charged(*, now: datetime, through: datetime | None = None) -> None:
    """Sweep: charge what was accepted and post the hours that are over. `through`: what the gateways have reported."""
    for gateway in Gateway.objects.all() or [gateways.register(f"gw-{uuid4().hex[:6]}", now=now)]:
        gateway.last_seen_at, gateway.complete_through = now, through or now - timedelta(seconds=8)
        gateway.save(update_fields=["last_seen_at", "complete_through"])
    flows.sweep(now=now)


def charged_and_posted(hour: datetime, *, now: datetime) -> None:
    """Charged within its hour, as usual, and in the ledger by `now`."""
    charged(now=periods.floor_hour(hour) + timedelta(minutes=59))
    charged(now=now)
