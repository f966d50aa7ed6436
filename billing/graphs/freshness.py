"""Through when a page is complete, and how far that usually lies behind."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from billing.metering.models import SweepRun

RECENT = 50
"""Complete runs of the sweep that say what is usual: the last minutes."""
STALE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Freshness:
    """`through` is None while nothing has been reported at all; `usual` is None while no run was complete."""

    through: datetime | None
    behind: timedelta
    usual: timedelta | None

    @property
    def stale(self) -> bool:
        return self.through is not None and self.behind > STALE


def of_charges(*, now: datetime) -> Freshness:
    """What is charged, for all organizations alike: the sweep charges what every gateway has reported through. One query."""
    runs = SweepRun.objects.filter(complete_through__isnull=False).order_by("-at")
    complete = [(at, through) for at, through in runs.values_list("at", "complete_through")[:RECENT] if through]
    if not complete:
        return Freshness(None, timedelta(0), None)
    through = max(through for _, through in complete)
    usual = median(max((at - through).total_seconds(), 0) for at, through in complete)
    return Freshness(through, max(now - through, timedelta(0)), timedelta(seconds=usual))
