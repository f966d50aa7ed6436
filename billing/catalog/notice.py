"""What may change in the catalog, and how long before it must be said (A30, A32). Pure: answers objections in words."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from billing.catalog.offer import Version
from billing.periods import DAY

INCREASE_NOTICE = timedelta(days=7)
RETIREMENT_NOTICE = timedelta(days=60)
WARN_BEFORE = timedelta(days=60)
"""How long before a model's last day the portal warns."""


def new_versions(published: Sequence[Version], wanted: Sequence[Version]) -> list[Version]:
    """The versions of a file that are not yet published, in order of their start."""
    known = {version.valid_from for version in published}
    return sorted((version for version in wanted if version.valid_from not in known), key=lambda v: v.valid_from)


def price_objections(slug: str, published: Sequence[Version], wanted: Sequence[Version], *, now: datetime) -> list[str]:
    """Why these versions may not be published. A model nobody was charged for yet comes with any history."""
    starts = [version.valid_from for version in wanted]
    if len(set(starts)) != len(starts):
        return [f"{slug}: two price versions start at the same moment."]
    in_place = {version.valid_from: version for version in published}
    objections = [
        f"{slug}: the price from {said(version.valid_from)} is published and cannot change. Add a version that starts later."
        for version in wanted
        if version.valid_from in in_place and version != in_place[version.valid_from]
    ]
    if published:
        before = max(published, key=lambda version: version.valid_from)
        for version in new_versions(published, wanted):
            objections += _objections_to_one(slug, before, version, now)
            before = version
    return objections


def _objections_to_one(slug: str, before: Version, version: Version, now: datetime) -> list[str]:
    start = said(version.valid_from)
    if version.valid_from <= now:
        return [f"{slug}: a price from {start} would rewrite the past. A new price starts in the future."]
    if version.valid_from <= before.valid_from:
        return [f"{slug}: a price from {start} would start before the last published one, {said(before.valid_from)}."]
    dearer = any(
        new > old
        for new, old in zip(
            (version.input_usd, version.cached_usd, version.output_usd),
            (before.input_usd, before.cached_usd, before.output_usd),
        )
    )
    if dearer and version.valid_from < now + INCREASE_NOTICE:
        return [f"{slug}: an increase needs 7 days' notice; {start} is sooner."]
    return []


def retirement_objection(slug: str, published: date | None, wanted: date | None, *, now: datetime) -> str | None:
    """Why a model's last day may not move there: later is free, earlier takes 60 days' notice, never into the past."""
    if wanted == published or wanted is None:
        return None
    if _first_refusal(wanted) <= now:
        return f"{slug}: the last day cannot move to {wanted.isoformat()}, which is over."
    sooner = published is None or wanted < published
    if sooner and _first_refusal(wanted) < now + RETIREMENT_NOTICE:
        return f"{slug}: an earlier end needs 60 days' notice; {wanted.isoformat()} is sooner."
    return None


def warns_of_end(refused_from: datetime | None, now: datetime) -> bool:
    """Whether a page says that the model ends: from 60 days before its last day is over."""
    return refused_from is not None and refused_from - WARN_BEFORE <= now < refused_from


def said(at: datetime) -> str:
    """The shortest exact form: the day alone at midnight."""
    text = at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return text.removesuffix("T00:00:00Z")


def _first_refusal(last_day: date) -> datetime:
    return datetime.combine(last_day, time.min, UTC) + DAY
