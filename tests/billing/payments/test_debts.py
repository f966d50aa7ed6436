"""Disputes of credit that was used, or whose time goes on: what is owed, and what comes back of it and until when."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from billing import flows
from billing.catalog.models import AIModel
from billing.ledger import debts
from billing.ledger.chart import Code
from billing.ledger.models import CreditGrant, Transfer
from billing.payments.models import Intent
from orgs.models import ApiKey, Organization, User
from sandbox.stripe import Running
from tests.billing.payments.disputed import balance, grant_of, posted, spend, tell
from tests.factories.paying import pay

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.books_differ("hour_of_events", "minute_of_events"),  # usage is told here by the minute, without events
]


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
