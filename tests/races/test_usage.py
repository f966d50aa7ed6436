"""Use that comes in, is charged, posted and taken back at the same instant."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest

from billing import flows
from billing.ledger import accruals
from billing.ledger.models import Accrual, CreditGrant
from billing.metering import charging, reversing, standing, storing
from billing.metering.events import Event, Reason, Receipt
from billing.metering.models import Gateway, UsageDelta, UsageEvent
from billing.metering.reversing import Reversal
from orgs import keys
from orgs.models import ApiKey
from tests.factories import usage
from tests.races.arena import Anomalies, Arena, Race, differs, raised
from tests.races.crew import here
from tests.races.guards import Control, as_owner, dropped, function
from tests.races.scenes import COST, NOW, World, asked, available, bought, event, moved
from tests.races.test_credit import POSTING, REFUSED

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


def test_sweeps_at_once_and_beside_ingest(arena: Arena, world: World) -> None:
    def prepare(turn: int) -> Race:
        team = world.team()
        bought(team, "5")
        key = world.key(team)
        world.used(key, events=3)
        late = event(key)

        def wrong(answers: list[Any]) -> Anomalies:
            flows.sweep(now=NOW)
            return [
                *raised(answers),
                *differs("deltas left", UsageDelta.objects.count(), 0),
                *differs("available", available(team), 5 - 4 * COST),
            ]

        def sent() -> None:
            world.ingest(late)
            flows.sweep(now=NOW)

        return Race([lambda: flows.sweep(now=NOW), lambda: flows.sweep(now=NOW), sent], wrong)

    arena.holds(prepare)
    # Deltas are read first and removed later instead of taken; nobody is alone, nobody locks a wallet.
    naive = {
        r"DELETE FROM usage_delta WHERE org_id = ANY\(%\(orgs\)s\) RETURNING \*":
            "SELECT * FROM usage_delta WHERE org_id = ANY(%(orgs)s)), "
            "gone AS (DELETE FROM usage_delta WHERE org_id = ANY(%(orgs)s)",
        r"pg_try_advisory_lock\(%s\)": "%s > 0",
    }  # fmt: skip
    with arena.unguarded(Control(locks=False, without=naive, meet_at="WITH drained AS")):
        arena.breaks(prepare, "available")


def test_a_sweep_and_two_who_post_the_hour(arena: Arena, world: World) -> None:
    """A line that is due becomes one transfer, while late use of the same hour opens the next."""
    later = NOW + timedelta(hours=2)

    def prepare(turn: int) -> Race:
        team = world.team()
        bought(team, "5")
        key = world.key(team)
        world.used(key, events=2)
        flows.sweep(now=NOW)
        world.used(key, events=3, now=later)

        def wrong(answers: list[Any]) -> Anomalies:
            flows.sweep(now=later + timedelta(hours=2))
            return [
                *raised(answers),
                *differs("posted", moved(team, 2000, 4000), 5 * COST),
                *differs("lines open", Accrual.objects.filter(wallet=team.pk).count(), 0),
                *differs("available", available(team), 5 - 5 * COST),
            ]

        post = lambda: accruals.close_due(now=later, watermark=None)  # noqa: E731
        return Race([lambda: flows.sweep(now=later), post, post], wrong)

    arena.holds(prepare)
    # Lines are read first and removed later instead of taken: then only the line's key stands in the way.
    naive = {
        r"(?s)DELETE FROM accrual(\s+WHERE.*)RETURNING (.*)":
            r"WITH line AS MATERIALIZED (SELECT * FROM accrual\1), "
            r"gone AS (DELETE FROM accrual a USING line l WHERE a.id = l.id) SELECT \2 FROM line",
    }  # fmt: skip
    with arena.unguarded(Control(locks=False, without=naive, meet_at="DELETE FROM accrual")):
        arena.breaks(prepare, REFUSED)


def test_an_event_is_charged_and_taken_back(arena: Arena, world: World) -> None:
    """Whether the sweep has charged it or not: what comes back is what was taken, to the grant that paid."""

    def prepare(turn: int) -> Race:
        team = world.team()
        grant = bought(team, "5")
        (one, *_) = world.used(world.key(team), events=2)
        back = Reversal(uuid4(), one.id, "a test", world.gateway.pk)

        def wrong(answers: list[Any]) -> Anomalies:
            flows.sweep(now=NOW)
            rest = asked("SELECT balance - accrued FROM account WHERE id = %s", grant.pk)
            return [
                *raised(answers),
                *differs("rest of the grant", rest, 5 - COST),
                *differs("grants", CreditGrant.objects.filter(wallet=team.pk).count(), 1),
                *differs("available", available(team), 5 - COST),
            ]

        def take_back() -> None:
            flows.reverse_usage(back, now=NOW)
            arena.meet("taken back")

        def sweep() -> None:
            arena.meet("taken back")
            flows.sweep(now=NOW)

        return Race([take_back, sweep], wrong)

    arena.holds(prepare)
    # Taking back does not charge first: what it returns nobody has paid yet.
    drain = charging.drain
    skip = lambda org_ids, *, now: 0 if here.act == 0 else drain(org_ids, now=now)  # noqa: E731
    with arena.unguarded(), mock.patch.object(charging, "drain", skip):
        arena.breaks(prepare, "grants: 2|rest of the grant")


def test_one_event_taken_back_by_five_at_once(arena: Arena, world: World) -> None:
    """Three times by the same reversal and twice by others: once in all."""

    def prepare(turn: int) -> Race:
        team = world.team()
        bought(team, "5")
        (one,) = world.used(world.key(team))
        # In every other round it is in the ledger already.
        flows.sweep(now=NOW if turn % 2 == 0 else NOW + timedelta(hours=2))
        same = uuid4()
        asked_for = [Reversal(id_, one.id, "a test", world.gateway.pk) for id_ in (same, same, same, uuid4(), uuid4())]

        def wrong(answers: list[Any]) -> Anomalies:
            made = [answer for answer in answers if isinstance(answer, reversing.Reversed) and not answer.duplicate]
            return [
                *raised(answers, reversing.Conflict),
                *differs("reversals made", len(made), 1),
                *differs("available", available(team), 5),
            ]

        def take_back(reversal: Reversal) -> Callable[[], reversing.Reversed]:
            return lambda: flows.reverse_usage(reversal, now=NOW)

        return Race([take_back(reversal) for reversal in asked_for], wrong)

    arena.holds(prepare)
    with arena.unguarded(Control(locks=False, meet_at=POSTING)):
        arena.breaks(prepare, f"{REFUSED}|usage_reversal_event_id_key")


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


def test_an_event_is_taken_back_while_its_credit_ends(arena: Arena, world: World) -> None:
    """The grant that paid has ended: what comes back is new credit, and only what was never used goes to breakage."""
    end = NOW + timedelta(days=365, minutes=1)
    Gateway.objects.update(last_seen_at=end, complete_through=end)

    def prepare(turn: int) -> Race:
        team = world.team()
        bought(team, "5")
        (one, *_) = world.used(world.key(team), events=3)
        flows.sweep(now=NOW)
        back = Reversal(uuid4(), one.id, "a test", world.gateway.pk)

        def wrong(answers: list[Any]) -> Anomalies:
            flows.expire(now=end)
            return [
                *raised(answers),
                *differs("breakage", moved(team, 2000, 4900), 5 - 3 * COST),
                *differs("available", available(team, end), COST),
            ]

        return Race([lambda: flows.reverse_usage(back, now=end), lambda: flows.expire(now=end)], wrong)

    arena.holds(prepare)
    with arena.unguarded(Control(locks=False, meet_at=POSTING)):
        arena.breaks(prepare, REFUSED)


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
