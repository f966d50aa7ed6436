"""Switching it on and off, what was agreed to, and the links of mails."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.db.utils import DatabaseError

from billing import flows
from billing.ledger import balances
from billing.notices.models import Kind, Notice
from billing.payments import outcomes
from billing.payments.models import Intent, State
from billing.recharge import finishing, links, looking, rules
from billing.recharge.models import Attempt, Consent, Rule, Standing, Why
from billing.recharge.policy import Terms
from orgs.models import Organization, User
from tests.factories import cards, usage
from tests.factories import recharging as recharge
from tests.factories.recharging import NOW

pytestmark = pytest.mark.django_db

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


# --- On and off -------------------------------------------------------------------------------------------------------


def test_who_agreed_to_what_is_written_down_for_good(acme: Organization, alice: User) -> None:
    rule = recharge.on(acme, alice, cap=200_00, per_day=3)
    consent = Consent.objects.get()
    assert (consent.user, consent.at, consent.card) == (alice, NOW, "Visa ending 4242")
    for words in (
        "Visa ending 4242",
        "below $20.00",
        "to $50.00",
        "$200.00 is charged in a calendar month",
        "3 times a day",
    ):
        assert words in consent.wording
    assert (rule.standing, rule.version, rule.consent) == (Standing.ON, 1, consent)
    with pytest.raises(DatabaseError), transaction.atomic():
        Consent.objects.update(threshold_cents=1)


def test_other_amounts_are_another_agreement(acme: Organization, alice: User) -> None:
    first = recharge.on(acme, alice)
    changed = recharge.on(acme, alice, card=first.method, threshold=10_00, now=NOW + HOUR)
    assert (changed.version, changed.threshold_cents, Consent.objects.count()) == (2, 10_00, 2)
    assert [notice.facts["threshold"] for notice in Notice.objects.order_by("id")] == ["20.00", "10.00"]


@pytest.mark.parametrize(
    ("how", "field"),
    [
        ({"threshold_cents": 99}, "threshold"),
        ({"recharge_to_cents": 24_99}, "recharge_to"),
        ({"recharge_to_cents": 10_000_01}, "recharge_to"),
        ({"threshold_cents": 9_996_00, "recharge_to_cents": 10_000_00}, "recharge_to"),
        ({"cap_cents": 4_99}, "cap"),
        ({"cap_cents": 1_000_000_01}, "cap"),
        ({"per_day": 0}, "per_day"),
        ({"per_day": 51}, "per_day"),
    ],
)
def test_amounts_that_are_refused(acme: Organization, alice: User, how: dict[str, int], field: str) -> None:
    wish = replace(recharge.wish(cards.saved(acme)), **how)
    with pytest.raises(rules.WishRefused) as refusal:
        flows.switch_recharge_on(acme.pk, wish, by=alice.pk, now=NOW)
    assert refusal.value.field == field
    assert not Rule.objects.exists()
    assert not Consent.objects.exists()


def test_a_card_that_cannot_be_charged_is_refused(
    acme: Organization, charlie_personal: Organization, alice: User
) -> None:
    for card in (cards.saved(charlie_personal), cards.saved(acme, expires=(2026, 2))):
        with pytest.raises(rules.WishRefused, match="saved card"):
            flows.switch_recharge_on(acme.pk, recharge.wish(card), by=alice.pk, now=NOW)


def test_a_form_of_an_earlier_rule_changes_nothing(acme: Organization, alice: User) -> None:
    usage.bought(acme, "30", now=NOW)
    wish = recharge.wish(cards.saved(acme))
    assert flows.switch_recharge_on(acme.pk, wish, by=alice.pk, version=0, now=NOW).version == 1
    for stale in (0, 2):
        with pytest.raises(rules.ChangedMeanwhile):
            flows.switch_recharge_on(acme.pk, wish, by=alice.pk, version=stale, now=NOW)
        with pytest.raises(rules.ChangedMeanwhile):
            flows.switch_recharge_off(acme.pk, version=stale, now=NOW)
    assert flows.switch_recharge_on(acme.pk, wish, by=alice.pk, version=1, now=NOW).version == 2


def test_switching_off_is_said_and_done_once(acme: Organization, alice: User) -> None:
    assert flows.switch_recharge_off(acme.pk, now=NOW) is None
    recharge.on(acme, alice)
    for _ in range(2):
        rule = flows.switch_recharge_off(acme.pk, now=NOW)
        assert rule is not None
        assert (rule.standing, rule.why, rule.version) == (Standing.OFF, Why.CUSTOMER, 2)
    assert Notice.objects.filter(kind=Kind.RECHARGE_CHANGED).count() == 2


def test_switched_off_nothing_is_charged(acme: Organization, alice: User) -> None:
    recharge.on(acme, alice)
    recharge.refused(recharge.begun(acme))
    flows.switch_recharge_off(acme.pk, now=NOW)
    assert recharge.looked_at(acme) is None


# --- The link that stops ----------------------------------------------------------------------------------------------


def test_the_link_in_a_mail_stops_it(acme: Organization, alice: User) -> None:
    rule = recharge.on(acme, alice)
    token = links.stop_token(acme.pk, rule.consent_id)
    for _ in range(2):
        stopped = flows.stop_recharge_by_link(token, now=NOW + 300 * HOUR)
        assert stopped is not None
        assert (stopped.standing, stopped.why) == (Standing.OFF, Why.LINK)


def test_a_link_stops_what_it_was_about_and_nothing_agreed_to_later(acme: Organization, alice: User) -> None:
    first = recharge.on(acme, alice)
    token = links.stop_token(acme.pk, first.consent_id)
    recharge.on(acme, alice, card=first.method, now=NOW + HOUR)
    with pytest.raises(links.LinkOver, match="set anew"):
        flows.stop_recharge_by_link(token, now=NOW + HOUR)
    assert Rule.objects.get().standing == Standing.ON


@pytest.mark.parametrize("token", ["", "x", "eyJvIjoxfQ:abc", "é", "a" * 9_000])
def test_links_that_are_none_of_ours(acme: Organization, alice: User, token: str) -> None:
    recharge.on(acme, alice)
    for read in (links.read_stop, links.read_finish):
        with pytest.raises(links.LinkOver):
            read(token, NOW)


def test_a_link_does_one_thing(acme: Organization, alice: User) -> None:
    """What stops does not finish, and the other way round."""
    rule = recharge.on(acme, alice)
    attempt = Attempt.objects.get(intent=recharge.begun(acme))
    with pytest.raises(links.LinkOver):
        links.read_finish(links.stop_token(acme.pk, rule.consent_id), NOW)
    with pytest.raises(links.LinkOver):
        links.read_stop(links.finish_token(attempt.pk), NOW)


# --- Finishing in the browser -----------------------------------------------------------------------------------------


@pytest.fixture
def asked(acme: Organization, alice: User) -> Attempt:
    """The bank wants Alice to confirm $32.50."""
    usage.bought(acme, "30", now=NOW)
    recharge.on(acme, alice, cap=100_00)
    usage.spent(acme, "12.5", now=NOW)
    intent = recharge.refused(recharge.begun(acme), "authentication_required")
    return intent.recharge


def finish(attempt: Attempt, after: timedelta = timedelta()) -> Intent:
    with transaction.atomic():
        return finishing.begin(attempt.pk, by=None, now=NOW + after)


def test_what_is_paid_in_the_browser_ends_the_pause(acme: Organization, asked: Attempt) -> None:
    intent = finish(asked, HOUR)
    assert (intent.purpose, intent.amount_cents, intent.key) == ("credits", 32_50, f"finish:{asked.pk}")
    assert finish(asked, HOUR) == intent
    recharge.paid(intent, now=NOW + HOUR)
    rule = Rule.objects.get()
    assert (rule.standing, rule.why, balances.of(acme.pk, now=NOW + HOUR).available) == (Standing.ON, "", 50)
    asked.refresh_from_db()
    assert asked.finish == intent
    assert looking.attempts(acme.pk)[0].outcome == "Paid in the browser."
    with pytest.raises(finishing.NothingToFinish, match="nothing left"):
        finish(asked, HOUR)


def test_it_counts_against_the_cap(acme: Organization, asked: Attempt) -> None:
    recharge.paid(finish(asked))
    usage.spent(acme, "90", now=NOW + HOUR)
    assert recharge.begun(acme, now=NOW + HOUR).amount_cents == 67_50


def test_it_is_of_what_is_missing_then(acme: Organization, asked: Attempt) -> None:
    usage.spent(acme, "7.5", now=NOW + HOUR)
    assert finish(asked, HOUR).amount_cents == 40_00


def test_a_page_that_was_closed_can_be_opened_again(asked: Attempt) -> None:
    first = finish(asked)
    flows.payment_outcome(first.pk, outcomes.Canceled("expired"), now=NOW + HOUR)
    second = finish(asked, HOUR)
    assert (second.key, second.state) == (f"finish:{asked.pk}:2", State.CREATED)
    recharge.paid(second, now=NOW + HOUR)
    asked.refresh_from_db()
    assert asked.finish == second


def test_the_link_is_good_for_72_hours(asked: Attempt) -> None:
    token = links.finish_token(asked.pk)
    assert links.read_finish(token, NOW + 72 * HOUR) == asked.pk
    with pytest.raises(links.LinkOver, match="72 hours"):
        links.read_finish(token, NOW + 72 * HOUR + MINUTE)
    with pytest.raises(finishing.NothingToFinish):
        finish(asked, 73 * HOUR)


def test_with_enough_credit_there_is_nothing_to_finish(acme: Organization, asked: Attempt) -> None:
    usage.bought(acme, "20", now=NOW)
    with pytest.raises(finishing.NothingToFinish, match="Nothing has to be paid"):
        finish(asked)


def test_who_switched_it_off_has_nothing_to_finish(acme: Organization, asked: Attempt) -> None:
    flows.switch_recharge_off(acme.pk, now=NOW)
    with pytest.raises(finishing.NothingToFinish):
        finish(asked)


def test_paid_after_it_was_switched_off_it_is_credit_and_stays_off(acme: Organization, asked: Attempt) -> None:
    intent = finish(asked)
    flows.switch_recharge_off(acme.pk, now=NOW)
    recharge.paid(intent)
    assert Rule.objects.get().standing == Standing.OFF
    assert balances.of(acme.pk, now=NOW).available == 50


# --- What the page shows ----------------------------------------------------------------------------------------------


def test_before_it_is_switched_on_the_page_says_what_is_charged_at_once(acme: Organization) -> None:
    usage.bought(acme, "9.99", now=NOW)
    shown = looking.preview(acme.pk, Terms(20_00, 50_00, 100_00), now=NOW)
    assert (shown.now, shown.not_now, shown.at_threshold) == (Decimal("40.01"), "", Decimal("30.01"))
    assert (shown.cap, shown.spent_this_month, shown.left_this_month) == (100, 0, 100)
    assert shown.cap_until.isoformat() == "2026-04-01T00:00:00+00:00"
    above = looking.preview(acme.pk, Terms(5_00, 50_00), now=NOW)
    assert (above.now, above.not_now, above.left_this_month) == (0, "The balance is above the threshold.", None)


def test_while_it_is_on_the_page_says_why_nothing_is_charged(acme: Organization, alice: User) -> None:
    usage.bought(acme, "30", now=NOW)
    rule = recharge.on(acme, alice)
    terms = Terms(rule.threshold_cents, rule.recharge_to_cents)
    assert looking.preview(acme.pk, terms, rule=rule, now=NOW).not_now == "The balance is above the threshold."
    usage.spent(acme, "20", now=NOW)
    intent = recharge.begun(acme)
    rule.refresh_from_db()
    assert looking.preview(acme.pk, terms, rule=rule, now=NOW).not_now == "A charge is under way."
    recharge.refused(intent)
    rule.refresh_from_db()
    assert "tried again later" in looking.preview(acme.pk, terms, rule=rule, now=NOW).not_now


def test_the_list_of_attempts_is_one_query(acme: Organization, alice: User, django_assert_num_queries: object) -> None:
    recharge.on(acme, alice)
    for hours in (0, 1, 6):
        recharge.refused(recharge.begun(acme, now=NOW + hours * HOUR), now=NOW + hours * HOUR)
    with django_assert_num_queries(1):  # type: ignore[operator]
        shown = looking.attempts(acme.pk)
    assert [told.retry for told in shown] == [2, 1, 0]
    assert {told.outcome for told in shown} == {"The card does not have enough funds."}
