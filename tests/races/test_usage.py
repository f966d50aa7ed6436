"""Use that is charged, posted and taken back at the same instant."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from billing import flows
from billing.ledger import accruals
from billing.ledger.models import Accrual, CreditGrant
from billing.metering import reversing
from billing.metering.models import Gateway, UsageDelta
from billing.metering.reversing import Reversal
from tests.races.arena import Anomalies, Arena, Race, differs, raised
from tests.races.guards import POSTING, REFUSED, Control, uncharged
from tests.races.scenes import COST, NOW, World, asked, available, bought, event, moved

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
    with arena.unguarded(), uncharged(0):
        arena.breaks(prepare, "grants: 2|rest of the grant")


def test_one_event_taken_back_by_four_at_once(arena: Arena, world: World) -> None:
    """Twice by the same reversal and twice by others: once in all."""

    def prepare(turn: int) -> Race:
        team = world.team()
        bought(team, "5")
        (one,) = world.used(world.key(team))
        # In every other round it is in the ledger already.
        flows.sweep(now=NOW if turn % 2 == 0 else NOW + timedelta(hours=2))
        same = uuid4()
        asked_for = [Reversal(id_, one.id, "a test", world.gateway.pk) for id_ in (same, same, uuid4(), uuid4())]

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
