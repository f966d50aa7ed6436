"""What an organization used in the last days, by model and day, at list price: what each way to pay is compared on.

Reads the hours' rollup, never requests. Tokens are priced by `metering.rating`, as billing does.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from django.db import connection

from billing import periods
from billing.catalog.offer import MILLION
from billing.coverage.models import Payer
from billing.graphs.ranges import Span
from billing.metering import partitions, rating
from billing.money import ZERO, cents_up

MONTH_DAYS = 30


class Days(StrEnum):
    """How far back, in days: whole months of thirty."""

    MONTH = "30"
    QUARTER = "90"


# Everything at list price, as if credit paid, whoever did: billing's own sum, with another payer put in.
BY_DAY = f"""
SELECT u.model_id, date_trunc('day', u.hour, 'UTC'), sum(u.input_tokens + u.output_tokens)::bigint,
    sum({rating.cost_sql("u", "p")}),
    coalesce(sum(u.input_tokens + u.output_tokens) FILTER (WHERE u.was_paid_by = {Payer.FREE.value}), 0)::bigint
FROM (SELECT hour, model_id, price_id, input_tokens, cached_tokens, output_tokens,
        {Payer.CREDITS.value} AS payer, payer AS was_paid_by
      FROM usage_hour WHERE org_id = %(org)s AND hour >= %(start)s AND hour < %(end)s) u
JOIN price p ON p.id = u.price_id GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Used:
    """Tokens, and what they cost at the prices in force when they were used, in USD exactly. `free`: tokens nobody paid."""

    tokens: int = 0
    cost: Decimal = ZERO
    free: int = 0

    def __add__(self, other: "Used") -> "Used":
        return Used(self.tokens + other.tokens, self.cost + other.cost, self.free + other.free)


@dataclass(frozen=True, slots=True)
class History:
    """What an organization used in `span`, by model id and UTC day. `months` of thirty days."""

    span: Span
    used: Mapping[int, Mapping[datetime, Used]]

    @property
    def days(self) -> tuple[datetime, ...]:
        return tuple(self.span.start + periods.DAY * at for at in range((self.span.end - self.span.start).days))

    @property
    def months(self) -> int:
        return len(self.days) // MONTH_DAYS

    @property
    def all(self) -> Used:
        return sum((self.of(model_id) for model_id in self.used), Used())

    def of(self, model_id: int) -> Used:
        return sum(self.used.get(model_id, {}).values(), Used())

    def tokens_on(self, day: datetime, model_ids: frozenset[int]) -> int:
        return sum(self.used.get(model_id, {}).get(day, Used()).tokens for model_id in model_ids)

    def tokens_by_month(self, model_ids: Collection[int]) -> list[int]:
        """Of these models together, the oldest month of thirty days first."""
        days = [(day, one.tokens) for model_id in model_ids for day, one in self.used.get(model_id, {}).items()]
        length = periods.DAY * MONTH_DAYS
        starts = [self.span.start + length * at for at in range(self.months)]
        return [sum(tokens for day, tokens in days if start <= day < start + length) for start in starts]

    def per_million(self, model_id: int) -> Decimal | None:
        """What this usage of a model costs at list, in USD per million tokens; up to the cent, so that no contract looks
        cheaper than it is. None: there is none, or it cost nothing."""
        used = self.of(model_id)
        return cents_up(used.cost * MILLION / used.tokens) if used.cost > 0 and used.tokens > 0 else None


def span(days: Days, now: datetime) -> Span:
    """Whole UTC days, today so far among them."""
    end = periods.floor_day(now) + periods.DAY
    return Span(end - periods.DAY * int(days), end)


def by_the_minute(over: Span) -> Span:
    """The part of a span whose minutes are still kept, in whole days."""
    return Span(max(over.start, over.end - partitions.MINUTES_KEPT), over.end)


def history(org_id: int, over: Span) -> History:
    """One query, of hours: its cost does not grow with the number of requests."""
    used: dict[int, dict[datetime, Used]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(BY_DAY, {"org": org_id, "start": over.start, "end": over.end})
        for model_id, day, tokens, cost, free in cursor.fetchall():
            used[model_id][day] = Used(tokens, cost, free)
    return History(over, dict(used))
