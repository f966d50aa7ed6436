"""Disputes: only money moves the ledger, in whatever order its news come; the status holds and releases."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from billing import flows
from billing.catalog.models import AIModel
from billing.payments import answers, disputes, gateway, outcomes, polling
from billing.payments.models import Dispute, DisputeMovement, Intent
from orgs.models import ApiKey, Organization, User
from sandbox.stripe import Running
from tests.billing.payments.disputed import balance, grant_of, posted, spend, tell, told
from tests.factories import orgs as people
from tests.factories.paying import PAYS, begin
from tests.factories.usage import bought

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.books_differ("hour_of_events", "minute_of_events"),  # usage is told here by the minute, without events
]


# --- The phases, through Stripe -------------------------------------------------------------------------------------------


def read(stripe_dispute: dict[str, object]) -> answers.Dispute:
    return gateway.read_dispute(str(stripe_dispute["id"]))


def test_an_untouched_payment_is_withdrawn_and_won_back(stripe: Running, paid: Intent, acme: Organization) -> None:
    opened = stripe.admin.dispute(paid.charge_id or "")
    dispute = flows.dispute_told(read(opened), now=timezone.now())
    assert dispute is not None
    assert (dispute.status, dispute.closed_at, dispute.wallet_id) == ("needs_response", None, acme.pk)
    assert posted(opened["id"]) == {"w:unspent": 100}
    assert (balance(acme).available, balance(acme).debt) == (0, 0)
    assert disputes.open_for(acme.pk)
    stripe.admin.win(opened["id"])
    flows.dispute_told(read(opened), now=timezone.now())
    assert posted(opened["id"]) == {"w:unspent": 100, "r:unspent": 100}
    assert (balance(acme).available, grant_of(paid).held, disputes.open_for(acme.pk)) == (100, False, False)


def test_what_was_spent_is_owed(stripe: Running, paid: Intent, acme: Organization, key: ApiKey, model: AIModel) -> None:
    spend(key, model, 30)
    opened = stripe.admin.dispute(paid.charge_id or "")
    flows.dispute_told(read(opened), now=timezone.now())
    assert posted(opened["id"]) == {"w:unspent": 70, "w:spent": 30}
    assert (balance(acme).available, balance(acme).debt) == (-30, 30)
    stripe.admin.lose(opened["id"])
    flows.dispute_told(read(opened), now=timezone.now())
    assert (balance(acme).debt, disputes.open_for(acme.pk)) == (30, False)


def test_an_inquiry_holds_the_credit_and_moves_nothing(stripe: Running, paid: Intent, acme: Organization) -> None:
    inquiry = stripe.admin.dispute(paid.charge_id or "", inquiry=True)
    flows.dispute_told(read(inquiry), now=timezone.now())
    assert (balance(acme).available, balance(acme).held, posted(inquiry["id"])) == (0, 100, {})
    stripe.admin.drop_inquiry(inquiry["id"])
    flows.dispute_told(read(inquiry), now=timezone.now())
    assert (balance(acme).available, balance(acme).held, posted(inquiry["id"])) == (100, 0, {})


def test_a_dispute_we_hear_of_before_the_payment_settles_it_first(
    stripe: Running, acme: Organization, alice: User
) -> None:
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    (charge,) = gateway.charges_since(timezone.now() - timedelta(days=1))
    opened = stripe.admin.dispute(charge.id)
    flows.dispute_told(read(opened), now=timezone.now())
    assert posted(opened["id"]) == {"w:unspent": 100}
    assert grant_of(intent).held


def test_a_dispute_of_nobody_we_know_is_none_of_ours(stripe: Running, paid: Intent) -> None:
    stranger = replace(told(paid), charge_id="ch_theirs", payment_id="")
    assert flows.dispute_told(stranger, now=timezone.now()) is None


def test_another_currency_is_not_booked(stripe: Running, paid: Intent) -> None:
    assert flows.dispute_told(replace(told(paid), currency="eur"), now=timezone.now()) is None
    euros = replace(told(paid, -100_00), movements=(answers.Movement("txn_eur", -90_00, "eur", timezone.now()),))
    flows.dispute_told(euros, now=timezone.now())
    assert (posted(), DisputeMovement.objects.count()) == ({}, 0)


# --- In whatever order ----------------------------------------------------------------------------------------------------


def test_every_order_of_news_ends_alike(alice: User, model: AIModel) -> None:
    """Opened, withdrawn, reinstated, closed: 24 orders, each news as a look that may be older than the last one."""
    for number, places in enumerate(itertools.permutations(range(4))):
        team = people.team(alice, f"Team {number}")
        with transaction.atomic():
            bought(team, "5", now=timezone.now())
        intent, id = Intent.objects.get(wallet_id=team.pk), f"dp_{number}"
        intent.charge_id = f"ch_{number}"
        intent.save()
        spend(people.key(team).key, model, 2)
        at = timezone.now()
        looks = (
            told(intent, id=id, cents=5_00),
            told(intent, -5_00, id=id, cents=5_00),
            told(intent, -5_00, 5_00, id=id, status="won", cents=5_00),
            told(intent, -5_00, id=id, status="won", cents=5_00),
        )
        for place in places:
            flows.dispute_told(looks[place], now=at)
        dispute = Dispute.objects.get(provider_id=id)
        assert (dispute.status, dispute.movements.count(), grant_of(intent).held) == ("won", 2, False), places
        assert posted(id) == {"w:unspent": 3, "w:spent": 2, "r:debt": 2, "r:unspent": 3}, places
        assert (balance(team).available, balance(team).debt, balance(team).held) == (3, 0, 0), places


def test_news_told_twice_change_nothing(stripe: Running, paid: Intent, acme: Organization) -> None:
    for status, moved in (("needs_response", (-100_00,)), ("won", (-100_00, 100_00))):
        for _ in range(3):
            tell(paid, *moved, status=status)
    assert posted() == {"w:unspent": 100, "r:unspent": 100}
    assert balance(acme).available == 100


def test_withdrawn_and_reinstated_within_one_second(stripe: Running, paid: Intent, acme: Organization) -> None:
    """Stripe's ids say nothing of their order."""
    at = timezone.now().replace(microsecond=0)
    moved = (answers.Movement("txn_a", 100_00, "usd", at), answers.Movement("txn_b", -100_00, "usd", at))
    flows.dispute_told(replace(told(paid, status="won"), movements=moved), now=timezone.now())
    assert posted() == {"w:unspent": 100, "r:unspent": 100}


def test_an_older_look_does_not_reopen(stripe: Running, paid: Intent, acme: Organization) -> None:
    tell(paid, -100_00, 100_00, status="won")
    dispute = tell(paid, -100_00)
    assert (dispute.status, dispute.closed_at is None, grant_of(paid).held) == ("won", False, False)


# --- Partly, again, and several -------------------------------------------------------------------------------------------


def test_a_part_is_withdrawn_and_the_rest_is_held(
    stripe: Running, paid: Intent, acme: Organization, key: ApiKey, model: AIModel
) -> None:
    spend(key, model, 80)
    tell(paid, -50_00, cents=50_00)
    assert posted() == {"w:unspent": 20, "w:spent": 30}
    tell(paid, -50_00, 10_00, status="won", cents=50_00)
    assert posted()["r:debt"] == 10
    assert (balance(acme).debt, balance(acme).available) == (20, -20)


def test_withdrawn_again_after_it_came_back(stripe: Running, paid: Intent, acme: Organization) -> None:
    tell(paid, -100_00, 100_00)
    tell(paid, -100_00, 100_00, -100_00)
    assert posted() == {"w:unspent": 100, "r:unspent": 100, "w2:unspent": 100}
    tell(paid, -100_00, 100_00, -100_00, 100_00, status="won")
    assert posted()["r2:unspent"] == 100
    assert balance(acme).available == 100


def test_two_disputes_of_one_payment_hold_it_until_the_last_is_closed(
    stripe: Running, paid: Intent, acme: Organization
) -> None:
    tell(paid, -40_00, id="dp_1", cents=40_00)
    tell(paid, -60_00, id="dp_2", cents=60_00)
    assert (posted("dp_1"), posted("dp_2")) == ({"w:unspent": 40}, {"w:unspent": 60})
    tell(paid, -40_00, 40_00, id="dp_1", cents=40_00, status="won")
    assert (grant_of(paid).held, balance(acme).held, balance(acme).available) == (True, 40, 0)
    tell(paid, -60_00, id="dp_2", cents=60_00, status="lost")
    assert (grant_of(paid).held, balance(acme).available) == (False, 40)


@pytest.mark.books_differ("dispute_within_payment")  # that is what staff are told of it
def test_more_than_was_withdrawn_is_money_without_a_place(stripe: Running, paid: Intent, acme: Organization) -> None:
    tell(paid, -60_00, 70_00, status="won", cents=60_00)
    assert posted() == {"w:unspent": 60, "r:unspent": 60, "r:unapplied": 10}


# --- Money without a place ------------------------------------------------------------------------------------------------


def test_a_payment_that_waits_for_staff_is_taken_from_there(stripe: Running, acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    paid = polling.ask(intent.pk, now=timezone.now())
    assert isinstance(paid, outcomes.Paid)
    flows.payment_outcome(intent.pk, replace(paid, amount_cents=99_00), now=timezone.now())
    intent.refresh_from_db()
    assert intent.failure_code == "unapplied"
    tell(intent, -100_00)
    assert posted() == {"w:unapplied": 99, "w:spent": 1}
    tell(intent, -100_00, 100_00, status="won")
    assert (posted()["r:debt"], posted()["r:unapplied"]) == (1, 99)
