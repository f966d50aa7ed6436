"""The end of a period: charged once, tried again over the days of grace, and covered meanwhile as the rules say."""

from datetime import datetime
from typing import Any

import pytest

from billing import flows
from billing.catalog import current
from billing.catalog.models import Plan
from billing.limits import entitlements, reading
from billing.limits.answers import ModelAnswer
from billing.limits.models import LimitsAnswer
from billing.notices.models import Notice
from billing.payments.models import Intent, PaymentMethod, Refund
from billing.subscriptions import choosing, cover, refusals, renewals
from billing.subscriptions.cover import Terms
from billing.subscriptions.models import Charge, PaidPeriod, State, Subscription
from orgs.models import Organization, User
from tests.factories import business, cards, plans
from tests.factories import orgs as people
from tests.factories.plans import APRIL, DAY, FEB, HOUR, JAN, MARCH, MINUTE, SECOND

pytestmark = pytest.mark.django_db

WEEK = 7 * DAY


@pytest.fixture
def running(acme: Organization, alice: User, pro: Plan) -> Subscription:
    return plans.begun(acme, pro, alice)


@pytest.fixture
def proven(running: Subscription) -> Subscription:
    """One renewal was paid; the second period ends on 31 March, 10:00."""
    return plans.renewed(running, now=FEB)


def told(org: Organization, at: datetime) -> ModelAnswer:
    """What any key of it is told about the model of the plan."""
    catalog = current.latest()
    [model] = [model for model in catalog.models if model.slug == "zai-glm-4.7"]
    return entitlements.for_model(reading.pictures([org.pk], now=at)[org.pk], model, catalog, now=at)


# --- Dated ahead (pure) ----------------------------------------------------------------------------------------------


def terms(**changes: Any) -> Terms:
    said: dict[str, Any] = {
        "state": State.ACTIVE, "plan": 1, "next_plan": 1, "starts_at": JAN, "ends_at": FEB, "proven": False,
    }  # fmt: skip
    return Terms(**said | changes)


@pytest.mark.parametrize(
    ("standing", "now", "ends"),
    [
        (terms(), JAN, [(1, FEB + HOUR)]),
        (terms(proven=True), JAN, [(1, FEB + WEEK + HOUR)]),
        (terms(next_plan=None), JAN, [(1, FEB)]),
        (terms(next_plan=2), JAN, [(1, FEB), (2, FEB + HOUR)]),
        (terms(next_plan=2, proven=True), JAN, [(1, FEB), (2, FEB + WEEK + HOUR)]),
        (terms(waiting=True), FEB + 3 * HOUR, [(1, FEB + 4 * HOUR)]),
        (terms(state=State.PAST_DUE), FEB + HOUR, []),
        (terms(state=State.PAST_DUE, waiting=True), FEB + DAY, []),
        (terms(state=State.PAST_DUE, proven=True, grace_from=FEB), FEB + DAY, [(1, FEB + WEEK + HOUR)]),
        (
            terms(state=State.PAST_DUE, proven=True, grace_from=FEB, waiting=True),
            FEB + 8 * DAY,
            [(1, FEB + 8 * DAY + HOUR)],
        ),
        (terms(state=State.SUSPENDED), JAN, []),
        (terms(state=State.ENDED), JAN, []),
    ],
)
def test_what_is_covered_is_what_the_rules_say(
    standing: Terms, now: datetime, ends: list[tuple[int, datetime]]
) -> None:
    stretches = cover.planned(standing, now=now)
    assert [(one.plan_id, one.end) for one in stretches] == ends
    assert all(one.start < one.end for one in stretches)


# --- Paid ------------------------------------------------------------------------------------------------------------


def test_the_next_period_begins_where_the_last_one_ended(running: Subscription, acme: Organization) -> None:
    assert plans.renewing(running, now=FEB - SECOND) is None
    renewed = plans.renewed(running, now=FEB + 40 * SECOND)
    assert (renewed.state, renewed.number, renewed.starts_at, renewed.ends_at) == (State.ACTIVE, 2, FEB, MARCH)
    assert (renewed.renewals, renewed.next_at, renewed.tries) == (1, MARCH, 0)
    assert plans.cover(acme) == [("code-pro", JAN, MARCH + WEEK + HOUR)], "without a gap, in one span"
    assert PaidPeriod.objects.count() == 2
    assert Notice.objects.filter(kind="plan_started", facts__what="renewed").count() == 1


def test_a_higher_price_does_not_reach_who_has_the_plan_and_a_lower_one_does(running: Subscription, pro: Plan) -> None:
    """A32: not without 30 days' notice, and none is given yet."""
    Plan.objects.filter(pk=pro.pk).update(price_usd=60)
    assert plans.renewed(running, now=FEB).price_cents == 50_00
    Plan.objects.filter(pk=pro.pk).update(price_usd=40)
    assert plans.renewed(running, now=MARCH).price_cents == 40_00


def test_two_clocks_charge_once(running: Subscription) -> None:
    assert plans.renewing(running, now=FEB) is not None
    assert plans.renewing(running, now=FEB + MINUTE) is None
    assert plans.renewing(running, now=FEB + HOUR) is None, "its outcome is unknown: it is waited for"
    assert Charge.objects.filter(kind="renewal").count() == 1
    assert list(renewals.due(now=FEB + HOUR)) == []


def test_a_clock_that_is_late_leaves_no_gap(running: Subscription, acme: Organization) -> None:
    """Nobody came by for half an hour: use in between is the plan's, as it was dated ahead."""
    key = people.key(acme, now=JAN).key
    business.used(key, FEB + 10 * MINUTE, model="zai-glm-4.7", tokens_in=1000)
    assert told(acme, FEB + 10 * MINUTE).payer == "subscription"
    plans.renewed(running, now=FEB + 30 * MINUTE)
    assert plans.cover(acme) == [("code-pro", JAN, MARCH + WEEK + HOUR)]


def test_the_plan_does_not_end_while_an_outcome_is_unknown(proven: Subscription, acme: Organization) -> None:
    for try_ in range(4):
        plans.refused(proven, now=MARCH + (0, 1, 3, 5)[try_] * DAY)
    last = plans.renewing(proven, now=MARCH + WEEK)
    assert last is not None
    plans.unknown(last, now=MARCH + WEEK)
    for hours in (1, 20, 40):
        at = MARCH + WEEK + hours * HOUR
        plans.renewing(proven, now=at)
        assert told(acme, at).payer == "subscription"
    plans.paid(last, now=MARCH + 9 * DAY)
    proven.refresh_from_db()
    assert (proven.state, proven.starts_at, proven.ends_at) == (State.ACTIVE, MARCH, APRIL), "no free days"


# --- Not paid --------------------------------------------------------------------------------------------------------


def test_without_an_earlier_renewal_cover_stops_and_comes_back_when_paid(
    running: Subscription, acme: Organization
) -> None:
    plans.refused(running, now=FEB + 20 * SECOND)
    assert (running.state, running.next_at) == (State.PAST_DUE, FEB + DAY)
    assert plans.cover(acme) == [("code-pro", JAN, FEB + 20 * SECOND)]
    answer = told(acme, FEB + HOUR)
    assert (answer.http_status, answer.reason) == (402, "plan_past_due")
    plans.renewed(running, now=FEB + DAY)
    assert plans.cover(acme)[1:] == [("code-pro", FEB + DAY, MARCH + WEEK + HOUR)], "never back-dated"
    assert (running.starts_at, running.ends_at) == (FEB, MARCH)


def test_a_proven_plan_goes_on_for_seven_days_of_grace_and_then_ends(proven: Subscription, acme: Organization) -> None:
    days = []
    for day in (0, 1, 3, 5):
        plans.refused(proven, now=MARCH + day * DAY)
        assert proven.next_at is not None
        days.append((proven.next_at - MARCH).days)
        assert told(acme, MARCH + day * DAY + HOUR).payer == "subscription"
    assert days == [1, 3, 5, 7]
    version = LimitsAnswer.objects.get(org_id=acme.pk).version
    plans.refused(proven, now=MARCH + WEEK)
    assert (proven.state, proven.ended_as, proven.ended_at) == (State.ENDED, "unpaid", MARCH + WEEK)
    assert plans.cover(acme) == [("code-pro", JAN, MARCH + WEEK)]
    assert LimitsAnswer.objects.get(org_id=acme.pk).version > version
    answer = told(acme, MARCH + WEEK)
    assert (answer.http_status, answer.reason) == (402, "no_credit")
    assert Notice.objects.filter(kind="plan_failed").count() == 4
    assert Notice.objects.get(kind="plan_ended").facts["why"] == "unpaid"


def test_who_comes_back_within_60_days_pays_the_used_grace_first(
    proven: Subscription, acme: Organization, alice: User, pro: Plan
) -> None:
    for day in (0, 1, 3, 5, 7):
        plans.refused(proven, now=MARCH + day * DAY)
    # Seven of the 30 days from 31 March to 30 April, of 50.00.
    back = MARCH + 20 * DAY
    [offer] = [offer for offer in choosing.offers(acme.pk, now=back) if offer.plan.slug == "code-pro"]
    assert (offer.cents, offer.arrears_cents) == (61_66, 11_66)
    again = plans.begun(acme, pro, alice, now=back)
    assert (again.price_cents, again.number) == (50_00, 1)
    days = PaidPeriod.objects.get(subscription=proven, number=3)
    assert (days.charged_cents, days.starts_at, days.ends_at) == (11_66, MARCH, MARCH + WEEK)
    flows.cancel_plan(acme.pk, again.public_id, by=alice.pk, now=back)
    assert plans.renewing(again, now=MARCH + 51 * DAY) is None
    assert choosing.draft(acme.pk, refusals.plan(pro.pk), now=MARCH + 52 * DAY).arrears_cents == 0, "paid is paid"


def test_used_grace_is_paid_with_one_plan_and_not_with_two(
    proven: Subscription, acme: Organization, alice: User, pro: Plan
) -> None:
    """Two pages are open at once; only the first one asks for it. Not paid there, it is asked for again."""
    for day in (0, 1, 3, 5, 7):
        plans.refused(proven, now=MARCH + day * DAY)
    back, chat = MARCH + 20 * DAY, plans.alone("chat")
    left, other = plans.asked(acme, pro, alice, now=back), plans.asked(acme, chat, alice, now=back + MINUTE)
    assert (left.arrears_cents, other.arrears_cents) == (11_66, 0)
    assert left.intent is not None
    assert other.intent is not None
    plans.not_paid(left.intent, "expired", now=back + HOUR)
    again = plans.asked(acme, pro, alice, now=back + HOUR)
    assert again.arrears_cents == 11_66
    assert again.intent is not None
    plans.paid(other.intent, now=back + HOUR)
    plans.paid(again.intent, now=back + HOUR)
    assert PaidPeriod.objects.get(subscription=proven, number=3).charged_cents == 11_66


def test_after_60_days_it_is_forgotten(proven: Subscription, acme: Organization, pro: Plan) -> None:
    for day in (0, 1, 3, 5, 7):
        plans.refused(proven, now=MARCH + day * DAY)
    over = MARCH + WEEK
    assert choosing.draft(acme.pk, refusals.plan(pro.pk), now=over + 60 * DAY - SECOND).arrears_cents == 11_66
    assert choosing.draft(acme.pk, refusals.plan(pro.pk), now=over + 60 * DAY).arrears_cents == 0


def test_a_clock_that_stood_still_for_days_gives_the_whole_grace(proven: Subscription, acme: Organization) -> None:
    plans.refused(proven, now=MARCH + 3 * DAY)
    assert (proven.grace_from, proven.next_at) == (MARCH + 3 * DAY, MARCH + 4 * DAY)
    assert plans.cover(acme) == [("code-pro", JAN, MARCH + 10 * DAY + HOUR)]


def test_without_a_card_it_is_past_due_and_the_card_that_pays_is_kept(
    proven: Subscription, acme: Organization, alice: User
) -> None:
    PaymentMethod.objects.update(detached_at=MARCH - DAY, is_default=False)
    assert plans.renewing(proven, now=MARCH) is None
    assert (proven.state, proven.tries) == (State.PAST_DUE, 1)
    assert "no saved card" in Notice.objects.get(kind="plan_failed").facts["reason"]
    charge = renewals.finish(proven, by=alice.pk, now=MARCH + HOUR)
    assert renewals.finish(proven, by=alice.pk, now=MARCH + 2 * HOUR) == charge
    card = cards.saved(acme, "1881")
    assert charge.intent is not None
    Intent.objects.filter(pk=charge.intent.pk).update(card_brand="visa", card_last4="1881")
    plans.paid(charge.intent, now=MARCH + 3 * HOUR)
    proven.refresh_from_db()
    assert (proven.state, proven.method) == (State.ACTIVE, card)


def test_a_page_that_nobody_pays_on_is_no_try(proven: Subscription, alice: User) -> None:
    plans.refused(proven, now=MARCH)
    page = renewals.finish(proven, by=alice.pk, now=MARCH + DAY - MINUTE)
    assert plans.renewing(proven, now=MARCH + DAY) is None, "it may be paid on at this very moment"
    assert page.intent is not None
    plans.not_paid(page.intent, "expired", now=MARCH + DAY + 30 * MINUTE)
    proven.refresh_from_db()
    assert (proven.state, proven.next_at) == (State.PAST_DUE, MARCH + DAY)
    assert plans.renewed(proven, now=MARCH + DAY + 31 * MINUTE).state == State.ACTIVE


def test_paid_twice_the_second_goes_back(proven: Subscription, alice: User) -> None:
    """A try that had failed arrives after all, when another one has paid."""
    first = plans.renewing(proven, now=MARCH)
    assert first is not None
    plans.not_paid(first, now=MARCH)
    plans.renewed(proven, now=MARCH + DAY)
    plans.paid(first, now=MARCH + 2 * DAY)
    proven.refresh_from_db()
    assert (proven.number, proven.ends_at) == (3, APRIL)
    assert Refund.objects.get().intent == first


def test_a_try_that_had_failed_and_arrives_renews(running: Subscription, acme: Organization) -> None:
    first = plans.renewing(running, now=FEB)
    assert first is not None
    plans.not_paid(first, now=FEB)
    plans.paid(first, now=FEB + HOUR)
    running.refresh_from_db()
    assert (running.state, running.number) == (State.ACTIVE, 2)


# --- Beside other charges --------------------------------------------------------------------------------------------


@pytest.mark.books_differ("recharge_unexplained")
def test_another_charge_under_way_puts_it_off_and_cover_goes_on(running: Subscription, acme: Organization) -> None:
    assert running.method is not None
    other = cards.meant(acme, running.method, now=FEB - MINUTE)
    assert plans.renewing(running, now=FEB) is None
    assert (running.state, running.next_at, running.tries) == (State.ACTIVE, FEB + MINUTE, 0)
    for minutes in (30, 70, 110):
        plans.renewing(running, now=FEB + minutes * MINUTE)
        assert told(acme, FEB + (minutes + 5) * MINUTE).payer == "subscription"
    plans.not_paid(other, now=FEB + 2 * HOUR)
    assert plans.renewed(running, now=FEB + 2 * HOUR).number == 2


def test_while_a_payment_is_disputed_no_card_is_charged(proven: Subscription, acme: Organization) -> None:
    plans.disputed(business.bought(acme, "100", now=MARCH - DAY), -100_00, now=MARCH - HOUR)
    assert plans.renewing(proven, now=MARCH) is None
    assert proven.state == State.PAST_DUE


# --- Disputes --------------------------------------------------------------------------------------------------------


def fee(running: Subscription) -> Intent:
    charge = Charge.objects.filter(subscription=running).latest("pk")
    assert charge.intent is not None
    return charge.intent


def test_a_disputed_fee_suspends_at_once_and_won_it_is_back(running: Subscription, acme: Organization) -> None:
    plans.earned(now=JAN + DAY)
    at = JAN + 10 * DAY
    plans.disputed(fee(running), -50_00, now=at)
    running.refresh_from_db()
    assert (running.state, plans.cover(acme)) == (State.SUSPENDED, [("code-pro", JAN, at)])
    # One of 28 days was earned in January, and is owed now; the rest was not earned.
    assert plans.deferred(acme) == 0
    answer = told(acme, at)
    assert (answer.http_status, answer.reason) == (402, "plan_disputed")
    plans.disputed(fee(running), -50_00, 50_00, now=at + DAY, status="won")
    running.refresh_from_db()
    assert running.state == State.ACTIVE
    assert plans.cover(acme)[-1] == ("code-pro", at + DAY, FEB + HOUR)
    assert plans.renewed(running, now=FEB).number == 2


def test_lost_it_ends_and_what_was_earned_is_owed(running: Subscription, acme: Organization) -> None:
    from billing.ledger import balances

    plans.earned(now=JAN + DAY)
    plans.disputed(fee(running), -50_00, now=JAN + 10 * DAY)
    plans.disputed(fee(running), -50_00, now=JAN + 20 * DAY, status="lost")
    running.refresh_from_db()
    assert (running.state, running.ended_as, plans.deferred(acme)) == (State.ENDED, "disputed", 0)
    assert f"{balances.of(acme.pk, now=JAN + 20 * DAY).debt:.2f}" == "1.78"


def test_a_period_that_is_over_while_it_is_suspended_was_the_last(running: Subscription, acme: Organization) -> None:
    plans.disputed(fee(running), -50_00, now=FEB - DAY)
    assert plans.renewing(running, now=FEB) is None
    assert (running.state, running.ended_as) == (State.ENDED, "disputed")
    plans.disputed(fee(running), -50_00, 50_00, now=FEB + DAY, status="won")
    assert plans.deferred(acme) == 50
    plans.earned(now=FEB + DAY)
    assert plans.deferred(acme) == 0


# --- Earned ----------------------------------------------------------------------------------------------------------


def test_a_fee_is_earned_at_the_months_end_and_at_its_own(running: Subscription, acme: Organization) -> None:
    from billing.ledger.models import Transfer

    for _ in range(2):
        plans.earned(now=JAN + DAY)
    assert f"{plans.deferred(acme):.2f}" == "48.22"
    for _ in range(2):
        plans.earned(now=FEB + MINUTE)
    assert plans.deferred(acme) == 0
    rows = Transfer.objects.filter(reason="plan_earned").order_by("pk").values_list("period__month", "amount")
    assert [(month, f"{amount:.2f}") for month, amount in rows] == [(1, "1.78"), (2, "48.22")]
    fee_id = PaidPeriod.objects.get().pk
    keys = Transfer.objects.filter(reason="plan_earned").order_by("pk").values_list("key", flat=True)
    assert list(keys) == [f"rec:{fee_id}:2027-02-01", f"rec:{fee_id}:2027-02-28"]


def test_a_month_that_closes_has_earned_its_days(running: Subscription, acme: Organization) -> None:
    from tests.factories import months

    closed_at = datetime(2027, 2, 1, 0, 6, tzinfo=JAN.tzinfo)
    months.closed(closed_at)
    assert f"{plans.deferred(acme):.2f}" == "48.22"
    assert flows.earn_plans(now=closed_at) == 0
