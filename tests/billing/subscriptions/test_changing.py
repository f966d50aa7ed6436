"""Upgrades at once, downgrades and cancellations at the period's end, and changes of mind."""

from datetime import datetime

import pytest

from billing import flows
from billing.catalog.models import AIModel, Plan
from billing.coverage.models import Coverage
from billing.notices.models import Notice
from billing.payments.models import Refund
from billing.subscriptions import choosing, cover, refusals, upgrading
from billing.subscriptions.models import Change, PaidPeriod, State, Subscription
from orgs.models import Organization, User
from tests.factories import cards, catalog, plans
from tests.factories.plans import DAY, FEB, HOUR, JAN, MARCH, MINUTE, SECOND

pytestmark = pytest.mark.django_db

VALENTINE = datetime(2027, 2, 14, 10, tzinfo=JAN.tzinfo)
"""Half of the first period is over."""


@pytest.fixture
def running(acme: Organization, alice: User, pro: Plan) -> Subscription:
    return plans.begun(acme, pro, alice)


@pytest.fixture
def on_larger(acme: Organization, alice: User, larger: Plan) -> Subscription:
    return plans.begun(acme, larger, alice)


def schedule(running: Subscription, plan: Plan, by: User, now: datetime) -> Change:
    return flows.schedule_plan(running.wallet_id, running.public_id, plan.pk, by=by.pk, now=now)


def cancel(running: Subscription, by: User, now: datetime) -> Change | None:
    return flows.cancel_plan(running.wallet_id, running.public_id, by=by.pk, now=now)


def withdraw(running: Subscription, by: User, now: datetime) -> None:
    flows.withdraw_change(running.wallet_id, running.public_id, by=by.pk, now=now)


# --- Up --------------------------------------------------------------------------------------------------------------


def test_an_upgrade_costs_the_difference_for_the_rest_and_holds_from_its_payment(
    running: Subscription, acme: Organization, alice: User, larger: Plan
) -> None:
    charge = plans.asked(acme, larger, alice, now=VALENTINE, method=running.method)
    assert charge.intent is not None
    assert charge.amount_cents == 75_00
    assert plans.cover(acme) == [("code-pro", JAN, FEB + HOUR)], "asked for is not paid"
    plans.paid(charge.intent, now=VALENTINE + MINUTE)
    running.refresh_from_db()
    assert (running.plan, running.price_cents, running.number, running.ends_at) == (larger, 200_00, 1, FEB)
    assert plans.cover(acme) == [
        ("code-pro", JAN, VALENTINE + MINUTE), ("code-max", VALENTINE + MINUTE, FEB + HOUR),
    ]  # fmt: skip
    parts = PaidPeriod.objects.order_by("part").values_list("part", "charged_cents", "starts_at", "ends_at")
    assert list(parts) == [(0, 50_00, JAN, FEB), (1, 75_00, VALENTINE + MINUTE, FEB)]
    assert plans.deferred(acme) == 125


def test_an_hour_before_the_end_it_is_free_and_at_once(
    running: Subscription, acme: Organization, alice: User, larger: Plan
) -> None:
    charge = plans.upgraded(running, larger, alice, now=FEB - HOUR)
    assert (charge.amount_cents, charge.intent) == (0, None)
    assert plans.of(charge).plan == larger
    assert plans.renewed(plans.of(charge), now=FEB).price_cents == 200_00


def test_what_is_shown_holds_ten_minutes_and_not_beyond_the_period(
    running: Subscription, acme: Organization, alice: User, larger: Plan
) -> None:
    quote = choosing.quote(acme.pk, larger.pk, by=alice.pk, now=VALENTINE)
    assert quote.held_until == VALENTINE + 10 * MINUTE
    assert choosing.quote(acme.pk, larger.pk, by=alice.pk, now=FEB - MINUTE).held_until == FEB
    nearly = VALENTINE + 10 * MINUTE - SECOND
    charge = upgrading.begin(
        acme.pk, quote.pk, by=alice.pk, method_id=running.method_id, now=nearly
    )  # fmt: skip
    assert charge.amount_cents == 75_00, "as it was shown, though a little time has passed"


def test_declined_all_is_as_it_was(running: Subscription, acme: Organization, alice: User, larger: Plan) -> None:
    change = cancel(running, alice, VALENTINE - DAY)
    charge = plans.asked(acme, larger, alice, now=VALENTINE, method=running.method)
    assert charge.intent is not None
    plans.not_paid(charge.intent, now=VALENTINE)
    running.refresh_from_db()
    assert (running.state, running.plan.slug, choosing.pending(running)) == (State.ACTIVE, "code-pro", change)
    assert plans.cover(acme) == [("code-pro", JAN, FEB)]


def test_paid_after_the_period_it_goes_back_in_full(
    running: Subscription, acme: Organization, alice: User, larger: Plan
) -> None:
    charge = plans.asked(acme, larger, alice, now=FEB - DAY, method=running.method)
    assert charge.intent is not None
    plans.unknown(charge.intent, now=FEB - DAY)
    assert plans.renewing(running, now=FEB) is None, "one charge at a time: the renewal waits"
    plans.paid(charge.intent, now=FEB + 30 * SECOND)
    assert Refund.objects.get().amount_cents == charge.amount_cents
    assert Notice.objects.filter(kind="plan_failed", facts__gone_back=True).exists()
    assert plans.renewed(plans.of(charge), now=FEB + 2 * MINUTE).plan.slug == "code-pro"


def test_it_withdraws_what_was_scheduled(running: Subscription, acme: Organization, alice: User, larger: Plan) -> None:
    cancel(running, alice, VALENTINE - DAY)
    charge = plans.upgraded(running, larger, alice, now=VALENTINE)
    assert choosing.pending(plans.of(charge)) is None
    assert plans.cover(acme)[-1] == ("code-max", VALENTINE, FEB + HOUR)


def test_not_while_past_due_nor_while_another_is_under_way(
    running: Subscription, acme: Organization, alice: User, larger: Plan
) -> None:
    plans.asked(acme, larger, alice, now=VALENTINE, method=running.method)
    with pytest.raises(refusals.PlanRefused, match="under way"):
        plans.asked(acme, larger, alice, now=VALENTINE + MINUTE, method=running.method)


def test_past_due_is_paid_first(running: Subscription, acme: Organization, alice: User, larger: Plan) -> None:
    plans.refused(running, now=FEB)
    for asked in (
        lambda: plans.asked(acme, larger, alice, now=FEB + DAY),
        lambda: schedule(running, larger, alice, FEB + DAY),
    ):
        with pytest.raises(refusals.PlanRefused):
            asked()


# --- Down ------------------------------------------------------------------------------------------------------------


def test_a_downgrade_waits_for_the_period_and_is_dated_ahead(
    on_larger: Subscription, acme: Organization, alice: User, pro: Plan
) -> None:
    schedule(on_larger, pro, alice, VALENTINE)
    assert plans.cover(acme) == [("code-max", JAN, FEB), ("code-pro", FEB, FEB + HOUR)]
    renewed = plans.renewed(on_larger, now=FEB + 5 * MINUTE)
    assert (renewed.plan, renewed.price_cents, renewed.number) == (pro, 50_00, 2)
    assert plans.cover(acme) == [("code-max", JAN, FEB), ("code-pro", FEB, MARCH + 7 * DAY + HOUR)]
    assert Change.objects.get().applied_at == FEB + 5 * MINUTE


def test_what_the_smaller_plan_does_not_cover_ends_at_that_instant(
    on_larger: Subscription, acme: Organization, alice: User, pro: Plan, larger: Plan
) -> None:
    """Whether or not the clock has come by."""
    other = catalog.model("glm-vision")
    larger.covers.add(other)
    upgrading.covers(on_larger)
    cover.date_ahead(on_larger, now=JAN + HOUR)
    schedule(on_larger, pro, alice, VALENTINE)
    dated = Coverage.objects.filter(wallet_id=acme.pk).order_by("model_id", "valid_from")
    assert list(dated.filter(model_id=other.pk).values_list("source_id", "valid_to")) == [(larger.pk, FEB)]
    assert dated.exclude(model_id=other.pk).values_list("source_id", "valid_to").last() == (pro.pk, FEB + HOUR)
    withdraw(on_larger, alice, VALENTINE + DAY)
    assert set(dated.values_list("source_id", "valid_to")) == {(larger.pk, FEB + HOUR)}
    schedule(on_larger, pro, alice, VALENTINE + 2 * DAY)
    plans.renewed(on_larger, now=FEB + MINUTE)
    assert dated.filter(model_id=other.pk).get().valid_to == FEB


def test_until_that_instant_it_can_be_withdrawn(
    on_larger: Subscription, acme: Organization, alice: User, pro: Plan
) -> None:
    schedule(on_larger, pro, alice, VALENTINE)
    withdraw(on_larger, alice, FEB - SECOND)
    assert plans.cover(acme) == [("code-max", JAN, FEB + HOUR)]
    assert Change.objects.get().withdrawn_by == alice
    kinds = Notice.objects.filter(kind="plan_changed").order_by("pk").values_list("facts__what", flat=True)
    assert list(kinds) == ["changes", "stays"]
    with pytest.raises(refusals.PlanRefused, match="Nothing is scheduled"):
        withdraw(on_larger, alice, FEB - SECOND)


def test_at_that_instant_it_is_too_late(on_larger: Subscription, alice: User, pro: Plan) -> None:
    schedule(on_larger, pro, alice, VALENTINE)
    with pytest.raises(refusals.PlanRefused, match="taken effect"):
        withdraw(on_larger, alice, FEB)


def test_choosing_again_replaces_and_choosing_the_same_changes_nothing(
    on_larger: Subscription, acme: Organization, alice: User, pro: Plan
) -> None:
    one = schedule(on_larger, pro, alice, VALENTINE)
    assert schedule(on_larger, pro, alice, VALENTINE + HOUR) == one
    cancel(on_larger, alice, VALENTINE + 2 * HOUR)
    assert Change.objects.filter(withdrawn_at=None).count() == 1
    assert plans.cover(acme) == [("code-max", JAN, FEB)]


def test_only_a_smaller_plan_of_the_same_models_is_scheduled(
    running: Subscription, acme: Organization, alice: User, larger: Plan
) -> None:
    other = plans.another("chat", catalog.model("llama"), usd=1, rank=9)
    for plan in (larger, other, running.plan):
        with pytest.raises(refusals.PlanRefused):
            schedule(running, plan, alice, VALENTINE)


# --- The end ---------------------------------------------------------------------------------------------------------


def test_canceled_it_covers_to_the_last_second_and_ends_by_itself(
    running: Subscription, acme: Organization, alice: User, pro: Plan
) -> None:
    change = cancel(running, alice, VALENTINE)
    assert change is not None
    assert change.effective_at == FEB
    assert plans.cover(acme) == [("code-pro", JAN, FEB)]
    assert plans.renewing(running, now=FEB - SECOND) is None
    assert running.state == State.ACTIVE
    assert plans.renewing(running, now=FEB + 3 * HOUR) is None
    assert (running.state, running.ended_as, running.ended_at) == (State.ENDED, "canceled", FEB)
    assert not Refund.objects.exists()
    again = plans.begun(acme, pro, alice, now=FEB + 4 * HOUR)
    assert (again.pk != running.pk, again.anchor) == (True, FEB + 4 * HOUR), (
        "a new anchor and a full first charge (A52)"
    )


def test_in_grace_it_ends_at_once_and_nothing_is_owed(
    running: Subscription, acme: Organization, alice: User, pro: Plan
) -> None:
    plans.refused(plans.renewed(running, now=FEB), now=MARCH)
    assert cancel(running, alice, MARCH + DAY) is None
    running.refresh_from_db()
    assert (running.state, running.ended_as, plans.cover(acme)[-1][2]) == (State.ENDED, "canceled", MARCH + DAY)
    assert choosing.draft(acme.pk, refusals.plan(pro.pk), now=MARCH + 2 * DAY).arrears_cents == 0


def test_what_gateways_have_used_ahead_of_a_boundary_stays(
    on_larger: Subscription, acme: Organization, alice: User, pro: Plan
) -> None:
    """A gateway's clock is seconds ahead: what it reported for the smaller plan is rated, and cannot be unsaid."""
    from tests.factories import business
    from tests.factories import orgs as people

    schedule(on_larger, pro, alice, VALENTINE)
    business.used(people.key(acme, now=JAN).key, FEB + SECOND, model="zai-glm-4.7", tokens_in=10, now=FEB - 2 * SECOND)
    withdraw(on_larger, alice, FEB - SECOND)
    assert plans.cover(acme) == [
        ("code-max", JAN, FEB), ("code-pro", FEB, FEB + MINUTE), ("code-max", FEB + MINUTE, FEB + HOUR),
    ]  # fmt: skip
    assert Coverage.objects.count() == 3


def test_the_card_of_a_plan_is_not_removed_unless_it_ends(
    running: Subscription, acme: Organization, alice: User
) -> None:
    from billing import flows
    from billing.payments.methods import CardRefused

    assert running.method_id is not None
    with pytest.raises(CardRefused, match="plan is renewed with this card"):
        flows.remove_card(acme.pk, running.method_id, now=VALENTINE)
    other = cards.saved(acme, "1111")
    flows.charge_plan_to(acme.pk, running.public_id, other.pk, now=VALENTINE)
    flows.remove_card(acme.pk, running.method_id, now=VALENTINE)
    cancel(running, alice, VALENTINE)
    flows.remove_card(acme.pk, other.pk, now=VALENTINE)


def test_a_retired_model_ends_the_plan_and_refunds_unused_days(
    running: Subscription, acme: Organization, alice: User, larger: Plan
) -> None:
    from datetime import date

    plans.upgraded(running, larger, alice, now=VALENTINE)
    AIModel.objects.update(deprecated_on=date(2027, 2, 20))
    night = datetime(2027, 2, 21, 0, 4, tzinfo=JAN.tzinfo)
    assert flows.retire_plans(now=night - 5 * MINUTE) == 0
    assert flows.retire_plans(now=night) == 1
    assert flows.retire_plans(now=night) == 0
    running.refresh_from_db()
    assert (running.ended_as, plans.cover(acme)[-1][2], plans.deferred(acme)) == ("retired", night, 0)
    # 21 of 28 days of 50.00, and 7 of 14 days of 75.00.
    assert sorted(Refund.objects.values_list("amount_cents", flat=True)) == [12_50, 37_50]


# --- What was shown ------------------------------------------------------------------------------------------------------


def test_what_was_shown_is_asked_for_under_the_lock(
    on_larger: Subscription, acme: Organization, alice: User, pro: Plan
) -> None:
    """A page said that it ends with February, and meanwhile it was renewed, or is past due and would end at once."""
    seen = [choosing.seen(on_larger)]
    plans.renewed(on_larger, now=FEB)
    seen.append(choosing.seen(on_larger))
    plans.refused(on_larger, now=MARCH)
    for shown in seen:
        with pytest.raises(refusals.QuoteOver, match="has changed since this was shown"):
            flows.cancel_plan(acme.pk, on_larger.public_id, by=alice.pk, shown=shown, now=MARCH)
        with pytest.raises(refusals.QuoteOver, match="has changed since this was shown"):
            flows.schedule_plan(acme.pk, on_larger.public_id, pro.pk, by=alice.pk, shown=shown, now=MARCH)
    assert not Change.objects.exists()
    on_larger.refresh_from_db()
    assert on_larger.state == State.PAST_DUE
