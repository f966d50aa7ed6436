"""Whether this server lives, and whether it should get traffic. Stripe being away makes it neither dead nor unready."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cache

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from billing.metering.models import SweepRun

log = structlog.get_logger(__name__)

# The sweep runs every second or two; a minute without one means that no worker is there.
SWEEP_IS_RECENT = timedelta(seconds=60)
# Usage is accepted into the day's own partition, and tomorrow begins while nobody looks.
PARTITION_DAYS_AHEAD = 1


@dataclass(frozen=True)
class Check:
    ok: bool
    detail: str


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """The process answers. Asks nothing of anybody else."""
    return JsonResponse({"status": "live"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 when every check is well, else 503; each check says what it saw."""
    checks = dict(_checks(timezone.now()))
    well = all(check.ok for check in checks.values())
    body = {
        "status": "ready" if well else "not ready",
        "checks": {name: asdict(check) for name, check in checks.items()},
    }
    return JsonResponse(body, status=200 if well else 503)


def _checks(now: datetime) -> Iterator[tuple[str, Check]]:
    """The checks in the order in which one needs the other: after a failed first or second there is nothing to ask."""
    yield "database", (database := _asked(_database_is_writable))
    if not database.ok:
        return
    yield "migrations", (migrations := _asked(_migrations_are_applied))
    if not migrations.ok:
        return
    yield "partitions", _asked(lambda: _partitions_are_there(now))
    if settings.REDIS_URL:  # without a queue there is no worker to expect anything of
        yield "sweep", _asked(lambda: _sweep_is_recent(now))


def _asked(check: Callable[[], Check]) -> Check:
    try:
        return check()
    except DatabaseError:
        # Its words may name hosts and users: they belong in the log, not in an answer to anybody.
        log.exception("health_check_failed")
        return Check(False, "could not be asked; the log says why")


def _database_is_writable() -> Check:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::boolean")
        standby, read_only = cursor.fetchone()
    if standby:
        return Check(False, "is a standby")
    return Check(not read_only, "is read-only" if read_only else "takes writes")


def _migrations_are_applied() -> Check:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('django_migrations') IS NOT NULL")
        if cursor.fetchone() != (True,):
            return Check(False, "there are no tables yet")
        cursor.execute("SELECT app, name FROM django_migrations")
        applied = set(cursor.fetchall())
    missing = len(_known_migrations() - applied)
    return Check(not missing, f"{missing} to apply" if missing else "all applied")


@cache
def _known_migrations() -> frozenset[tuple[str, str]]:
    """The migrations of this code; they do not change while it runs."""
    return frozenset(MigrationLoader(None).disk_migrations)


def _partitions_are_there(now: datetime) -> Check:
    days = [now + timedelta(days=ahead) for ahead in range(PARTITION_DAYS_AHEAD + 1)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(to_regclass(name)) FROM unnest(%s::text[]) AS name",
            [[f"usage_event_{day:%Y%m%d}" for day in days]],
        )
        there = cursor.fetchone()[0]
    through = f"{days[-1]:%Y-%m-%d}"
    return Check(
        there == len(days), f"there through {through}" if there == len(days) else f"missing before {through} ends"
    )


def _sweep_is_recent(now: datetime) -> Check:
    newest = SweepRun.objects.order_by("-at").values_list("at", flat=True).first()
    if newest is None:
        return Check(False, "has never run: is a worker up?")
    age = max(now - newest, timedelta())
    return Check(age <= SWEEP_IS_RECENT, f"ran {age.total_seconds():.0f} s ago")
