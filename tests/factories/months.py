"""Months that end: who owes what then, and the closing of its books."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from billing import flows
from billing.metering import gateways
from billing.metering.models import Gateway
from billing.settlement.models import Settlement
from orgs.models import Organization
from tests.factories import cards, usage

MARCH = datetime(2026, 3, 10, 12, 30, 17, tzinfo=UTC)
"""When things happen in March, unless told."""
APRIL = datetime(2026, 4, 1, 0, 6, tzinfo=UTC)
"""Six minutes into April: with gateways that have reported, March is complete."""
MAY = datetime(2026, 5, 1, 0, 6, tzinfo=UTC)


def reported(now: datetime, *, through: datetime | None = None) -> None:
    """Every gateway, one at least, has reported everything that occurred until now."""
    for gateway in Gateway.objects.all() or [gateways.register("eu-1", now=now)]:
        gateway.last_seen_at, gateway.complete_through = now, through or now
        gateway.save(update_fields=["last_seen_at", "complete_through"])


def closed(now: datetime = APRIL) -> int:
    """The clock closes what is complete when all gateways have reported until now; answers how many."""
    reported(now)
    return flows.settle_periods(now=now)


def owing(
    org: Organization,
    usd: str,
    *,
    bought: str = "5",
    card: bool = True,
    at: datetime = MARCH,
    now: datetime | None = None,
) -> None:
    """Credit was bought, with a card that was saved, and so much more was used."""
    if Decimal(bought):
        usage.bought(org, bought, now=at - timedelta(hours=1))
    if card:
        cards.saved(org)
    usage.spent(org, str(Decimal(bought) + Decimal(usd)), now=at)


def settlement(org: Organization, month: int = 3) -> Settlement:
    return Settlement.objects.get(wallet=org.pk, period__month=month)
