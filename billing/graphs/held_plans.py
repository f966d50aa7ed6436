"""The plans an organization has, with how far today's allowance and the period are used: for every page that shows them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.catalog import current
from billing.catalog.offer import Catalog, Plan
from billing.limits import entitlements, reading
from billing.limits.answers import Allowance
from billing.subscriptions import showing
from billing.subscriptions.showing import Standing


@dataclass(frozen=True, slots=True)
class Held:
    """`allowance` counts tokens of the UTC day; None while it covers nothing. `models`: "zai-glm-4.7, gpt-oss-120b"."""

    standing: Standing
    plan: Plan
    models: str
    allowance: Allowance | None
    now: datetime

    @property
    def length(self) -> timedelta:
        running = self.standing.running
        return running.ends_at - running.starts_at if running.ends_at and running.starts_at else timedelta(0)

    @property
    def elapsed(self) -> timedelta:
        """Of the period that is paid."""
        return self.length - self.left

    @property
    def left(self) -> timedelta:
        ends_at = self.standing.running.ends_at
        return max(ends_at - self.now, timedelta(0)) if ends_at else timedelta(0)

    @property
    def seconds(self) -> tuple[int, int]:
        """(elapsed, whole), for a meter."""
        return int(self.elapsed.total_seconds()), int(self.length.total_seconds())


def of(org_id: int, *, now: datetime) -> list[Held]:
    """The newest first. One query when there are none, else a fixed number and some for each plan."""
    standings = showing.of(org_id, now=now)
    if not standings:
        return []
    catalog, picture = current.latest(), reading.pictures([org_id], now=now)[org_id]
    held = []
    for standing in standings:
        plan = catalog.plan(standing.running.plan_id)
        assert plan is not None, "plans stay in the catalog"
        allowance = entitlements.allowance(picture, plan, catalog, now=now) if standing.covers else None
        held.append(Held(standing, plan, covers(plan, catalog), allowance, now))
    return held


def covers(plan: Plan, catalog: Catalog) -> str:
    """The models of a plan by name."""
    return ", ".join(model.slug for model in catalog.models if model.id in plan.covers)
