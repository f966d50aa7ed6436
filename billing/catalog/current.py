"""The catalog this process keeps in memory, loaded again when its stamp moves.

The stamp is the row of organization 0 in `limits_answer`: triggers move it with every change of the catalog
(`billing/migrations/0006_limits_resolved.py`). Its number and its moment together make it unique even where a
transaction that had counted up was rolled back.
"""

from datetime import datetime
from typing import NamedTuple

from django.db import connection

from billing.catalog.models import AIModel
from billing.catalog.models import Plan as PlanRow
from billing.catalog.offer import Catalog, Model, Plan, Version, Windows

WINDOWS = (
    "requests_per_minute",
    "requests_per_hour",
    "requests_per_day",
    "tokens_per_minute",
    "tokens_per_hour",
    "tokens_per_day",
)


class Stamp(NamedTuple):
    version: int
    changed_at: datetime


_kept: tuple[Stamp, Catalog] | None = None


def latest() -> Catalog:
    """The catalog as of now. One query when nothing changed since this process last looked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT version, changed_at FROM limits_answer WHERE org_id = 0")
        return at_stamp(Stamp(*cursor.fetchone()))


def at_stamp(stamp: Stamp) -> Catalog:
    """The catalog for a stamp that was just read; no query while the stamp stays.

    A change that commits between the stamp and the load gives a newer catalog under the older stamp: the next look
    finds the newer stamp and loads once more.
    """
    global _kept
    kept = _kept
    if kept is None or kept[0] != stamp:
        kept = _kept = (stamp, load())
    return kept[1]


def load() -> Catalog:
    """Read everything that is on sale: five queries."""
    models = tuple(_model(row) for row in AIModel.objects.order_by("slug").prefetch_related("prices", "rate_limits"))
    return Catalog(models, tuple(_plan(row) for row in PlanRow.objects.order_by("rank").prefetch_related("covers")))


def _model(row: AIModel) -> Model:
    prices = sorted(row.prices.all(), key=lambda price: price.valid_from)
    return Model(
        id=row.pk,
        slug=row.slug,
        name=row.name,
        provider=row.provider,
        deprecated_on=row.deprecated_on,
        prices=tuple(Version(p.valid_from, p.input_usd, p.cached_usd, p.output_usd) for p in prices),
        tiers={
            limit.tier: Windows(**{window: getattr(limit, window) for window in WINDOWS})
            for limit in row.rate_limits.all()
        },
    )


def _plan(row: PlanRow) -> Plan:
    covers = frozenset(model.pk for model in row.covers.all())
    return Plan(row.pk, row.slug, row.name, row.price_usd, row.daily_tokens, row.rank, covers)
