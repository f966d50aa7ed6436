"""One model, a plan and a contract: at most one of them covers it, and no money is taken for what cannot begin (A21)."""

from datetime import date

import pytest

from billing import flows
from billing.catalog.models import Plan
from billing.contracts.models import Contract
from billing.contracts.signing import SigningRefused
from billing.payments.models import Refund
from billing.subscriptions import choosing
from billing.subscriptions.models import State, Subscription
from billing.subscriptions.refusals import PlanRefused
from orgs.models import Organization, User
from tests.factories import cards, contracts, plans
from tests.factories.plans import DAY, FEB, HOUR, JAN, MINUTE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books_are_right")]

MARCH = date(2027, 3, 1)
"""The first of a month after the first period's end, 28 February."""


@pytest.fixture
def pro(acme: Organization) -> Plan:
    cards.saved(acme)
    return plans.offered()[1]


@pytest.fixture
def larger(pro: Plan) -> Plan:
    return Plan.objects.get(slug="code-max")


def promised(acme: Organization, alice: User, plan: Plan, *, starts_on: date = MARCH, now: object = JAN) -> Contract:
    """A contract for the plan's model was accepted."""
    return contracts.accepted(acme, alice, plan.covers.get(), card=False, starts_on=starts_on, now=now)  # type: ignore[arg-type]


def canceled(acme: Organization, alice: User, plan: Plan) -> Subscription:
    running = plans.begun(acme, plan, alice)
    flows.cancel_plan(acme.pk, running.public_id, by=alice.pk, now=JAN + DAY)
    return running


def test_no_plan_is_sold_on_a_model_that_is_promised(acme: Organization, alice: User, pro: Plan) -> None:
    """Not for the months before the contract either: a plan goes on until it is canceled."""
    promised(acme, alice, pro, starts_on=date(2027, 7, 1), now=JAN - DAY)
    [offer] = [offer for offer in choosing.offers(acme.pk, now=JAN) if offer.plan.slug == pro.slug]
    assert (offer.move, "contract covers a model" in offer.refused) == (None, True)
    with pytest.raises(PlanRefused, match="contract covers a model"):
        plans.asked(acme, pro, alice)


def test_accepted_while_the_first_payment_is_on_its_way_the_money_goes_back(
    acme: Organization, alice: User, pro: Plan
) -> None:
    charge = plans.asked(acme, pro, alice, method=cards.saved(acme))
    promised(acme, alice, pro, now=JAN + MINUTE)
    assert charge.intent is not None
    plans.paid(charge.intent, now=JAN + 2 * MINUTE)
    assert (plans.of(charge).ended_as, Refund.objects.get().amount_cents, plans.cover(acme)) == ("taken", 50_00, [])


def test_a_contract_waits_for_a_plan_that_goes_on(acme: Organization, alice: User, pro: Plan) -> None:
    """Its period ends before the contract would start, and then it renews."""
    running = plans.begun(acme, pro, alice)
    with pytest.raises(SigningRefused, match="must end first"):
        contracts.offered(acme, alice, pro.covers.get(), starts_on=MARCH, now=JAN + DAY)
    flows.cancel_plan(acme.pk, running.public_id, by=alice.pk, now=JAN + DAY)
    promised(acme, alice, pro, now=JAN + 2 * DAY)


def test_offered_before_the_plan_it_is_not_accepted_beside_it(acme: Organization, alice: User, pro: Plan) -> None:
    offered = contracts.offered(acme, alice, pro.covers.get(), starts_on=MARCH, now=JAN - DAY)
    plans.begun(acme, pro, alice)
    with pytest.raises(SigningRefused, match="must end first"):
        contracts.signed(offered, alice, now=JAN + DAY)


def test_a_disputed_plan_may_come_back_and_is_waited_for(acme: Organization, alice: User, pro: Plan) -> None:
    running = plans.begun(acme, pro, alice)
    fee = running.charges.get().intent
    assert fee is not None
    plans.disputed(fee, -50_00, now=JAN + DAY)
    with pytest.raises(SigningRefused, match="must end first"):
        promised(acme, alice, pro, now=JAN + 2 * DAY)
    plans.disputed(fee, -50_00, 50_00, now=JAN + 3 * DAY, status="won")
    running.refresh_from_db()
    assert running.state == State.ACTIVE


def test_a_plan_that_makes_room_for_a_contract_is_not_kept_after_all(
    acme: Organization, alice: User, pro: Plan, larger: Plan
) -> None:
    """Neither the same one, nor a greater, nor a smaller; it works to its last second."""
    running = canceled(acme, alice, larger)
    promised(acme, alice, pro, now=JAN + 2 * DAY)
    now, largest = JAN + 3 * DAY, plans.another("code-ultra", pro.covers.get(), usd=500, rank=3)
    with pytest.raises(PlanRefused, match="contract covers a model"):
        flows.withdraw_change(acme.pk, running.public_id, by=alice.pk, now=now)
    with pytest.raises(PlanRefused, match="contract covers a model"):
        flows.schedule_plan(acme.pk, running.public_id, pro.pk, by=alice.pk, now=now)
    with pytest.raises(PlanRefused, match="contract covers a model"):
        plans.asked(acme, largest, alice, now=now, method=running.method)
    assert plans.cover(acme) == [("code-max", JAN, FEB)]
    assert plans.renewing(running, now=FEB + HOUR) is None
    assert running.ended_as == "canceled"


def test_an_upgrade_that_is_paid_after_it_was_promised_goes_back(
    acme: Organization, alice: User, pro: Plan, larger: Plan
) -> None:
    running = canceled(acme, alice, pro)
    charge = plans.asked(acme, larger, alice, now=JAN + 2 * DAY, method=running.method)
    promised(acme, alice, pro, now=JAN + 2 * DAY + MINUTE)
    assert charge.intent is not None
    plans.paid(charge.intent, now=JAN + 2 * DAY + 2 * MINUTE)
    running.refresh_from_db()
    assert (running.plan, Refund.objects.get().amount_cents) == (pro, charge.amount_cents)
    assert plans.cover(acme) == [("code-pro", JAN, FEB)]
