"""Plans whose customers change their minds, whose banks say no, and that a contract follows."""

from datetime import date, datetime

import pytest

from billing import flows
from billing.catalog.models import AIModel, Plan
from billing.contracts.signing import SigningRefused
from billing.subscriptions import choosing
from billing.subscriptions.models import Change, State
from billing.subscriptions.refusals import PlanRefused
from tests.factories import contracts, plans
from tests.scenarios.plan_life import DAY, HOUR, MINUTE, MODEL, SECOND, WINTER, Life

pytestmark = pytest.mark.django_db(transaction=True)

CREDITS, PLAN, CONTRACT = 2, 3, 4
"""Who pays."""


def end_of(life: Life) -> datetime:
    end = life.plan.ends_at
    assert end is not None
    return end


def test_a_renewal_is_declined_once_and_recovers_in_its_grace(life: Life) -> None:
    """An earlier one was paid, so the plan works on; the next day there is money, and no day was given away."""
    life.buys("10", WINTER - DAY)
    life.chooses("code-pro", WINTER)
    life.clock(end_of(life))
    end = end_of(life)
    life.bank_says("insufficient_funds", times=1)
    life.clock(end)
    assert (life.plan.state, life.uses(end + 20 * HOUR)) == (State.PAST_DUE, PLAN)
    with pytest.raises(PlanRefused, match="payment for the plan is due"):
        life.chooses("code-max", end + 20 * HOUR, upgrade=True)
    life.clock(end + DAY)
    assert (life.plan.state, life.plan.starts_at, life.plan.number) == (State.ACTIVE, end, 3)
    assert life.charges == [10_00, 50_00, 50_00, 50_00]
    assert life.uses(end + 8 * DAY) == PLAN, "longer than its grace would have lasted"


def test_without_credit_a_plan_that_is_not_paid_ends_in_402(life: Life) -> None:
    """It was bought on Stripe's page and never renewed: cover stops with the bank's no, and after a week it is over."""
    life.pays(life.chooses("code-pro", WINTER - MINUTE, page=True), WINTER)
    end = end_of(life)
    assert life.asks(end - SECOND).http_status == 200
    life.bank_says("insufficient_funds")
    life.clock(end)
    said = life.asks(end + MINUTE)
    assert (said.http_status, said.reason) == (402, "plan_past_due")
    for days in range(1, 8):
        life.clock(end + days * DAY)
    assert (life.plan.state, life.plan.ended_as) == (State.ENDED, "unpaid")
    said = life.asks(end + 7 * DAY)
    assert (said.http_status, said.reason) == (402, "no_credit")
    life.buys("10", end + 8 * DAY)
    assert life.asks(end + 8 * DAY + MINUTE).payer == "credits"
    assert life.charges == [50_00, 10_00], "grace that was not covered costs nothing"


def test_a_downgrade_a_cancellation_an_upgrade_and_an_undo(life: Life) -> None:
    """Each takes the place of the one before, and what is dated ahead says so at once."""
    plans.another("code-lite", AIModel.objects.get(slug=MODEL), usd=20, rank=0)
    life.buys("10", WINTER - DAY)
    life.chooses("code-pro", WINTER)
    end = end_of(life)
    lite = Plan.objects.get(slug="code-lite")
    flows.schedule_plan(life.acme.pk, life.id, lite.pk, by=life.alice.pk, now=WINTER + DAY)
    assert (life.asks(end - SECOND).tier, life.asks(end).tier) == ("plan:code-pro", "plan:code-lite")
    flows.cancel_plan(life.acme.pk, life.id, by=life.alice.pk, now=WINTER + 2 * DAY)
    assert (life.asks(end - SECOND).tier, life.asks(end).payer) == ("plan:code-pro", "credits")
    # 150.00 for the 14 days that are left of 28.
    life.chooses("code-max", WINTER + 14 * DAY, upgrade=True)
    assert life.charges[-1] == 75_00
    assert (life.asks(end - SECOND).tier, life.asks(end).tier) == ("plan:code-max", "plan:code-max")
    with pytest.raises(PlanRefused, match="Nothing is scheduled"):
        flows.withdraw_change(life.acme.pk, life.id, by=life.alice.pk, now=WINTER + 15 * DAY)
    flows.cancel_plan(life.acme.pk, life.id, by=life.alice.pk, now=WINTER + 16 * DAY)
    flows.withdraw_change(life.acme.pk, life.id, by=life.alice.pk, now=end - SECOND)
    assert [change.withdrawn_at is not None for change in Change.objects.all()] == [True] * 3
    life.clock(end)
    assert (life.plan.plan.slug, life.plan.number, life.charges[-1]) == ("code-max", 2, 200_00)
    assert choosing.pending(life.plan) is None


def test_a_contract_follows_a_plan(life: Life) -> None:
    """It is accepted when the plan is canceled, not before. In the hours between them credit pays."""
    life.buys("20", WINTER - DAY)
    life.chooses("code-pro", WINTER)
    end, march = end_of(life), datetime(2027, 3, 1, tzinfo=WINTER.tzinfo)
    model = AIModel.objects.get(slug=MODEL)
    with pytest.raises(SigningRefused, match="must end first"):
        contracts.offered(life.acme, life.alice, model, starts_on=date(2027, 3, 1), now=WINTER + DAY)
    flows.cancel_plan(life.acme.pk, life.id, by=life.alice.pk, now=WINTER + DAY)
    contracts.accepted(life.acme, life.alice, model, card=False, starts_on=date(2027, 3, 1), now=WINTER + 2 * DAY)
    with pytest.raises(PlanRefused, match="contract covers"):
        flows.withdraw_change(life.acme.pk, life.id, by=life.alice.pk, now=WINTER + 3 * DAY)
    life.clock(end)
    for task in (flows.bring_contracts_forward, flows.collect_contracts):
        task(now=life.now(march))
    at = (end - SECOND, end, march - SECOND, march, march + HOUR)
    assert [life.uses(moment, 1000) for moment in at] == [PLAN, CREDITS, CREDITS, CONTRACT, CONTRACT]
    assert life.charges == [20_00, 50_00, 5_00]
