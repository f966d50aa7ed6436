"""A low balance is charged for once; what the bank says decides what follows."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from billing import flows
from billing.ledger import balances, wallets
from billing.notices.models import Kind, Notice
from billing.payments import declines
from billing.payments.models import Intent, PaymentMethod, State
from billing.recharge import levels, looking, recharging
from billing.recharge.models import Attempt, Rule, Standing, Why
from orgs.models import Organization, User
from tests.factories import recharging as recharge
from tests.factories import usage
from tests.factories.recharging import NOW

pytestmark = pytest.mark.django_db

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def rule(acme: Organization, alice: User) -> Rule:
    """Below $20.00 to $50.00, agreed to at a balance of $30.00."""
    usage.bought(acme, "30", now=NOW - HOUR)
    return recharge.on(acme, alice, now=NOW - HOUR)


@pytest.fixture
def low(acme: Organization, rule: Rule) -> Rule:
    """... and then $12.50 were used: $17.50 are left."""
    usage.spent(acme, "12.5", now=NOW)
    return rule


def balance(org: Organization, after: timedelta = timedelta()) -> Decimal:
    return balances.of(org.pk, now=NOW + after).available


def standing(rule: Rule) -> tuple[str, str]:
    rule.refresh_from_db()
    return rule.standing, rule.why


def told(kind: Kind) -> list[dict[str, object]]:
    return list(Notice.objects.filter(kind=kind).order_by("id").values_list("facts", flat=True))


# --- Charged ----------------------------------------------------------------------------------------------------------


def test_above_the_threshold_nothing_is_charged(acme: Organization, rule: Rule) -> None:
    usage.spent(acme, "10", now=NOW)
    assert balance(acme) == 20
    assert recharging.due(now=NOW) == []
    assert recharge.looked_at(acme) is None


def test_below_it_one_charge_lifts_the_balance(acme: Organization, low: Rule) -> None:
    assert recharging.due(now=NOW) == [acme.pk]
    intent = recharge.begun(acme)
    assert (intent.amount_cents, intent.purpose, intent.method_id) == (32_50, "recharge", low.method_id)
    assert recharging.due(now=NOW) == []
    assert recharge.looked_at(acme) is None
    recharge.paid(intent)
    assert balance(acme) == 50
    assert recharging.due(now=NOW) == []
    assert recharge.looked_at(acme) is None


def test_each_attempt_says_why(acme: Organization, low: Rule) -> None:
    intent = recharge.begun(acme)
    attempt = Attempt.objects.get()
    assert (attempt.balance, attempt.pending_cents, attempt.threshold_cents) == (Decimal("17.5"), 0, 20_00)
    assert (attempt.recharge_to_cents, attempt.amount_cents, attempt.capped) == (50_00, 32_50, False)
    assert (attempt.intent, attempt.consent_id, attempt.ladder, attempt.rung) == (
        intent, low.consent_id, attempt.pk, 0,
    )  # fmt: skip
    assert [shown.outcome for shown in looking.attempts(acme.pk)] == ["Under way."]
    recharge.paid(intent)
    (shown,) = looking.attempts(acme.pk)
    assert (shown.outcome, shown.amount, shown.card) == ("Paid.", Decimal("32.50"), "Visa ending 4242")


def test_what_was_charged_is_told_once(acme: Organization, low: Rule) -> None:
    intent = recharge.begun(acme)
    for _ in range(2):
        recharge.paid(intent)
    (facts,) = told(Kind.RECHARGE_MADE)
    assert facts["stop_token"]
    assert {key: facts[key] for key in ("amount", "balance", "threshold", "recharge_to", "card_last4", "capped")} == {
        "amount": "32.50", "balance": "17.500000000000", "threshold": "20.00", "recharge_to": "50.00",
        "card_last4": "4242", "capped": False,
    }  # fmt: skip


def test_while_the_outcome_is_unknown_nothing_else_is_charged(acme: Organization, low: Rule) -> None:
    intent = recharge.unknown(recharge.begun(acme))
    assert recharge.looked_at(acme, now=NOW + 5 * HOUR) is None
    recharge.paid(intent, now=NOW + 6 * HOUR)
    assert balance(acme, 6 * HOUR) == 50


def test_a_paid_purchase_that_is_not_settled_holds_it_off_and_an_open_page_does_not(
    acme: Organization, low: Rule
) -> None:
    def purchase(state: State) -> Intent:
        return Intent.objects.create(
            wallet_id=acme.pk, purpose="credits", amount_cents=10_00, key=f"buy:{state}", created_at=NOW, state=state
        )

    processing = purchase(State.PROCESSING)
    assert recharge.looked_at(acme) is None
    recharge.refused(processing)
    purchase(State.WAITING)
    assert recharge.begun(acme).amount_cents == 32_50


# --- By usage only ----------------------------------------------------------------------------------------------------


def test_credit_that_ends_is_not_charged_for_until_something_is_used(acme: Organization, alice: User) -> None:
    usage.bought(acme, "10", now=NOW - HOUR)
    usage.given(acme, "30", now=NOW - HOUR, days=2)
    recharge.on(acme, alice, now=NOW - HOUR)
    after = NOW + 3 * DAY
    flows.expire(now=after)
    assert balances.of(acme.pk, now=after).available == 10
    assert recharging.due(now=after) == []
    assert recharge.looked_at(acme, now=after) is None
    usage.spent(acme, "0.01", now=after)
    assert recharging.due(now=after) == [acme.pk]
    assert recharge.begun(acme, now=after).amount_cents == 40_01


def test_what_fell_by_usage_stays_low_whatever_else_happens(acme: Organization, alice: User) -> None:
    """Low by usage, then credit ends on top of it."""
    usage.bought(acme, "10", now=NOW - HOUR)
    usage.given(acme, "12", now=NOW - HOUR, days=2)
    recharge.on(acme, alice, now=NOW - HOUR)
    usage.spent(acme, "5", now=NOW)
    after = NOW + 3 * DAY
    flows.expire(now=after)
    assert recharge.begun(acme, now=after).amount_cents == 40_00


def test_credit_that_lifts_the_balance_takes_the_mark_away(acme: Organization, low: Rule) -> None:
    flows.grant_promotional(
        acme.pk, Decimal(10), key="k", title="Welcome", expires_at=NOW + DAY, reason="welcome", issued_by=None, now=NOW
    )
    assert recharging.due(now=NOW) == []
    assert recharging.due(now=NOW + 2 * DAY) == []
    assert recharge.looked_at(acme, now=NOW + 2 * DAY) is None


def test_usage_that_a_plan_pays_for_is_no_fall(acme: Organization, rule: Rule) -> None:
    with transaction.atomic():
        wallets.lock([acme.pk])
        assert levels.usage_charged([], now=NOW) == []
        assert levels.usage_charged([acme.pk], now=NOW) == []


# --- The bank says no -------------------------------------------------------------------------------------------------


def test_a_soft_decline_is_retried_after_one_six_and_24_hours_and_then_it_is_off(acme: Organization, low: Rule) -> None:
    recharge.refused(recharge.begun(acme))
    for retry, hours in enumerate((1, 6, 24), start=1):
        due = NOW + hours * HOUR
        assert recharge.looked_at(acme, now=due - MINUTE) is None
        assert recharging.due(now=due - MINUTE) == []
        assert recharging.due(now=due) == [acme.pk]
        intent = recharge.begun(acme, now=due)
        attempt = Attempt.objects.get(intent=intent)
        assert (attempt.rung, attempt.ladder) == (retry, Attempt.objects.get(rung=0).pk)
        recharge.refused(intent, now=due + MINUTE)
    assert standing(low) == (Standing.OFF, Why.DECLINES)
    assert recharging.due(now=NOW + 9 * DAY) == []
    assert recharge.looked_at(acme, now=NOW + 9 * DAY) is None
    assert [(facts["tries_left"], facts["retry_at"]) for facts in told(Kind.RECHARGE_FAILED)] == [
        (3, (NOW + HOUR).isoformat()), (2, (NOW + 6 * HOUR).isoformat()), (1, (NOW + 24 * HOUR).isoformat()),
    ]  # fmt: skip
    assert [facts["why"] for facts in told(Kind.RECHARGE_PAUSED)] == ["declines"]


def test_a_retry_is_of_what_is_missing_then(acme: Organization, low: Rule) -> None:
    recharge.refused(recharge.begun(acme))
    usage.spent(acme, "7.123456", now=NOW + MINUTE)
    assert recharge.begun(acme, now=NOW + HOUR).amount_cents == 39_63


def test_a_retry_that_is_paid_ends_the_ladder(acme: Organization, low: Rule) -> None:
    recharge.refused(recharge.begun(acme))
    recharge.paid(recharge.begun(acme, now=NOW + HOUR), now=NOW + HOUR)
    low.refresh_from_db()
    assert (low.standing, low.ladder, low.rung, low.retry_at) == (Standing.ON, None, 0, None)


def test_any_credit_that_settles_ends_the_ladder(acme: Organization, low: Rule) -> None:
    recharge.refused(recharge.begun(acme))
    purchase = Intent.objects.create(
        wallet_id=acme.pk, purpose="credits", amount_cents=20_00, key="buy:1", created_at=NOW, state=State.WAITING
    )
    recharge.paid(purchase, now=NOW + MINUTE)
    low.refresh_from_db()
    assert (low.ladder, low.retry_at, balance(acme, MINUTE)) == (None, None, Decimal("37.5"))
    usage.spent(acme, "20", now=NOW + 2 * MINUTE)
    assert Attempt.objects.get(intent=recharge.begun(acme, now=NOW + 2 * MINUTE)).rung == 0


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("authentication_required", Why.AUTHENTICATION),
        ("stolen_card", Why.HARD_DECLINE),
        ("expired_card", Why.HARD_DECLINE),
        (declines.CARD_GONE, Why.NO_CARD),
    ],
)
def test_a_hard_decline_pauses_at_once(acme: Organization, low: Rule, code: str, why: Why) -> None:
    recharge.refused(recharge.begun(acme), code)
    assert standing(low) == (Standing.PAUSED, why)
    assert recharge.looked_at(acme, now=NOW + 2 * DAY) is None
    (facts,) = told(Kind.RECHARGE_PAUSED)
    assert (facts["why"], facts["amount"], facts["reason"]) == (why, "32.50", declines.reason(code))
    if why == Why.NO_CARD:
        assert (facts["link_until"], facts["finish_token"]) == (None, None)
    else:
        assert (facts["link_until"], bool(facts["finish_token"])) == ((NOW + 72 * HOUR).isoformat(), True)
    assert not told(Kind.RECHARGE_FAILED)


def test_money_that_arrives_late_is_credit_and_ends_the_ladder(acme: Organization, low: Rule) -> None:
    intent = recharge.refused(recharge.begun(acme))
    recharge.paid(intent, now=NOW + MINUTE)
    low.refresh_from_db()
    assert (low.standing, low.retry_at, balance(acme, MINUTE)) == (Standing.ON, None, 50)
    assert len(told(Kind.RECHARGE_MADE)) == 1


def test_a_refusal_after_it_was_switched_off_tries_nothing(acme: Organization, low: Rule) -> None:
    intent = recharge.begun(acme)
    flows.switch_recharge_off(acme.pk, now=NOW)
    recharge.refused(intent)
    assert standing(low) == (Standing.OFF, Why.CUSTOMER)
    assert not told(Kind.RECHARGE_FAILED)


# --- Limits the customer set ------------------------------------------------------------------------------------------


def charged(org: Organization, spend: str, at: timedelta) -> Intent:
    """Used up below the threshold, and recharged."""
    usage.spent(org, spend, now=NOW + at)
    return recharge.paid(recharge.begun(org, now=NOW + at), now=NOW + at)


def test_the_cap_is_not_passed_and_told_once(acme: Organization, alice: User) -> None:
    usage.bought(acme, "30", now=NOW)
    rule = recharge.on(acme, alice, cap=70_00, per_day=50)
    assert charged(acme, "12.50", HOUR).amount_cents == 32_50
    capped = charged(acme, "45", 2 * HOUR)
    assert (capped.amount_cents, capped.recharge.capped) == (37_50, True)
    usage.spent(acme, "30", now=NOW + 3 * HOUR)
    for minutes in range(3):
        assert recharge.looked_at(acme, now=NOW + 3 * HOUR + minutes * MINUTE) is None
    (facts,) = told(Kind.RECHARGE_PAUSED)
    assert (facts["why"], facts["cap"], facts["until"]) == ("cap", "70.00", "2026-04-01T00:00:00+00:00")
    assert standing(rule) == (Standing.ON, "")
    # A new month, and nothing has to be used for it.
    april = NOW.replace(month=4, day=1, hour=0, minute=0, second=0)
    assert recharging.due(now=april) == [acme.pk]
    assert recharge.begun(acme, now=april).amount_cents == 37_50


def test_refused_charges_do_not_use_up_the_cap(acme: Organization, alice: User) -> None:
    usage.bought(acme, "30", now=NOW)
    recharge.on(acme, alice, cap=40_00)
    usage.spent(acme, "12.50", now=NOW)
    recharge.refused(recharge.begun(acme))
    assert recharge.begun(acme, now=NOW + HOUR).amount_cents == 32_50


def test_charges_per_day(acme: Organization, alice: User) -> None:
    usage.bought(acme, "30", now=NOW)
    recharge.on(acme, alice, per_day=2)
    charged(acme, "15", HOUR)
    charged(acme, "35", 2 * HOUR)
    usage.spent(acme, "35", now=NOW + 3 * HOUR)
    assert recharge.looked_at(acme, now=NOW + 3 * HOUR) is None
    midnight = (NOW + DAY).replace(hour=0, minute=0, second=0)
    assert recharge.looked_at(acme, now=midnight - MINUTE) is None
    assert recharge.begun(acme, now=midnight).amount_cents == 35_00


def test_three_charges_within_ten_minutes_stop_it(acme: Organization, alice: User) -> None:
    usage.bought(acme, "30", now=NOW)
    rule = recharge.on(acme, alice)
    for minutes in (0, 4, 9):
        assert standing(rule) == (Standing.ON, "")
        charged(acme, "35", minutes * MINUTE)
    assert standing(rule) == (Standing.OFF, Why.BURST)
    assert [facts["why"] for facts in told(Kind.RECHARGE_PAUSED)] == ["burst"]
    usage.spent(acme, "45", now=NOW + 9 * MINUTE)
    assert recharge.looked_at(acme, now=NOW + 9 * MINUTE) is None
    # Who agrees again has agreed to it.
    recharge.on(acme, alice, card=rule.method, now=NOW + 10 * MINUTE)
    assert recharge.looked_at(acme, now=NOW + 10 * MINUTE)


def test_three_charges_within_more_than_ten_minutes_do_not(acme: Organization, alice: User) -> None:
    usage.bought(acme, "30", now=NOW)
    rule = recharge.on(acme, alice)
    for minutes in (0, 5, 11, 16):
        charged(acme, "35", minutes * MINUTE)
    assert standing(rule) == (Standing.ON, "")


# --- No card ----------------------------------------------------------------------------------------------------------


def test_a_card_that_is_gone_pauses_it_at_once(acme: Organization, rule: Rule) -> None:
    """Whatever the balance: the customer can choose another one before it is needed."""
    PaymentMethod.objects.update(detached_at=NOW)
    assert recharging.due(now=NOW) == [acme.pk]
    assert recharge.looked_at(acme) is None
    assert standing(rule) == (Standing.PAUSED, Why.NO_CARD)
    assert [facts["why"] for facts in told(Kind.RECHARGE_PAUSED)] == ["no_card"]
    assert recharging.due(now=NOW) == []


def test_a_card_that_has_expired_too(acme: Organization, rule: Rule) -> None:
    PaymentMethod.objects.update(exp_year=2026, exp_month=2)
    assert recharging.due(now=NOW) == [acme.pk]
    assert recharge.looked_at(acme) is None
    assert standing(rule) == (Standing.PAUSED, Why.NO_CARD)


def test_looking_for_work_is_one_query(
    acme: Organization, alice_personal: Organization, alice: User, low: Rule, django_assert_num_queries: object
) -> None:
    recharge.on(alice_personal, alice)
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert set(recharging.due(now=NOW)) == {acme.pk, alice_personal.pk}
