"""Use that comes in by several doors at the same instant."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest

from billing import flows
from billing.metering import standing, storing
from billing.metering.events import Event, Reason, Receipt
from billing.metering.models import UsageEvent
from orgs import keys
from orgs.models import ApiKey
from tests.factories import usage
from tests.races.arena import Anomalies, Arena, Race, differs, raised
from tests.races.guards import Control, as_owner, dropped, function
from tests.races.scenes import COST, NOW, World, available, event

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


def test_the_same_ids_from_two_gateways(arena: Arena, world: World) -> None:
    """One id is one event: the same body is a repeat, another one (at another time too) is refused."""
    other = usage.gateway("us-1", now=NOW)

    def prepare(turn: int) -> Race:
        team = world.team()
        key = world.key(team)
        one = event(key)
        again = one if turn % 2 == 0 else event(key, NOW - timedelta(hours=5), id=one.id)

        def wrong(answers: list[Any]) -> Anomalies:
            if faults := raised(answers):
                return faults
            flows.sweep(now=NOW)
            return [
                *differs("accepted", sorted(answer.accepted for answer in answers), [0, 1]),
                *differs("repeated", sum(answer.duplicate for answer in answers), 1 if again is one else 0),
                *differs("available", available(team), -COST),
            ]

        return Race([lambda: world.ingest(one), lambda: world.ingest(again, gateway=other)], wrong)

    arena.holds(prepare)
    # Both have found the id unknown. That it is unique is all that keeps one out.
    copy_all = storing._copy_all

    def copy_together(*args: Any) -> None:
        arena.meet("unknown to both")
        copy_all(*args)

    with dropped("usage_seen", "usage_seen_pkey"), arena.unguarded():
        with mock.patch.object(storing, "_copy_all", copy_together):
            arena.breaks(prepare, "accepted")


def test_batches_that_overlap_in_opposite_order(arena: Arena, world: World) -> None:
    """Nobody waits in a circle, because both go by id."""

    def prepare(turn: int) -> Race:
        team = world.team()
        key = world.key(team)
        events = sorted((event(key) for _ in range(2 if arena.control else 40)), key=lambda one: one.id)

        def wrong(answers: list[Any]) -> Anomalies:
            flows.sweep(now=NOW)
            return [
                *raised(answers),
                *differs("events", UsageEvent.objects.filter(org_id=team.pk).count(), len(events)),
                *differs("available", available(team), -COST * len(events)),
            ]

        return Race([lambda: world.ingest(*events), lambda: world.ingest(*events[::-1])], wrong)

    arena.holds(prepare)
    # Rows go in as they were sent, and after the first of them each waits until the other has its first, too.
    copy = storing._copy

    def copy_one_by_one(cursor: Any, statement: str, rows: list[bytes]) -> None:
        for row in rows:
            copy(cursor, statement, [row])
            arena.meet("first row")

    with arena.unguarded(), mock.patch.object(storing, "_copy", copy_one_by_one):
        with mock.patch.object(storing, "sorted", list, create=True):
            arena.breaks(prepare, "deadlock detected")


def test_a_key_is_revoked_while_its_use_comes_in(arena: Arena, world: World) -> None:
    """What was accepted is charged, what was refused is not; and whatever comes in afterwards finds the key revoked."""

    def prepare(turn: int) -> Race:
        team = world.team()
        key = world.key(team)
        world.used(key)
        revoked = NOW + timedelta(seconds=1)
        later = revoked + timedelta(seconds=1)
        batch: list[Event] = [event(key), event(key, later)]

        def wrong(answers: list[Any]) -> Anomalies:
            if faults := raised(answers):
                return faults
            afterwards = world.ingest(event(key, later), now=later)
            flows.sweep(now=later)
            return [
                *differs("told of", answers[1].accepted + len(answers[1].refused), 2),
                *differs("refused", {refusal.reason for refusal in answers[1].refused} - {Reason.KEY_REVOKED}, set()),
                *differs("accepted after the key was revoked", afterwards.accepted, 0),
                *differs("available", available(team, later), -(1 + answers[1].accepted) * COST),
            ]

        return Race([lambda: keys.revoke(key, revoked), lambda: world.ingest(*batch, now=later)], wrong)

    arena.holds(prepare)
    # Who may spend is remembered from the first batch instead of read for each.
    read, remembered = standing.read, {}

    def from_memory(cursor: Any, keys: set[str], models: set[str], *between: Any) -> Any:
        name = "".join(keys)
        if name not in remembered:
            remembered[name] = read(cursor, keys, models, *between)
        return remembered[name]

    with arena.unguarded(), mock.patch.object(standing, "read", from_memory):
        arena.breaks(prepare, "accepted after the key was revoked")


def test_the_first_use_of_a_day_from_three_gateways(arena: Arena, world: World) -> None:
    """The day has no partition, as if the clock had not run: one makes it, and nobody is turned away."""
    day = NOW - timedelta(days=20)
    make = "usage_partitions_make"

    def prepare(turn: int) -> Race:
        as_owner(f"DROP TABLE IF EXISTS usage_event_{day:%Y%m%d}")
        keys_ = [world.key(world.team()) for _ in range(3)]

        def send(key: ApiKey) -> Callable[[], Receipt]:
            return lambda: world.ingest(event(key, day))

        def wrong(answers: list[Any]) -> Anomalies:
            return raised(answers) or differs("accepted", [answer.accepted for answer in answers], [1, 1, 1])

        return Race([send(key) for key in keys_], wrong)

    arena.holds(prepare, verify=False)
    # Nobody makes partitions alone, and who has found one missing takes a moment to make it.
    alone = (r"PERFORM pg_advisory_xact_lock\(hashtext\('usage_partitions'\)\);", "")
    slowly = (r"IS NULL THEN", "IS NULL THEN PERFORM pg_sleep(0.3);")
    with function(make, alone, slowly), arena.unguarded(Control(meet_at=make)):
        arena.breaks(prepare, "already exists")
