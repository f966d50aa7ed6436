"""What is on sale, as values: models, dated prices, rate limits by tier, plans. Nothing here reads anything."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

MILLION = Decimal(1_000_000)

FREE = "free"
PAYG = "payg"
PLAN = "plan:"
"""A plan's tier is this and its slug: `plan:code-pro`."""


@dataclass(frozen=True, slots=True)
class Version:
    """One price version: USD per token, in force from `valid_from` until the model's next version."""

    valid_from: datetime
    input_usd: Decimal
    cached_usd: Decimal
    output_usd: Decimal

    @property
    def per_million(self) -> "PerMillion":
        return PerMillion(self.input_usd * MILLION, self.cached_usd * MILLION, self.output_usd * MILLION)


@dataclass(frozen=True, slots=True)
class PerMillion:
    """A price as it is published: USD per million input, cached input and output tokens."""

    input_usd: Decimal
    cached_usd: Decimal
    output_usd: Decimal


@dataclass(frozen=True, slots=True)
class Windows:
    """How much is let through per window. None: that window is not limited (A50)."""

    requests_per_minute: int | None = None
    requests_per_hour: int | None = None
    requests_per_day: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_hour: int | None = None
    tokens_per_day: int | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is sold. `tiers` holds the tiers it is offered to; `prices` are in order of `valid_from`."""

    id: int
    slug: str
    name: str
    provider: str
    deprecated_on: date | None
    prices: tuple[Version, ...]
    tiers: Mapping[str, Windows]

    @property
    def refused_from(self) -> datetime | None:
        """The first instant at which requests are refused: midnight UTC after the last day (A30)."""
        if self.deprecated_on is None:
            return None
        return datetime.combine(self.deprecated_on + timedelta(days=1), time.min, UTC)

    def is_retired(self, at: datetime) -> bool:
        return self.refused_from is not None and at >= self.refused_from


@dataclass(frozen=True, slots=True)
class Plan:
    """A monthly subscription: USD a month, tokens a UTC day, the ids of the models it covers."""

    id: int
    slug: str
    name: str
    price_usd: Decimal
    daily_tokens: int
    rank: int
    covers: frozenset[int]

    @property
    def tier(self) -> str:
        return PLAN + self.slug


@dataclass(frozen=True, slots=True)
class Catalog:
    """All that is on sale at one moment; `models` by slug order, `plans` by rank."""

    models: tuple[Model, ...]
    plans: tuple[Plan, ...]

    def plan(self, plan_id: int | None) -> Plan | None:
        return next((plan for plan in self.plans if plan.id == plan_id), None)

    def retired_from(self, model_ids: Collection[int]) -> datetime | None:
        """The instant from which none of these models is served any more; None: one of them has no end."""
        ends = [model.refused_from for model in self.models if model.id in model_ids]
        known = [end for end in ends if end is not None]
        return max(known) if known and len(known) == len(ends) else None
