"""Disputes: only money moves the ledger, in whatever order its news come; the status holds and releases."""

import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from billing import flows
from billing.catalog.models import AIModel
from billing.ledger import balances, debts
from billing.ledger.chart import Code
from billing.ledger.models import Account, CreditGrant, Transfer
from billing.payments import answers, disputes, gateway, outcomes, polling
from billing.payments.models import Dispute, DisputeMovement, Intent
from orgs.models import ApiKey, Organization, User
from sandbox.stripe import Running
from tests.factories import books, catalog
from tests.factories import orgs as people
from tests.factories.paying import PAYS, begin, pay
from tests.factories.usage import bought

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.books_differ("hour_of_events", "minute_of_events"),  # usage is told here by the minute, without events
]


@pytest.fixture
def paid(stripe: Running, acme: Organization, alice: User) -> Intent:
    return pay(stripe, acme, alice)


@pytest.fixture
def model(db: None) -> AIModel:
    """A dollar for a million tokens in."""
    return catalog.model(input_usd="1", output_usd="0")


@pytest.fixture
def key(acme: Organization) -> ApiKey:
    return people.key(acme).key


def spend(key: ApiKey, model: AIModel, dollars: int) -> None:
    books.accepted(key, model, timezone.now(), tokens_in=dollars * 1_000_000, tokens_out=0)
    books.charged(now=timezone.now())


def told(
    intent: Intent, *moved: int, id: str = "dp_1", status: str = "needs_response", cents: int = 100_00
) -> answers.Dispute:
    """What Stripe says of a dispute of this payment: below zero it withdrew, above it reinstated, a minute after another."""
    movements = tuple(
        answers.Movement(
            f"txn_{id}_{n}", amount, "usd", timezone.now().replace(microsecond=0) + timedelta(seconds=n - 100)
        )
        for n, amount in enumerate(moved)
    )
    opened = timezone.now().replace(microsecond=0)
    return answers.Dispute(
        id, status, "fraudulent", cents, "usd", intent.charge_id or "", intent.provider_id or "", opened, movements
    )  # fmt: skip


def tell(intent: Intent, *moved: int, now: datetime | None = None, **other: object) -> Dispute:
    dispute = flows.dispute_told(told(intent, *moved, **other), now=now or timezone.now())  # type: ignore[arg-type]
    assert dispute is not None
    return dispute


def posted(id: str = "dp_1") -> dict[str, Decimal]:
    """The dispute's transfers, by what follows its id in their keys."""
    rows = Transfer.objects.filter(key__startswith=f"dp:{id}:").order_by("id")
    return {row.key.removeprefix(f"dp:{id}:"): row.amount for row in rows}


def balance(org: Organization, now: datetime | None = None) -> balances.Balance:
    return balances.of(org.pk, now=now or timezone.now())


def grant_of(intent: Intent) -> Account:
    return Account.objects.get(grant__payment_id=intent.pk)


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


# --- Debt -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def owing(stripe: Running, paid: Intent, acme: Organization, key: ApiKey, model: AIModel) -> Intent:
    """Spent whole, then disputed: 100 are owed."""
    spend(key, model, 100)
    tell(paid, -100_00)
    assert (posted(), balance(acme).debt) == ({"w:spent": 100}, 100)
    return paid


def test_the_next_purchase_pays_the_debt(stripe: Running, owing: Intent, acme: Organization, alice: User) -> None:
    pay(stripe, acme, alice, 120_00)
    assert (balance(acme).debt, balance(acme).available) == (0, 20)


def test_what_was_paid_of_the_debt_comes_back_as_credit_for_a_year(
    stripe: Running, owing: Intent, acme: Organization, alice: User
) -> None:
    pay(stripe, acme, alice, 102_00)
    tell(owing, -100_00, 100_00, status="won")
    assert posted()["r:credit"] == 100
    back = CreditGrant.objects.get(key="dp:dp_1:r:credit")
    assert (back.source, back.title) == ("dispute", "Returned after a dispute")
    assert back.account.expires_at is not None
    assert back.account.expires_at > timezone.now() + timedelta(days=364)
    assert balance(acme).available == 102


def test_the_oldest_debt_is_paid_first_and_each_gets_back_its_own(
    stripe: Running, owing: Intent, acme: Organization, alice: User, key: ApiKey, model: AIModel
) -> None:
    second = pay(stripe, acme, alice, 150_00)
    spend(key, model, 50)
    tell(second, -50_00, id="dp_2", cents=50_00)
    tell(second, -50_00, 50_00, -150_00, id="dp_2", cents=150_00)
    # The first debt (100) was paid by the second payment, of which everything was spent: so 150 are owed for that one.
    assert [(debt.open, debt.paid) for debt in debts.of(acme.pk)] == [(0, 100), (0, 0), (150, 0)]
    tell(owing, -100_00, 100_00, status="won")
    assert posted()["r:credit"] == 100
    tell(second, -50_00, 50_00, -150_00, 20_00, id="dp_2", cents=150_00)
    assert [(debt.open, debt.paid) for debt in debts.of(acme.pk)] == [(0, 100), (0, 0), (30, 100)]


def test_after_180_days_the_debt_is_written_off_and_a_win_is_ours(
    stripe: Running, owing: Intent, acme: Organization
) -> None:
    now = timezone.now()
    assert flows.write_off_debts(now=now + timedelta(days=179)) == 0
    assert flows.write_off_debts(now=now + timedelta(days=181)) == 100
    assert flows.write_off_debts(now=now + timedelta(days=182)) == 0
    assert Transfer.objects.get(key="wo:dp:dp_1:w:spent").debit_id == Code.BAD_DEBT
    tell(owing, -100_00, 100_00, status="won", now=now + timedelta(days=183))
    assert (posted()["r:written_off"], balance(acme).available) == (100, 0)


def test_staff_forgive_a_part_once(stripe: Running, owing: Intent, acme: Organization, alice: User) -> None:
    nonce = uuid4()
    for _ in range(2):
        flows.forgive_debt(
            acme.pk, Decimal("40"), reason="Their bank was wrong", nonce=nonce, by=alice.pk, now=timezone.now()
        )
    assert balance(acme).debt == 60
    tell(owing, -100_00, 100_00, status="won")
    assert (posted()["r:debt"], posted()["r:written_off"]) == (60, 40)


@pytest.mark.parametrize(
    ("amount", "reason", "says"),
    [
        ("100.01", "why", "At most 100"),
        ("0", "why", "At most 100"),
        ("-1", "why", "At most 100"),
        ("10", " ", "Say why"),
        ("10", "x" * 501, "Say why"),
        ("NaN", "why", "not an amount"),
    ],
)
def test_what_is_not_forgiven(
    stripe: Running, owing: Intent, acme: Organization, alice: User, amount: str, reason: str, says: str
) -> None:
    with pytest.raises(debts.ForgivenessRefused, match=says):
        flows.forgive_debt(acme.pk, Decimal(amount), reason=reason, nonce=uuid4(), by=alice.pk, now=timezone.now())
    assert balance(acme).debt == 100


# --- Time -----------------------------------------------------------------------------------------------------------------


def test_a_released_grant_ends_later_by_the_time_it_was_held(stripe: Running, paid: Intent, acme: Organization) -> None:
    ends, now = grant_of(paid).expires_at, timezone.now()
    assert ends is not None
    tell(paid, status="warning_needs_response", now=now)
    tell(paid, status="warning_closed", now=now + timedelta(days=10, seconds=1))
    assert grant_of(paid).expires_at == ends + timedelta(days=10, minutes=1)
    tell(paid, -100_00, now=now + timedelta(days=20))
    tell(paid, -100_00, 100_00, status="won", now=now + timedelta(days=25))
    assert grant_of(paid).expires_at == ends + timedelta(days=15, minutes=1)


def test_a_held_grant_does_not_expire(stripe: Running, paid: Intent, acme: Organization) -> None:
    now, later = timezone.now(), timezone.now() + timedelta(days=400)
    tell(paid, status="warning_needs_response", now=now)
    assert flows.expire(now=later) == 0
    tell(paid, status="warning_closed", now=later)
    assert balance(acme, later).available == 100


def test_expired_credit_comes_out_of_breakage_and_goes_back_there(
    stripe: Running, paid: Intent, acme: Organization, key: ApiKey, model: AIModel
) -> None:
    spend(key, model, 30)
    later = timezone.now() + timedelta(days=400)
    assert flows.expire(now=later) == 1
    tell(paid, -100_00, now=later)
    assert posted() == {"w:expired": 70, "w:spent": 30}
    tell(paid, -100_00, 100_00, status="won", now=later)
    assert (posted()["r:debt"], posted()["r:expired"]) == (30, 70)
    assert balance(acme, later).available == 0


def test_a_grant_that_ended_after_a_lost_dispute_is_replaced_for_the_time_it_had(
    stripe: Running, paid: Intent, acme: Organization
) -> None:
    now = timezone.now()
    ends = grant_of(paid).expires_at
    assert ends is not None
    tell(paid, -60_00, cents=60_00, now=now)
    tell(paid, -60_00, cents=60_00, status="lost", now=now)
    later = now + timedelta(days=400)
    assert flows.expire(now=later) == 1
    tell(paid, -60_00, 60_00, cents=60_00, status="won", now=later)
    back = CreditGrant.objects.get(key="dp:dp_1:r:unspent")
    assert back.source == "dispute"
    assert back.account.expires_at is not None
    assert abs(back.account.expires_at - (later + (ends - now))) <= timedelta(minutes=1)
    assert balance(acme, later).available == 60


def test_released_credit_pays_the_overdraft_that_grew_meanwhile(
    stripe: Running, paid: Intent, acme: Organization, key: ApiKey, model: AIModel
) -> None:
    tell(paid, status="warning_needs_response")
    spend(key, model, 12)
    assert balance(acme).overdraft == 12
    tell(paid, status="warning_closed")
    assert (balance(acme).overdraft, balance(acme).available) == (0, 88)
    assert Transfer.objects.get(key=f"od:{grant_of(paid).pk}:1").amount == 12


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
