"""Auto-recharge at the same instant as itself, as other money, and as whoever stops it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from billing import flows
from billing.ledger import wallets
from billing.payments.models import Intent, Purpose
from billing.recharge import links, recharging
from billing.recharge.models import Attempt, Rule, Standing, Why
from orgs.models import Organization
from tests.factories import recharging as recharge
from tests.races.arena import Anomalies, Arena, Race, differs, raised
from tests.races.disputing import bought_by_card, said
from tests.races.guards import Control
from tests.races.scenes import COST, NOW, World, available, settling

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

WRITTEN_DOWN = 'INSERT INTO "payment_intent"'


def low(world: World) -> tuple[Organization, Intent]:
    """Acme bought 10.00, is recharged to 20.00 below 9.80, and has used 0.425; what it bought."""
    team = world.team()
    bought = bought_by_card(team, 10_00)
    recharge.on(team, world.alice, threshold=9_80, to=20_00)
    world.used(world.key(team))
    flows.sweep(now=NOW)
    return team, bought


def charging(team: Organization, see: Callable[[], Any] = lambda: None) -> Callable[[], tuple[bool, Any]]:
    """Somebody looks whether a charge is due: was one written down, and what is to be seen just before the commit?"""

    def act() -> tuple[bool, Any]:
        with transaction.atomic():
            wallets.lock([team.pk])
            begun = recharging.begin(team.pk, now=NOW) is not None
            return begun, see()

    return act


def charges(team: Organization) -> list[int]:
    return list(Intent.objects.filter(wallet=team.pk, purpose=Purpose.RECHARGE).values_list("amount_cents", flat=True))


def test_whoever_looks_at_once_writes_down_one_charge(arena: Arena, world: World) -> None:
    def prepare(turn: int) -> Race:
        team, _ = low(world)

        def wrong(answers: list[Any]) -> Anomalies:
            return [
                *raised(answers),
                *differs("charges", charges(team), [10_43]),
                *differs("attempts", Attempt.objects.filter(wallet=team.pk).count(), 1),
            ]

        return Race([charging(team)] * 3, wrong)

    arena.holds(prepare)
    # All have read that nothing is on its way. The index lets one of them through.
    with arena.unguarded(Control(locks=False, meet_at=WRITTEN_DOWN)):
        arena.breaks(prepare, "payment_intent_one_off_session")


def test_nothing_is_charged_after_a_purchase_has_lifted_the_balance(arena: Arena, world: World) -> None:
    def prepare(turn: int) -> Race:
        team, _ = low(world)
        settle = settling(team, 30_00)

        def purchase() -> None:
            settle()
            # In the control: before the charge that was decided on is written down.
            arena.meet("statement")

        def wrong(answers: list[Any]) -> Anomalies:
            charged = answers[0] if isinstance(answers[0], tuple) else (False, None)
            return [
                *raised(answers),
                *(differs("balance when it was charged", charged[1], 10 - COST) if charged[0] else []),
                *differs("available", available(team), 40 - COST),
                *differs("charges", len(charges(team)), int(charged[0])),
            ]

        return Race([charging(team, lambda: available(team)), purchase], wrong)

    arena.holds(prepare)
    with arena.unguarded(Control(locks=False, meet_at=WRITTEN_DOWN)):
        arena.breaks(prepare, "balance when it was charged")


def test_nothing_is_charged_after_a_dispute_was_opened(arena: Arena, world: World) -> None:
    def prepare(turn: int) -> Race:
        team, bought = low(world)

        def dispute() -> None:
            flows.dispute_told(said(bought), now=NOW)
            arena.meet("statement")

        def wrong(answers: list[Any]) -> Anomalies:
            return [
                *raised(answers),
                *differs("standing", standing(team), (Standing.OFF, Why.DISPUTE)),
                *differs("charges", len(charges(team)), int(isinstance(answers[0], tuple) and answers[0][0])),
            ]

        return Race([charging(team), dispute], wrong)

    arena.holds(prepare)
    # It was decided on before; the trigger is the last line of defence.
    with arena.unguarded(Control(locks=False, meet_at=WRITTEN_DOWN)):
        arena.breaks(prepare, "has an open dispute")


def test_nothing_is_charged_after_somebody_followed_the_link_that_stops_it(arena: Arena, world: World) -> None:
    def prepare(turn: int) -> Race:
        team, _ = low(world)
        token = links.stop_token(team.pk, Rule.objects.get(wallet=team.pk).consent_id)

        def stop() -> None:
            flows.stop_recharge_by_link(token, now=NOW)
            arena.meet("statement")

        def wrong(answers: list[Any]) -> Anomalies:
            charged = answers[0] if isinstance(answers[0], tuple) else (False, None)
            return [
                *raised(answers),
                *(differs("when it was charged", charged[1], (Standing.ON, "")) if charged[0] else []),
                *differs("standing", standing(team), (Standing.OFF, Why.LINK)),
            ]

        return Race([charging(team, lambda: standing(team)), stop], wrong)

    arena.holds(prepare)
    with arena.unguarded(Control(locks=False, meet_at=WRITTEN_DOWN)):
        arena.breaks(prepare, "when it was charged")


def standing(team: Organization) -> tuple[str, str]:
    return Rule.objects.values_list("standing", "why").get(wallet=team.pk)
