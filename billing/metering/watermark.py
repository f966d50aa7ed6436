"""Through when usage is complete (A13): what the slowest of the gateways at work has said."""

from datetime import datetime, timedelta

from django.db.models import Min
from django.db.models.functions import Coalesce

from billing.metering.models import Gateway

COUNTS_FOR = timedelta(hours=72)
"""A gateway that has not been seen for so long no longer holds the watermark."""


def complete_through(now: datetime) -> datetime | None:
    """Everything that occurred before this instant has been reported; None when no gateway is at work.

    A gateway that has not said anything yet has nothing older than itself to report.
    """
    at_work = Gateway.objects.filter(retired_at__isnull=True, last_seen_at__gte=now - COUNTS_FOR)
    least: datetime | None = at_work.aggregate(least=Min(Coalesce("complete_through", "created_at")))["least"]
    return least
