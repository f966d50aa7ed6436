"""Subscribing: what is shown is what happens, and nothing is covered before it is paid."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import transaction

from billing import flows
from billing.catalog.models import AIModel, Plan
from billing.coverage.models import Coverage, Payer, PayerBase
from billing.ledger import balances
from billing.notices.models import Notice
from billing.payments.models import Intent, Refund
from billing.statements.models import Receipt
from billing.subscriptions import choosing, refusals
from billing.subscriptions.models import Charge, PaidPeriod, State, Subscription
from orgs.models import Organization, User
from tests.factories import cards, plans
from tests.factories.plans import DAY, FEB, HOUR, JAN, MINUTE, SECOND

pytestmark = pytest.mark.django_db


def test_paid_with_a_saved_card_it_covers_from_that_moment(acme: Organization, alice: User, pro: Plan) -> None:
    card = cards.saved(acme)
    charge = plans.asked(acme, pro, alice, method=card)
    running = plans.of(charge)
    assert (running.state, plans.cover(acme)) == (State.INCOMPLETE, [])
    assert charge.intent is not None
    settled = JAN + 7 * SECOND
    plans.paid(charge.intent, now=settled)
    running.refresh_from_db()
    assert (running.state, running.anchor, running.number, running.method) == (State.ACTIVE, settled, 1, card)
    assert (running.starts_at, running.ends_at) == (settled, FEB + 7 * SECOND)
    assert plans.cover(acme) == [("code-pro", settled, FEB + 7 * SECOND + HOUR)]
    fee = PaidPeriod.objects.get()
    assert (fee.number, fee.part, fee.charged_cents, fee.price_cents) == (1, 0, 50_00, 50_00)
    assert plans.deferred(acme) == 50
    assert balances.of(acme.pk, now=settled).available == 0, "a fee is no credit"
    told = Notice.objects.get(kind="plan_started")
    assert told.facts["amount"] == "50.00"
    body = Receipt.objects.get().body
    assert '"purpose":"subscription"' in body
    assert '"new_credit":"0.00"' in body


def test_the_same_quote_is_agreed_to_once(acme: Organization, alice: User, pro: Plan) -> None:
    card, quote = cards.saved(acme), None
    with transaction.atomic():
        quote = choosing.quote(acme.pk, pro.pk, by=alice.pk, now=JAN)
    assert (quote.kind, quote.amount_cents, quote.held_until) == ("first", 50_00, JAN + 10 * MINUTE)
    from billing.subscriptions import beginning

    one, two = (beginning.begin(acme.pk, quote.pk, by=alice.pk, method_id=card.pk, now=JAN) for _ in range(2))
    assert one == two
    assert (Charge.objects.count(), Intent.objects.count(), Subscription.objects.count()) == (1, 1, 1)


def test_what_was_shown_happens_or_nothing(acme: Organization, alice: User, pro: Plan) -> None:
    quote = choosing.quote(acme.pk, pro.pk, by=alice.pk, now=JAN)
    Plan.objects.filter(pk=pro.pk).update(price_usd=60)
    with pytest.raises(refusals.QuoteOver, match="price has changed"):
        flows.subscribe(acme.pk, quote.pk, by=alice.pk, now=JAN)
    again = choosing.quote(acme.pk, pro.pk, by=alice.pk, now=JAN)
    with pytest.raises(refusals.QuoteOver, match="ten minutes"):
        flows.subscribe(acme.pk, again.pk, by=alice.pk, now=JAN + 10 * MINUTE)
    with pytest.raises(refusals.QuoteOver):
        flows.subscribe(acme.pk, uuid4(), by=alice.pk, now=JAN)
    assert not Subscription.objects.exists()
    assert not Intent.objects.exists()


def test_another_organizations_quote_is_none(
    acme: Organization, alice: User, charlie_personal: Organization, charlie: User, pro: Plan
) -> None:
    quote = choosing.quote(acme.pk, pro.pk, by=alice.pk, now=JAN)
    with pytest.raises(refusals.QuoteOver):
        flows.subscribe(charlie_personal.pk, quote.pk, by=charlie.pk, now=JAN)


# --- Who may not -----------------------------------------------------------------------------------------------------


def refused(org: Organization, plan: Plan) -> str:
    [offer] = [offer for offer in choosing.offers(org.pk, now=JAN) if offer.plan.slug == plan.slug]
    assert offer.move is None
    return offer.refused


def test_a_model_is_covered_once(acme: Organization, alice: User, pro: Plan, larger: Plan) -> None:
    plans.asked(acme, pro, alice, method=cards.saved(acme))
    with pytest.raises(refusals.PlanRefused):
        plans.asked(acme, pro, alice)
    assert "first payment of this plan is not made yet" in refused(acme, larger)


@pytest.mark.books_differ("contract_cover")
def test_no_plan_on_a_model_under_contract(acme: Organization, pro: Plan) -> None:
    Coverage.objects.create(
        wallet_id=acme.pk, model_id=pro.covers.get().pk, payer=Payer.CONTRACT, source_id=1, valid_from=JAN + DAY,
        valid_to=JAN + 9 * DAY,
    )  # fmt: skip
    assert "contract covers a model" in refused(acme, pro)


def test_no_plan_for_whom_aws_bills(acme: Organization, pro: Plan) -> None:
    PayerBase.objects.filter(wallet_id=acme.pk).update(payer=Payer.MARKETPLACE)
    assert "AWS Marketplace bills" in refused(acme, pro)


def test_no_plan_while_a_payment_is_disputed(acme: Organization, alice: User, pro: Plan) -> None:
    from tests.factories import business

    plans.disputed(business.bought(acme, "100", now=JAN - DAY), -100_00, now=JAN - HOUR)
    assert "disputed" in refused(acme, pro)


@pytest.mark.parametrize(("last_day", "sold"), [((2027, 2, 27), False), ((2027, 2, 28), True), (None, True)])
def test_a_plan_whose_last_model_is_retired_within_the_first_period_is_not_sold(
    acme: Organization, pro: Plan, last_day: tuple[int, int, int] | None, sold: bool
) -> None:
    from datetime import date

    AIModel.objects.update(deprecated_on=date(*last_day) if last_day else None)
    [offer] = [offer for offer in choosing.offers(acme.pk, now=JAN) if offer.plan.slug == pro.slug]
    assert (offer.move == "subscribe") is sold


# --- A first payment that is not made --------------------------------------------------------------------------------


def test_declined_nothing_began_and_it_can_be_tried_again(acme: Organization, alice: User, pro: Plan) -> None:
    card = cards.saved(acme)
    charge = plans.asked(acme, pro, alice, method=card)
    assert charge.intent is not None
    plans.not_paid(charge.intent, now=JAN)
    over = plans.of(charge)
    assert (over.state, over.ended_as, plans.cover(acme)) == (State.ENDED, "not_paid", [])
    assert not Notice.objects.filter(kind="plan_ended").exists()
    assert plans.begun(acme, pro, alice, now=JAN + MINUTE, method=card).state == State.ACTIVE


def test_after_23_hours_it_is_void_and_what_arrives_then_goes_back(acme: Organization, alice: User, pro: Plan) -> None:
    charge = plans.asked(acme, pro, alice, method=cards.saved(acme))
    assert charge.intent is not None
    plans.unknown(charge.intent, now=JAN)
    assert flows.renew_plans(now=JAN + 22 * HOUR) == 0
    assert flows.renew_plans(now=JAN + 23 * HOUR) == 1
    assert plans.of(charge).ended_as == "not_paid"
    plans.paid(charge.intent, now=JAN + 24 * HOUR)
    back = Refund.objects.get()
    assert (back.amount_cents, back.state, plans.deferred(acme), plans.cover(acme)) == (50_00, "asked", 0, [])


def test_a_payment_of_another_amount_begins_nothing(acme: Organization, alice: User, pro: Plan) -> None:
    charge = plans.asked(acme, pro, alice, method=cards.saved(acme))
    assert charge.intent is not None
    plans.paid(charge.intent, now=JAN, cents=49_00)
    assert plans.of(charge).state == State.ENDED
    assert not PaidPeriod.objects.exists()
    assert not Refund.objects.exists(), "it waits for staff"


@pytest.mark.books_differ("contract_cover")
def test_a_contract_that_came_first_sends_the_money_back(acme: Organization, alice: User, pro: Plan) -> None:
    charge = plans.asked(acme, pro, alice, method=cards.saved(acme))
    Coverage.objects.create(
        wallet_id=acme.pk, model_id=pro.covers.get().pk, payer=Payer.CONTRACT, source_id=1, valid_from=JAN,
        valid_to=JAN + 9 * DAY,
    )  # fmt: skip
    assert charge.intent is not None
    plans.paid(charge.intent, now=JAN)
    assert (plans.of(charge).ended_as, Refund.objects.get().amount_cents) == ("taken", 50_00)


def test_plans_of_different_models_are_separate(acme: Organization, alice: User, pro: Plan) -> None:
    from tests.factories import catalog

    chat = plans.another("chat", catalog.model("llama"), usd=20, rank=7)
    plans.begun(acme, pro, alice)
    plans.begun(acme, chat, alice, now=JAN + timedelta(hours=3))
    assert [running.plan.slug for running in choosing.current(acme.pk)] == ["chat", "code-pro"]
    assert plans.deferred(acme) == Decimal(70)
