"""Use coming in: reported, charged, posted to the ledger, taken back."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from orgs.models import Organization
from tests.crash.paths import Path, Scene, moment, task, visitor
from tests.crash.world import World

SOON = timedelta(seconds=5)
THE_HOUR_IS_OVER = timedelta(minutes=80)
EVENT_USD = Decimal("0.425")
"""A million tokens in at 0.35 and a hundred thousand out at 0.75 a million."""


def gateway_is_at_work(world: World) -> Scene:
    """Credit for one event and a bit: what comes after is overdraft. Three events are about to be reported."""
    organization = world.organization()
    world.given(organization, "0.10", lasts=timedelta(days=20))
    world.given(organization, "0.40")
    return three_events(world, organization)


def three_events(world: World, organization: Organization) -> Scene:
    """What a gateway is about to report, and what it costs."""
    key = world.key(organization)
    events = [_event(key.public_id, world.start - timedelta(seconds=seconds)) for seconds in (1, 2, 3)]
    return {
        "org": organization.pk,
        "token": world.gateway(),
        "body": json.dumps({"events": events, "complete_through": (world.start - timedelta(seconds=8)).isoformat()}),
        "used": str(3 * EVENT_USD),
    }


def _event(key: str, at: datetime) -> dict[str, Any]:
    body = {"id": str(uuid4()), "key": key, "model": "gpt-oss-120b", "occurred_at": at.isoformat()}
    return {**body, "input_tokens": 1_000_000, "output_tokens": 100_000}


def report(scene: Scene) -> None:
    answer = _as_gateway(scene, "/api/v1/usage")
    assert answer.status_code == 200
    assert answer.json()["accepted"] + answer.json()["duplicate"] == 3


def report_again(world: World, scene: Scene) -> None:
    """A gateway sends a batch until it is answered."""
    report(scene)


def _as_gateway(scene: Scene, door: str) -> Any:
    headers = {"Authorization": f"Bearer {scene['token']}"}
    return visitor().post(door, scene["body"], content_type="application/json", headers=headers)


# --- Charging ----------------------------------------------------------------------------------------------------------


def usage_was_reported(world: World) -> Scene:
    scene = gateway_is_at_work(world)
    report(scene)
    return {**scene, "at": (world.start + SOON).isoformat()}


def usage_was_charged(world: World) -> Scene:
    """Its hour ends, and what is drawn becomes immutable."""
    scene = usage_was_reported(world)
    task("tasks.sweep_usage", now=world.start + SOON)
    return {**scene, "at": (world.start + THE_HOUR_IS_OVER).isoformat()}


def sweep(scene: Scene) -> None:
    task("tasks.sweep_usage", now=moment(scene))


# --- Taking back -------------------------------------------------------------------------------------------------------


def event_was_charged(world: World) -> Scene:
    """The gateway takes one of its three events back: half of it lowers the overdraft, the rest goes back to grants."""
    scene = usage_was_reported(world)
    task("tasks.sweep_usage", now=world.start + SOON)
    first = json.loads(str(scene["body"]))["events"][0]
    body = {"id": str(uuid4()), "event_id": first["id"], "reason": "never served"}
    return {**scene, "body": json.dumps(body), "used": str(2 * EVENT_USD)}


def take_back(scene: Scene) -> None:
    assert _as_gateway(scene, "/api/v1/usage/reversals").status_code == 200


def take_back_again(world: World, scene: Scene) -> None:
    take_back(scene)


SWEPT = frozenset({"flows.sweep", "tasks.sweep_usage"})
PATHS = (
    Path("ingest", gateway_is_at_work, report, frozenset(), again=report_again, surely_again=True),
    Path("charge usage", usage_was_reported, sweep, SWEPT),
    Path("post hours", usage_was_charged, sweep, SWEPT),
    Path("reversal", event_was_charged, take_back, frozenset({"flows.reverse_usage"}), again=take_back_again,
         surely_again=True),
)  # fmt: skip
