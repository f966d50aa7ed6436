"""Plans at the same instant: begun twice, renewed by several, withdrawn while it takes effect."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import transaction

from billing import flows
from billing.catalog.models import Plan
from billing.contracts.signing import SigningRefused
from billing.ledger import wallets
from billing.payments.models import Intent
from billing.subscriptions import beginning, choosing, upgrading
from billing.subscriptions.models import Change, Charge, CoveredModel, State, Subscription
from billing.subscriptions.refusals import PlanRefused
from orgs.models import Organization
from tests.factories import cards, catalog, contracts, plans
from tests.races.arena import Anomalies, Arena, Race, differs, raised
from tests.races.guards import Control
from tests.races.renewals import BEGAN, LAST_SECOND, WRITTEN_DOWN, renewing
from tests.races.scenes import NOW, World

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def plan(world: World) -> Plan:
    return catalog.plan(world.model)


def test_two_forms_at_once_begin_one_plan(arena: Arena, world: World, plan: Plan) -> None:
    def prepare(turn: int) -> Race:
        team = world.team()
        card = cards.saved(team)
        quotes = [choosing.quote(team.pk, plan.pk, by=world.alice.pk, now=NOW).pk for _ in range(2)]

        def subscribing(team: Organization, place: int) -> Any:
            def act() -> None:
                with transaction.atomic():
                    wallets.lock([team.pk])
                    beginning.begin(team.pk, quotes[place], by=world.alice.pk, method_id=card.pk, now=NOW)

            return act

        def wrong(answers: list[Any]) -> Anomalies:
            return [
                *raised(answers, PlanRefused),
                *differs("begun", sum(answer is None for answer in answers), 1),
                *differs("covered", CoveredModel.objects.filter(wallet=team.pk, open=True).count(), 1),
                *differs("charges", Intent.objects.filter(wallet=team.pk).count(), 1),
            ]

        return Race([subscribing(team, 0), subscribing(team, 1)], wrong)

    arena.holds(prepare)
    with arena.unguarded(Control(locks=False, meet_at='INSERT INTO "subscription_model"')):
        arena.breaks(prepare, "subscription_model_one_open")


def test_several_clocks_write_down_one_renewal(arena: Arena, world: World, plan: Plan) -> None:
    def prepare(turn: int) -> Race:
        running = plans.begun(world.team(), plan, world.alice, now=BEGAN)

        def wrong(answers: list[Any]) -> Anomalies:
            return [
                *raised(answers),
                *differs("begun", sum(answer is True for answer in answers), 1),
                *differs("charges", Charge.objects.filter(subscription=running, kind="renewal").count(), 1),
            ]

        return Race([renewing(running)] * 3, wrong)

    arena.holds(prepare)
    with arena.unguarded(Control(locks=False, meet_at=WRITTEN_DOWN)):
        arena.breaks(prepare, "payment_intent_one_off_session|payment_intent_key")


def test_a_cancellation_is_withdrawn_or_happens(arena: Arena, world: World, plan: Plan) -> None:
    """The customer withdraws at the last second, and the clock of the portal is a second ahead of his."""

    def prepare(turn: int) -> Race:
        running = plans.begun(world.team(), plan, world.alice, now=BEGAN)
        with transaction.atomic():
            wallets.lock([running.wallet_id])
            choosing.cancel(running, by=world.alice.pk, now=BEGAN)

        def withdraw() -> None:
            with transaction.atomic():
                wallets.lock([running.wallet_id])
                again = Subscription.objects.get(pk=running.pk)
                choosing.withdraw(again, by=world.alice.pk, now=LAST_SECOND)

        def wrong(answers: list[Any]) -> Anomalies:
            running.refresh_from_db()
            withdrawn = answers[0] is None
            change = Change.objects.get(subscription=running)
            return [
                *raised(answers, PlanRefused),
                *differs("goes on", running.state != State.ENDED, withdrawn),
                *differs("withdrawn", change.withdrawn_at is not None, withdrawn),
                *differs("renewed", answers[1] is True, withdrawn),
            ]

        return Race([withdraw, renewing(running)], wrong)

    arena.holds(prepare, verify=False)
    with arena.unguarded(Control(locks=False, meet_at='UPDATE "plan_change"')):
        arena.breaks(prepare, "append-only|goes on|renewed")


def test_an_upgrade_and_a_renewal_charge_one_card_once(arena: Arena, world: World, plan: Plan) -> None:
    """In the last hour of a period its customer agrees to a greater plan, and a clock that is ahead comes by."""
    greater = plans.another("greater", world.model, usd=5_000, rank=9)

    def prepare(turn: int) -> Race:
        running = plans.begun(world.team(), plan, world.alice, now=BEGAN)
        before = NOW - timedelta(hours=1)
        quote = choosing.quote(running.wallet_id, greater.pk, by=world.alice.pk, now=before - timedelta(minutes=1))

        def upgrade() -> None:
            with transaction.atomic():
                wallets.lock([running.wallet_id])
                upgrading.begin(
                    running.wallet_id, quote.pk, by=world.alice.pk, method_id=running.method_id, now=before
                )  # fmt: skip

        def wrong(answers: list[Any]) -> Anomalies:
            charges = Charge.objects.filter(subscription=running, quote__kind="first").count()
            written = Charge.objects.filter(subscription=running).count() - charges
            return [*raised(answers, PlanRefused), *differs("charges", written, 1)]

        return Race([upgrade, renewing(running)], wrong)

    arena.holds(prepare)
    with arena.unguarded(Control(locks=False, meet_at=WRITTEN_DOWN)):
        arena.breaks(prepare, "payment_intent_one_off_session")


def test_a_plan_is_kept_or_a_contract_accepted_for_the_time_after_it(arena: Arena, world: World, plan: Plan) -> None:
    """Its cancellation made room for the contract that is being accepted while she withdraws it (A21)."""
    start = date(2026, 4, 1)

    def prepare(turn: int) -> Race:
        running = plans.begun(world.team(), plan, world.alice, now=BEGAN)
        before = NOW - timedelta(days=1)
        flows.cancel_plan(running.wallet_id, running.public_id, by=world.alice.pk, now=BEGAN)
        team = plans.org_of(running)
        contract = contracts.offered(team, world.alice, world.model, starts_on=start, now=before)

        def withdraw() -> None:
            flows.withdraw_change(running.wallet_id, running.public_id, by=world.alice.pk, now=before)

        def accept() -> None:
            contracts.signed(contract, world.alice, now=before)

        def wrong(answers: list[Any]) -> Anomalies:
            kept = Change.objects.get(subscription=running).withdrawn_at is not None
            contract.refresh_from_db()
            return [
                *raised(answers, PlanRefused, SigningRefused),
                *differs("kept and accepted", (kept, contract.state == "accepted").count(True), 1),
            ]

        return Race([withdraw, accept], wrong)

    arena.holds(prepare)
    with arena.unguarded(
        Control(locks=False, meet_at='UPDATE "plan_change"|INSERT INTO "contract_acceptance"'),
    ):
        arena.breaks(prepare, "kept and accepted")
