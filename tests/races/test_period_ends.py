"""What customers do while their period ends.

They act a second before the end, and the clock of the portal comes by at it: whoever has the wallet's lock first goes first,
whatever their watches say.
"""

from datetime import timedelta
from typing import Any

import pytest

from billing import flows
from billing.catalog.models import Plan
from billing.payments.models import Refund
from billing.subscriptions.models import Change, PaidPeriod, State
from billing.subscriptions.refusals import PlanRefused
from tests.factories import catalog, plans
from tests.races.arena import Anomalies, Arena, Race, differs, raised
from tests.races.guards import Control
from tests.races.renewals import BEGAN, LAST_SECOND, WRITTEN_DOWN, renewal_pays, renewing
from tests.races.scenes import World, paid

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def plan(world: World) -> Plan:
    return catalog.plan(world.model)


def test_an_upgrade_is_paid_while_the_plan_is_renewed(arena: Arena, world: World, plan: Plan) -> None:
    """Either the renewal is that of the greater plan, or what was paid for the upgrade goes back."""
    greater = plans.another("code-max", world.model, usd=200, rank=2)

    def prepare(turn: int) -> Race:
        team = world.team()
        running = plans.begun(team, plan, world.alice, now=BEGAN)
        upgrade = plans.asked(team, greater, world.alice, now=BEGAN + timedelta(days=27)).intent
        assert upgrade is not None

        def wrong(answers: list[Any]) -> Anomalies:
            renewal = renewal_pays(running)
            applied = PaidPeriod.objects.filter(subscription=running, number=1, part=1).exists()
            price, wanted = (200_00, greater) if applied else (50_00, plan)
            return [
                *raised(answers),
                *differs("plan", running.plan_id, wanted.pk),
                *differs("renewed at", renewal and renewal.amount_cents, price),
                *differs("given back", Refund.objects.filter(intent=upgrade).count(), 0 if applied else 1),
            ]

        return Race(
            [lambda: flows.payment_outcome(upgrade.pk, paid(upgrade), now=LAST_SECOND), renewing(running)], wrong
        )

    arena.holds(prepare, verify=False)
    with arena.unguarded(Control(locks=False, meet_at=f'{WRITTEN_DOWN}|INSERT INTO "subscription_period"')):
        arena.breaks(prepare, "plan|renewed at|given back")


def test_a_plan_is_canceled_while_it_is_renewed(arena: Arena, world: World, plan: Plan) -> None:
    """Canceled in time is canceled: where the renewal was written down before, what comes of it goes back."""

    def prepare(turn: int) -> Race:
        running = plans.begun(world.team(), plan, world.alice, now=BEGAN)

        def cancel() -> None:
            flows.cancel_plan(running.wallet_id, running.public_id, by=world.alice.pk, now=LAST_SECOND)

        def wrong(answers: list[Any]) -> Anomalies:
            renewal = renewal_pays(running)
            return [
                *raised(answers),
                *differs("state", running.state, State.ENDED),
                *differs("why", running.ended_as, "canceled"),
                *differs("given back", Refund.objects.filter(intent=renewal).count(), 1 if renewal else 0),
            ]

        return Race([cancel, renewing(running)], wrong)

    arena.holds(prepare, verify=False)
    with arena.unguarded(Control(locks=False, meet_at=f'{WRITTEN_DOWN}|INSERT INTO "plan_change"')):
        arena.breaks(prepare, "state|why")


def test_a_smaller_plan_is_chosen_or_withdrawn_while_the_plan_is_renewed(
    arena: Arena, world: World, plan: Plan
) -> None:
    """What was scheduled is renewed, at its price; withdrawn in time it is not."""
    greater = plans.another("code-max", world.model, usd=200, rank=2)

    def prepare(turn: int) -> Race:
        running = plans.begun(world.team(), greater, world.alice, now=BEGAN)
        scheduled = turn % 2 == 0
        if scheduled:
            flows.schedule_plan(running.wallet_id, running.public_id, plan.pk, by=world.alice.pk, now=BEGAN)

        def act() -> None:
            if scheduled:
                flows.withdraw_change(running.wallet_id, running.public_id, by=world.alice.pk, now=LAST_SECOND)
            else:
                flows.schedule_plan(running.wallet_id, running.public_id, plan.pk, by=world.alice.pk, now=LAST_SECOND)

        def wrong(answers: list[Any]) -> Anomalies:
            renewal = renewal_pays(running)
            smaller = scheduled != (answers[0] is None)
            pending = Change.objects.filter(subscription=running, withdrawn_at=None, applied_at=None)
            return [
                *raised(answers, PlanRefused),
                *differs("renewed at", renewal and renewal.amount_cents, 50_00 if smaller else 200_00),
                *differs("plan", running.plan_id, plan.pk if smaller else greater.pk),
                *differs("pending", pending.count(), 0),
            ]

        return Race([act, renewing(running)], wrong)

    arena.holds(prepare, verify=False)
    with arena.unguarded(Control(locks=False, meet_at=f'{WRITTEN_DOWN}|(INSERT INTO|UPDATE) "plan_change"')):
        arena.breaks(prepare, "renewed at|plan|pending|append-only")
