"""Months that are over: closed, and what they left to be charged is charged."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

from billing import periods
from tests.crash.paths import Path, Scene, moment, task
from tests.crash.using import report
from tests.crash.world import World

EVENT_USD = 7
"""Twenty million tokens in at 0.35 a million."""
SOON = timedelta(seconds=5)
COMPLETE = timedelta(hours=73)
"""After its end a month is closed though its gateway has fallen silent."""


def month_is_over(world: World) -> Scene:
    """Credit of 5.00 was bought once, and 21.00 used: 6.00 beyond the ceiling. The month has been over for days."""
    organization = world.organization()
    world.bought(organization, "5")
    key = world.key(organization)
    events = [_event(key.public_id, world, seconds) for seconds in (1, 2, 3)]
    complete = (world.start - timedelta(seconds=8)).isoformat()
    scene: Scene = {
        "org": organization.pk,
        "token": world.gateway(),
        "body": json.dumps({"events": events, "complete_through": complete}),
        "used": str(3 * EVENT_USD),
    }
    report(scene)
    task("tasks.sweep_usage", now=world.start + SOON)
    end = periods.month_start(periods.next_month(periods.month_of(world.start)))
    world.stripe.admin.set_clock((end + COMPLETE).isoformat())
    return {**scene, "at": (end + COMPLETE).isoformat()}


def month_is_closed(world: World) -> Scene:
    scene = month_is_over(world)
    settle(scene)
    return {**scene, "at": (moment(scene) + timedelta(minutes=1)).isoformat()}


def _event(key: str, world: World, seconds: int) -> dict[str, Any]:
    at = (world.start - timedelta(seconds=seconds)).isoformat()
    body = {"id": str(uuid4()), "key": key, "model": "gpt-oss-120b", "occurred_at": at}
    return {**body, "input_tokens": 20_000_000, "output_tokens": 0}


def settle(scene: Scene) -> None:
    task("tasks.settle_periods", now=moment(scene))


def collect(scene: Scene) -> None:
    task("tasks.collect_settlements", now=moment(scene))


CLOSED = frozenset({"flows.settle_periods", "tasks.settle_periods"})
COLLECTED = frozenset(
    {"flows.collect_settlements", "flows.collect_settlement", "tasks.collect_settlements", "flows.payment_outcome"}
)
PATHS = (
    Path("settle", month_is_over, settle, CLOSED, months=True),
    Path("collect", month_is_closed, collect, COLLECTED, months=True),
    Path("collect unheard", month_is_closed, collect, COLLECTED, webhooks=False, months=True),
)
