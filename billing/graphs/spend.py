"""How much credit was spent between two instants, to the minute: from the rollups, whatever the number of requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection

from billing import periods
from billing.coverage.models import Payer
from billing.graphs.ranges import Span
from billing.metering.models import UsageHour
from billing.money import ZERO

# Whole hours from the hourly rollup; the minutes of the hour in which a span ends from the other one.
BETWEEN = """
SELECT coalesce((SELECT sum(h.cost) FROM usage_hour h
                 WHERE h.org_id = %(org)s AND h.hour >= s.start AND h.hour < s.cut AND h.payer = %(payer)s), 0)
     + coalesce((SELECT sum(m.cost) FROM usage_minute m
                 WHERE m.org_id = %(org)s AND m.minute >= greatest(s.cut, s.start) AND m.minute < s.until), 0)
FROM unnest(%(starts)s::timestamptz[], %(cuts)s::timestamptz[], %(ends)s::timestamptz[])
     WITH ORDINALITY AS s(start, cut, until, place)
ORDER BY s.place
"""
PACE_DAYS = 7
ENOUGH_DAYS = 3


def between(org_id: int, spans: Sequence[Span]) -> list[Decimal]:
    """What each span cost in credit, USD exactly; spans start on the hour. One query for all of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            BETWEEN,
            {
                "org": org_id,
                "payer": Payer.CREDITS,
                "starts": [span.start for span in spans],
                "cuts": [periods.floor_hour(span.end) for span in spans],
                "ends": [span.end for span in spans],
            },
        )
        return [spent for (spent,) in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast credit was spent over the last `days` whole UTC days, 7 at most; `known` only from the third day on."""

    days: int
    per_day: Decimal

    @property
    def known(self) -> bool:
        return self.days >= ENOUGH_DAYS


def pace(org_id: int, *, now: datetime) -> Pace:
    """Two queries at most: when credit was first spent, and how much of it in the last whole days since."""
    first = (
        UsageHour.objects.filter(org_id=org_id, payer=Payer.CREDITS, cost__gt=0)
        .order_by("hour")
        .values_list("hour", flat=True)
        .first()
    )
    today = periods.floor_day(now)
    if first is None or first >= today:
        return Pace(0, ZERO)
    days = min((today - _next_midnight(first)).days, PACE_DAYS)
    if days < 1:
        return Pace(0, ZERO)
    [spent] = between(org_id, [Span(today - timedelta(days=days), today)])
    return Pace(days, spent / days)


def _next_midnight(at: datetime) -> datetime:
    midnight = periods.floor_day(at)
    return midnight if midnight == at else midnight + periods.DAY
