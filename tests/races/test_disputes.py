"""Disputes told twice, out of order, and beside everything else that moves the same credit."""

from typing import Any

import pytest

from billing import flows
from billing.payments import gateway
from billing.payments.models import Dispute, DisputeMovement
from billing.payments.refunds import RefundRefused
from sandbox.stripe import Running
from tests.races.arena import Anomalies, Arena, Race, differs, raised
from tests.races.disputing import balance, bought_by_card, disputed, said, spent, telling
from tests.races.guards import POSTING, REFUSED, Control, uncharged
from tests.races.scenes import (
    COST,
    NEXT_YEAR,
    NOW,
    OVER_HTTP,
    World,
    available,
    by_staff,
    charged,
    moved,
    on_its_way,
    settling,
)

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


def test_a_withdrawal_told_by_three_at_once(arena: Arena, world: World) -> None:
    """The dispute and its movement are booked by whoever is first."""

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = bought_by_card(team, 10_00)
        spent(world, team, 10)

        def wrong(answers: list[Any]) -> Anomalies:
            return [
                *raised(answers),
                *differs("movements", DisputeMovement.objects.filter(wallet=team.pk).count(), 1),
                *differs("withdrawn", disputed(team), 10),
                *differs("debt", balance(team, 1110), -10 * COST),
                *differs("available", available(team), -10 * COST),
            ]

        return Race([telling(said(intent, -10_00))] * 3, wrong)

    arena.holds(prepare)
    # All have found no such dispute; then only its name at Stripe, being unique, stands in the way.
    with arena.unguarded(Control(locks=False, meet_at='^INSERT INTO "dispute"')):
        arena.breaks(prepare, "dispute_provider_id_key")


def test_the_phases_of_a_dispute_told_in_any_order(arena: Arena, world: World) -> None:
    """Opened, withdrawn, under review and won, all at once: in the end it is won, and the credit is there again."""

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = bought_by_card(team, 10_00)
        spent(world, team, 4)
        flows.dispute_told(said(intent), now=NOW)

        def wrong(answers: list[Any]) -> Anomalies:
            dispute = Dispute.objects.get(wallet=team.pk)
            return [
                *raised(answers),
                *differs("status", (dispute.status, dispute.closed_at is None), ("won", False)),
                *differs("movements", DisputeMovement.objects.filter(wallet=team.pk).count(), 2),
                *differs("withdrawn", disputed(team), 0),
                *differs("debt", balance(team, 1110), 0),
                *differs("available", available(team), 10 - 4 * COST),
            ]

        phases = [
            said(intent),
            said(intent, -10_00),
            said(intent, -10_00, status="under_review"),
            said(intent, -10_00, 10_00, status="won"),
        ]
        return Race([telling(what) for what in phases], wrong)

    arena.holds(prepare)
    # All have read the dispute as it was, and each writes down what it has heard.
    with arena.unguarded(Control(locks=False, meet_at='^UPDATE "dispute"')):
        arena.breaks(prepare, f"cannot go from|dispute_movement_pkey|{REFUSED}")


def test_a_withdrawal_and_a_purchase(arena: Arena, world: World) -> None:
    """Spent credit is taken back while new credit comes: what is owed is owed once, and paid once if it is paid."""

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = bought_by_card(team, 10_00)
        spent(world, team, 20)
        world.used(world.key(team), events=6)

        def wrong(answers: list[Any]) -> Anomalies:
            flows.sweep(now=NOW)
            owed = moved(team, 2000, 1110) - balance(team, 1110)
            return [
                *raised(answers),
                *differs("withdrawn", disputed(team), 10),
                *differs("debt, paid or open", owed, moved(team, 1110, 1000)),
                *differs("overdraft", balance(team, 1100), 0),
                *differs("available", available(team), 20 - 26 * COST),
            ]

        return Race([telling(said(intent, -10_00)), settling(team, 20_00)], wrong)

    arena.holds(prepare)
    with arena.unguarded(Control(locks=False, meet_at=POSTING)):
        arena.breaks(prepare, REFUSED)


def test_a_dispute_is_opened_beside_a_refund(arena: Arena, world: World, stripe: Running) -> None:
    """Whoever comes first at Stripe and here: the card gets its money back once, and nobody owes anything in the end."""

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = charged(stripe, world, team, 10_00)

        def dispute() -> str:
            opened = stripe.admin.dispute(intent.charge_id or "")
            flows.dispute_told(gateway.read_dispute(opened["id"]), now=NOW)
            return str(opened["id"])

        def wrong(answers: list[Any]) -> Anomalies:
            if faults := raised(answers, RefundRefused):
                return faults
            stripe.admin.lose(answers[1])
            flows.dispute_told(gateway.read_dispute(answers[1]), now=NOW)
            return [
                *differs("went back", moved(team, 2300, 1000) + disputed(team), 10),
                *differs("on its way", on_its_way(team), 0),
                *differs("debt", balance(team, 1110), 0),
                *differs("available", available(team), 0),
            ]

        return Race([by_staff(world, intent, 6_00), dispute], wrong)

    arena.holds(prepare, rounds=OVER_HTTP)
    assert stripe.admin.books()["totals"]["net"] == 0
    # Both have read that 10.00 are left of the grant.
    with arena.unguarded(Control(locks=False, meet_at=POSTING)):
        arena.breaks(prepare, REFUSED)


def test_a_dispute_is_opened_beside_charging(arena: Arena, world: World) -> None:
    """What was used before is paid by the credit that is held from now on, whether it was charged or not."""

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = bought_by_card(team, 10_00)
        world.used(world.key(team), events=8)

        def dispute() -> None:
            flows.dispute_told(said(intent), now=NOW)
            arena.meet("it is open")

        def sweep() -> None:
            arena.meet("it is open")
            flows.sweep(now=NOW)

        def wrong(answers: list[Any]) -> Anomalies:
            flows.sweep(now=NOW)
            return [
                *raised(answers),
                *differs("overdraft", balance(team, 1100), 0),
                *differs("held", balance(team, 2000), 10 - 8 * COST),
                *differs("available", available(team), 0),
            ]

        return Race([dispute, sweep], wrong)

    arena.holds(prepare)
    # The credit is held before what was used is charged to it: then nothing can pay for that.
    with arena.unguarded(), uncharged(0):
        arena.breaks(prepare, "overdraft")


def test_a_withdrawal_and_expiry(arena: Arena, world: World) -> None:
    """Credit ends in the moment in which it is taken back: from the grant or from breakage, but once."""

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = bought_by_card(team, 10_00)

        def wrong(answers: list[Any]) -> Anomalies:
            flows.dispute_told(said(intent, -10_00, status="lost"), now=NEXT_YEAR)
            flows.expire(now=NEXT_YEAR)
            return [
                *raised(answers),
                *differs("withdrawn", disputed(team), 10),
                *differs("breakage", moved(team, 2000, 4900) - moved(team, 4900, 1000), 0),
                *differs("debt", balance(team, 1110), 0),
                *differs("available", available(team, NEXT_YEAR), 0),
            ]

        return Race(
            [telling(said(intent, -10_00), now=NEXT_YEAR), lambda: flows.expire(now=NEXT_YEAR)], wrong
        )  # fmt: skip

    arena.holds(prepare)
    # Both have read that 10.00 are left of the grant.
    with arena.unguarded(Control(locks=False, meet_at=POSTING)):
        arena.breaks(prepare, REFUSED)
