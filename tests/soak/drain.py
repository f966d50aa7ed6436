"""The drain after the trouble: the portal shows that it recovered by itself, then sweepers run until nothing waits."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.soak import facts, oracles
from tests.soak.oracles import Difference
from tests.soak.surroundings import Failed, Surroundings

DRAIN_SECONDS = 120.0
WAITING = {
    "usage not charged": "SELECT count(*) FROM usage_delta",
    "messages to work on": "SELECT count(*) FROM inbox_event WHERE state = 'new'",
    "webhooks that failed": "SELECT count(*) FROM inbox_event WHERE state = 'failed'",
    "refunds of unknown outcome": "SELECT count(*) FROM refund WHERE state IN ('asked', 'unknown', 'pending')",
    "payments of unknown outcome": "SELECT count(*) FROM payment_intent WHERE state IN ('created', 'unknown')",
}
NOT_EACH_ROUND = {"billing.tasks.verify_ledger", "billing.tasks.make_partitions", "billing.tasks.reconcile_stripe"}
FAR = timedelta(seconds=30)
"""A message whose next try lies further ahead is tried again by staff: nobody waits hours for a drain."""


def drain(around: Surroundings, began: float, say: Callable[[str], object]) -> Iterator[Difference]:
    """Until nothing waits; what still does after two minutes is a difference, and so is a portal that does not come back."""
    end = began + DRAIN_SECONDS
    try:
        around.wait_until_ready(end - time.monotonic())
        _wait_for_a_sweep(around, datetime.now(UTC), end)
        say(f"... the portal swept by itself after {time.monotonic() - began:.0f} s")
    except Failed as dead:
        yield {"difference": "portal_not_back", "what": str(dead)}
    yield from _until_idle(around, end)
    # What no webhook ever told of and nobody asks about each minute, the night finds; then nothing may be left to find.
    _reconcile()
    yield from _until_idle(around, end)
    for finding in _reconcile():
        yield {"difference": "stripe_differs", "kind": finding.kind, "id": finding.provider_id, "what": finding.words}
    say(f"... and the sweepers were done after {time.monotonic() - began:.0f} s")


def _until_idle(around: Surroundings, end: float) -> Iterator[Difference]:
    while left := _sweep(around):
        if time.monotonic() > end:
            for what, number in left.items():
                yield {"difference": "still_waiting", "what": what, "number": number}
            return
        time.sleep(1)


def _reconcile() -> list[Any]:
    """The nightly comparison with Stripe's lists, of everything: in the calm there is nothing in flight to be left out."""
    from billing import flows
    from billing.payments import reconciling

    reconciling.IN_FLIGHT = timedelta(0)
    return list(flows.reconcile(now=datetime.now(UTC) + timedelta(seconds=1)).findings.all())


def _wait_for_a_sweep(around: Surroundings, since: datetime, end: float) -> None:
    """A sweep that the clock asked for and the worker did: clock, queue, worker and database work together again."""
    from billing.metering.models import SweepRun

    while not SweepRun.objects.filter(at__gt=since).exists():
        if time.monotonic() > end:
            raise Failed("no sweep by itself")
        time.sleep(0.5)


def _sweep(around: Surroundings) -> dict[str, Any]:
    """Every task of the clock, once, here; what waits after it."""
    from django.db import connection

    from billing.webhooks import inbox
    from billing.webhooks.models import InboxEvent
    from portal.celery import app

    app.loader.import_default_modules()
    for entry in app.conf.beat_schedule.values():
        if entry["task"] not in NOT_EACH_ROUND:
            app.tasks[entry["task"]]()
    now = datetime.now(UTC)
    for event in InboxEvent.objects.filter(state="new", next_try_at__gt=now + FAR):
        inbox.replay(event, now=now)
    left: dict[str, Any] = {}
    with connection.cursor() as cursor:
        for what, statement in WAITING.items():
            cursor.execute(statement)
            left[what] = cursor.fetchone()[0]
        cursor.execute("SELECT id FROM payment_intent WHERE state = 'succeeded'")
        settled: set[UUID] = {row[0] for row in cursor.fetchall()}
    left["charges not settled"] = len(oracles.intents_of(facts.charges(around.stripe.books())) - settled)
    undelivered = [row for row in around.stripe.webhooks()["deliveries"] if row["state"] in ("pending", "held")]
    left["webhooks on their way"] = len(undelivered)
    return {what: number for what, number in left.items() if number}
