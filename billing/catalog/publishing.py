"""Puts a catalog file into force: all of it or, with the reasons, nothing of it.

Publishing adds and moves forward. It never removes a model or a plan, never touches a price that is in force, and does
nothing at all when the file says what is already so.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from django.db import connection, transaction
from django.db.models import F

from billing.catalog import file, notice, offer
from billing.catalog.current import WINDOWS
from billing.catalog.file import CatalogFile, ModelEntry, PlanEntry, WindowsEntry
from billing.catalog.models import AIModel, Plan, Price, RateLimit
from billing.catalog.offer import PLAN, Version

OUT_OF_THE_WAY = 10_000
"""Added to the ranks of plans while they change places, since a rank is unique at every moment."""


class CatalogRefused(ValueError):
    """The file asks for what may not be, such as a price in the past. Nothing was changed; `objections` says all of it."""

    def __init__(self, objections: list[str]) -> None:
        super().__init__("\n".join(objections))
        self.objections = objections


def import_file(path: Path, *, now: datetime) -> list[str]:
    """Publish the file at `path`; answers what changed, in words. Raises `CatalogUnreadable` or `CatalogRefused`."""
    return publish(file.read(path), now=now)


@transaction.atomic
def publish(wanted: CatalogFile, *, now: datetime) -> list[str]:
    """One transaction, one publisher at a time. The change reaches gateways through the trigger on these tables."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('catalog'))")
    rows = {row.slug: row for row in AIModel.objects.prefetch_related("prices", "rate_limits")}
    objections = [*_contradictions(wanted, rows), *_breaches(wanted, rows, now)]
    if objections:
        raise CatalogRefused(objections)
    changes: list[str] = []
    for entry in wanted.models:
        rows[entry.slug], changed = _publish_model(entry, rows.get(entry.slug))
        changes += changed
    changes += _publish_limits(wanted, rows)
    changes += _publish_plans(wanted.plans, rows)
    return changes


# --- May it be? --------------------------------------------------------------------------------------------------------


def _contradictions(wanted: CatalogFile, rows: dict[str, AIModel]) -> list[str]:
    slugs, plans = [model.slug for model in wanted.models], [plan.slug for plan in wanted.plans]
    objections = [f"{slug}: stands in the file twice." for slug in [*_repeated(slugs), *_repeated(plans)]]
    ranks = _repeated([plan.rank for plan in wanted.plans])
    objections += [
        f"{plan.slug}: another plan has rank {plan.rank} too." for plan in wanted.plans if plan.rank in ranks
    ]
    kept = Plan.objects.exclude(slug__in=plans).values_list("slug", "rank")
    taken = {rank: slug for slug, rank in kept}
    objections += [f"{p.slug}: {taken[p.rank]} has rank {p.rank}." for p in wanted.plans if p.rank in taken]
    known = {*slugs, *rows}
    covered = [(plan.slug, slug) for plan in wanted.plans for slug in plan.covers]
    return objections + [f"{plan}: covers {slug}, which is no model." for plan, slug in covered if slug not in known]


def _breaches(wanted: CatalogFile, rows: dict[str, AIModel], now: datetime) -> list[str]:
    objections: list[str] = []
    for entry in wanted.models:
        row = rows.get(entry.slug)
        versions = [price.version() for price in entry.prices]
        objections += notice.price_objections(entry.slug, _published(row), versions, now=now)
        if row is not None:
            objection = notice.retirement_objection(entry.slug, row.deprecated_on, entry.deprecated_on, now=now)
            objections += [objection] if objection else []
    return objections


def _published(row: AIModel | None) -> list[Version]:
    prices = row.prices.all() if row is not None else []
    return [Version(price.valid_from, price.input_usd, price.cached_usd, price.output_usd) for price in prices]


def _repeated(values: Iterable[object]) -> list[object]:
    listed = list(values)
    return sorted({value for value in listed if listed.count(value) > 1}, key=str)


# --- Make it so --------------------------------------------------------------------------------------------------------


def _publish_model(entry: ModelEntry, row: AIModel | None) -> tuple[AIModel, list[str]]:
    says = {"name": entry.name, "provider": entry.provider, "deprecated_on": entry.deprecated_on}
    changes: list[str] = []
    fresh = notice.new_versions(_published(row), [price.version() for price in entry.prices])
    if row is None:
        row = AIModel.objects.create(slug=entry.slug, **says)
        changes.append(f"{entry.slug}: new model.")
    elif different := {name: value for name, value in says.items() if getattr(row, name) != value}:
        AIModel.objects.filter(pk=row.pk).update(**different)
        changes += [
            f"{entry.slug}: {name.replace('_', ' ')} is now {value or 'not set'}." for name, value in different.items()
        ]
    for version in fresh:
        Price.objects.create(
            model=row,
            valid_from=version.valid_from,
            input_usd=version.input_usd,
            cached_usd=version.cached_usd,
            output_usd=version.output_usd,
        )
        price = version.per_million
        figures = f"{_plain(price.input_usd)} in, {_plain(price.cached_usd)} cached, {_plain(price.output_usd)} out"
        changes.append(f"{entry.slug}: USD {figures} per million tokens from {notice.said(version.valid_from)}.")
    return row, changes


def _publish_limits(wanted: CatalogFile, rows: dict[str, AIModel]) -> list[str]:
    """The tiers of the file's models, and the file's plans on any model, become exactly what the file says."""
    mine = {PLAN + plan.slug for plan in wanted.plans}
    said: dict[tuple[str, str], WindowsEntry] = {}
    for model in wanted.models:
        for tier, windows in ((offer.FREE, model.limits.free), (offer.PAYG, model.limits.payg)):
            if windows is not None:
                said[model.slug, tier] = windows
    for plan in wanted.plans:
        said |= {(slug, PLAN + plan.slug): windows for slug, windows in plan.covers.items()}
    in_file = {model.slug for model in wanted.models}
    there = {
        (limit.model.slug, limit.tier): limit
        for limit in RateLimit.objects.select_related("model")
        if limit.tier in mine or (limit.model.slug in in_file and not limit.tier.startswith(PLAN))
    }
    changes: list[str] = []
    for place, limit in there.items():
        if place not in said:
            limit.delete()
            changes.append(f"{place[0]}: not offered to {place[1]} any more.")
    for (slug, tier), windows in said.items():
        values = {window: getattr(windows, window) for window in WINDOWS}
        old = there.get((slug, tier))
        if old is None or any(getattr(old, window) != value for window, value in values.items()):
            RateLimit.objects.update_or_create(model=rows[slug], tier=tier, defaults=values)
            changes.append(f"{slug}: limits of {tier}.")
    return changes


def _publish_plans(plans: list[PlanEntry], rows: dict[str, AIModel]) -> list[str]:
    there = {row.slug: row for row in Plan.objects.prefetch_related("covers")}
    moved = any(plan.slug in there and there[plan.slug].rank != plan.rank for plan in plans)
    if moved:
        Plan.objects.filter(slug__in=[plan.slug for plan in plans]).update(rank=F("rank") + OUT_OF_THE_WAY)
    changes: list[str] = []
    for plan in plans:
        says = {
            "name": plan.name,
            "price_usd": Decimal(plan.price_usd),
            "daily_tokens": plan.daily_tokens,
            "rank": plan.rank,
        }
        covers = {rows[slug].pk for slug in plan.covers}
        row = there.get(plan.slug)
        same = row is not None and all(getattr(row, name) == value for name, value in says.items())
        if row is not None and same and {model.pk for model in row.covers.all()} == covers:
            if moved:
                Plan.objects.filter(pk=row.pk).update(rank=plan.rank)
            continue
        row, _ = Plan.objects.update_or_create(slug=plan.slug, defaults=says)
        row.covers.set(covers)
        changes.append(f"{plan.slug}: USD {plan.price_usd} a month, {plan.daily_tokens:,} tokens a day.")
    return changes


def _plain(usd: Decimal) -> str:
    return f"{usd.normalize():f}"
