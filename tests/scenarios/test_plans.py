"""Plans from the first payment to the end: Stripe answers, the tasks of the clock come by, and there is use in between."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing import flows
from billing.catalog.models import Plan
from billing.ledger.models import Transfer
from billing.payments.models import Intent
from billing.subscriptions import choosing
from billing.subscriptions.models import State
from tests.factories import months, plans
from tests.scenarios.plan_life import DAY, HOUR, MINUTE, NEW_YEAR, SECOND, WINTER, Life

pytestmark = pytest.mark.django_db(transaction=True)


def test_from_the_31st_through_a_leap_year(life: Life) -> None:
    life.buys("10", NEW_YEAR - DAY)
    life.chooses("code-pro", NEW_YEAR)
    ends = []
    for _ in range(12):
        end = life.plan.ends_at
        assert end is not None
        ends.append((end.month, end.day))
        assert life.asks(end + 20 * SECOND).payer == "subscription", "between the end and the clock nothing is lost"
        life.clock(end + 20 * SECOND)
    assert ends == [
        (2, 29), (3, 31), (4, 30), (5, 31), (6, 30), (7, 31), (8, 31), (9, 30), (10, 31), (11, 30), (12, 31), (1, 31),
    ]  # fmt: skip
    assert life.charges == [10_00] + [50_00] * 13
    assert {row[1].time() for row in plans.cover(life.acme)} == {NEW_YEAR.time()}
    earned = sum(Transfer.objects.filter(reason="plan_earned").values_list("amount", flat=True), Decimal())
    assert (earned, plans.deferred(life.acme), life.balance(NEW_YEAR)) == (600, 50, 10)


def test_credit_pays_until_the_second_at_which_the_plan_begins(life: Life) -> None:
    """The plan begins in the middle of a minute: each request of that minute is paid by who paid at its instant."""
    life.buys("10", WINTER - DAY)
    charge = life.chooses("code-pro", WINTER - 20 * SECOND, page=True)
    life.pays(charge, WINTER)
    assert life.plan.anchor == WINTER
    assert [life.uses(WINTER + seconds * SECOND) for seconds in (-1, 0, 1)] == [2, 3, 3]
    assert life.balance(WINTER + 3 * HOUR) == Decimal("9.65")
    allowance = life.asks(WINTER + 3 * HOUR).allowance
    assert allowance is not None
    assert allowance.used == 2_000_000


def test_a_downgrade_and_a_change_of_mind(life: Life) -> None:
    life.buys("10", NEW_YEAR - DAY)
    life.chooses("code-max", NEW_YEAR)
    pro = Plan.objects.get(slug="code-pro")
    end = life.plan.ends_at
    assert end is not None
    flows.schedule_plan(life.acme.pk, life.id, pro.pk, by=life.alice.pk, now=NEW_YEAR + DAY)
    assert life.asks(end - SECOND).tier == "plan:code-max"
    assert life.asks(end).tier == "plan:code-pro", "though nobody came by"
    flows.withdraw_change(life.acme.pk, life.id, by=life.alice.pk, now=end - SECOND)
    assert life.asks(end).tier == "plan:code-max"
    life.clock(end + MINUTE)
    assert (life.plan.plan.slug, life.charges[-1]) == ("code-max", 200_00)
    flows.schedule_plan(life.acme.pk, life.id, pro.pk, by=life.alice.pk, now=end + DAY)
    end = life.plan.ends_at
    assert end is not None
    life.clock(end + MINUTE)
    assert (life.plan.plan.slug, life.charges[-1]) == ("code-pro", 50_00)


def test_canceled_it_works_to_the_last_second(life: Life) -> None:
    life.buys("10", WINTER - DAY)
    life.chooses("code-pro", WINTER)
    end = life.plan.ends_at
    assert end is not None
    flows.cancel_plan(life.acme.pk, life.id, by=life.alice.pk, now=WINTER + DAY)
    assert [life.uses(end + seconds * SECOND) for seconds in (-1, 0)] == [3, 2]
    life.clock(end + DAY)
    assert (life.plan.state, life.plan.ended_at, life.charges) == (State.ENDED, end, [10_00, 50_00])
    assert choosing.current(life.acme.pk) == []


def test_the_first_renewal_is_declined_and_recovers_in_the_browser(life: Life) -> None:
    """No renewal was paid before, so cover stops; it comes back with the payment, and no day is given away."""
    life.buys("10", NEW_YEAR - DAY)
    life.chooses("code-pro", NEW_YEAR)
    end = life.plan.ends_at
    assert end is not None
    life.bank_says("insufficient_funds")
    life.clock(end + 5 * SECOND)
    assert life.asks(end + MINUTE).reason == "plan_past_due"
    charge = flows.finish_renewal(life.acme.pk, life.id, by=life.alice.pk, now=life.now(end + 2 * HOUR))
    life.bank_says("succeed")
    life.pays(charge, end + 2 * HOUR + MINUTE)
    assert (life.plan.state, life.plan.starts_at, life.charges) == (State.ACTIVE, end, [10_00, 50_00, 50_00])
    assert life.asks(end + 3 * HOUR).payer == "subscription"
    life.clock(end + DAY)
    assert life.charges == [10_00, 50_00, 50_00]


def test_a_later_renewal_is_declined_for_a_week_and_the_plan_ends(life: Life) -> None:
    life.buys("10", NEW_YEAR - DAY)
    life.chooses("code-pro", NEW_YEAR)
    life.clock(life.plan.ends_at or NEW_YEAR)
    end = life.plan.ends_at
    assert end is not None
    life.bank_says("insufficient_funds")
    tried = []
    for hours in range(0, 8 * 24, 6):
        before = Intent.objects.count()
        life.clock(end + hours * HOUR)
        if Intent.objects.count() > before:
            tried.append(hours // 24)
        covered = life.asks(end + hours * HOUR + MINUTE).payer == "subscription"
        assert covered is (hours < 7 * 24), f"{hours} hours after the end"
    assert tried == [0, 1, 3, 5, 7]
    assert (life.plan.state, life.plan.ended_as) == (State.ENDED, "unpaid")
    assert life.asks(end + 8 * DAY).payer == "credits", "whose credit is there goes on with it"
    assert plans.deferred(life.acme) == 0
    life.bank_says("succeed")
    again = life.chooses("code-pro", end + 20 * DAY)
    assert (again.amount_cents, again.arrears_cents) == (50_00 + 11_66, 11_66)
    assert life.charges == [10_00, 50_00, 50_00, 61_66]


def test_an_upgrade_on_the_last_day_and_one_that_is_free(life: Life) -> None:
    life.buys("10", NEW_YEAR - DAY)
    life.chooses("code-pro", NEW_YEAR)
    end = life.plan.ends_at
    assert end is not None
    life.chooses("code-max", end - 12 * HOUR, upgrade=True)
    # 150.00 for 12 of the period's 29 times 24 hours.
    assert life.charges[-1] == 2_58
    assert life.asks(end - HOUR).tier == "plan:code-max"
    life.clock(end)
    assert life.charges[-1] == 200_00
    months.reported(end + DAY)
    assert plans.deferred(life.acme) == 200


def test_stripe_does_not_answer_at_a_renewal(life: Life) -> None:
    life.buys("10", NEW_YEAR - DAY)
    life.chooses("code-pro", NEW_YEAR)
    end = life.plan.ends_at
    assert end is not None
    life.stripe.admin.fault("error", path="/v1/payment_intents", method="POST", status=500)
    life.clock(end)
    for minutes in (1, 5, 30):
        assert life.asks(end + minutes * MINUTE).payer == "subscription"
        life.clock(end + minutes * MINUTE)
    assert (life.plan.number, life.charges) == (2, [10_00, 50_00, 50_00])


def test_the_nightly_comparison_agrees_with_a_plan(life: Life) -> None:
    life.buys("10", NEW_YEAR - DAY)
    life.chooses("code-pro", NEW_YEAR)
    run = flows.reconcile(now=NEW_YEAR + timedelta(days=1))
    assert (run.found, run.there_cents, run.here_cents) == (0, 60_00, 60_00)
