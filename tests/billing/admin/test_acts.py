"""What staff do with money in the admin: each act is told back first, done when confirmed, once, with who and why."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from billing.ledger import balances
from billing.ledger.models import CreditGrant, GrantSource
from billing.payments.models import Intent, Refund, RefundState
from billing.webhooks import inbox
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.factories import orgs as people
from tests.factories import paying, usage
from tests.factories.paying import stripe

__all__ = ["stripe"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_are_right")]


@pytest.fixture
def paid(stripe: Running, acme: Organization, alice: User) -> Intent:
    """Alice bought 100.00 for Acme."""
    intent = paying.begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", paying.PAYS)
    paying.tell(stripe)
    process()
    intent.refresh_from_db()
    return intent


def process() -> None:
    inbox.process(now=datetime.now(UTC))


def address(act: str, row: Any) -> str:
    table = f"{row._meta.app_label}_{row._meta.model_name}"
    return reverse(f"admin:{table}_{act}", args=[row.pk])


def form(client: Client, where: str, **fields: str) -> dict[str, str]:
    """The form as the page gives it, filled in."""
    page = client.get(where).content.decode()
    nonce = re.search(r'name="nonce" value="([0-9a-f-]{36})"', page)
    assert nonce is not None
    return {"nonce": nonce[1], "reason": "Asked for by Alice, ticket 12", **fields}


def confirmed(client: Client, where: str, sent: dict[str, str]) -> Any:
    return client.post(where, {**sent, "confirmed": "yes"}, follow=True)


# --- Refund ------------------------------------------------------------------------------------------------------------


def test_a_refund_is_told_back_first_and_done_when_confirmed(
    stripe: Running, staff: User, staff_client: Client, paid: Intent, acme: Organization
) -> None:
    where = address("refund", paid)
    sent = form(staff_client, where, amount="30.50")
    told = staff_client.post(where, sent).content.decode()
    assert "$30.50 goes back to Visa ending" in told
    assert "$69.50 of this purchase stays" in told
    assert not Refund.objects.exists()
    page = confirmed(staff_client, where, sent).content.decode()
    assert "Refunded $30.50." in page
    refund = Refund.objects.get()
    assert (refund.state, refund.amount_cents, refund.asked_by) == (RefundState.SUCCEEDED, 30_50, staff)
    assert refund.reason == "Asked for by Alice, ticket 12"
    assert balances.of(acme.pk, now=datetime.now(UTC)).available == Decimal("69.50")
    assert "Asked for by Alice" in LogEntry.objects.get(object_id=str(paid.pk)).change_message


def test_the_same_form_sent_twice_is_one_refund(
    stripe: Running, staff_client: Client, paid: Intent, acme: Organization
) -> None:
    where = address("refund", paid)
    sent = form(staff_client, where, amount="10")
    for _ in range(2):
        assert "Refunded $10.00." in confirmed(staff_client, where, sent).content.decode()
    assert Refund.objects.count() == 1
    assert balances.of(acme.pk, now=datetime.now(UTC)).available == 90


@pytest.mark.parametrize(
    ("amount", "says"),
    [
        ("100.01", "At most $100.00 is left"),
        ("0", "more than nothing"),
        ("1e1", "whole cents"),
        ("-5", "whole cents"),
        ("5.001", "whole cents"),
        ("", "required"),
    ],
)
def test_an_amount_that_cannot_be(stripe: Running, staff_client: Client, paid: Intent, amount: str, says: str) -> None:
    where = address("refund", paid)
    assert says in confirmed(staff_client, where, form(staff_client, where, amount=amount)).content.decode()
    assert not Refund.objects.exists()


def test_a_reason_is_required(stripe: Running, staff_client: Client, paid: Intent) -> None:
    where = address("refund", paid)
    confirmed(staff_client, where, form(staff_client, where, amount="5", reason="  "))
    assert not Refund.objects.exists()


def test_more_than_the_limit_needs_a_second_person(
    stripe: Running, staff_client: Client, paid: Intent, settings: Any
) -> None:
    settings.STAFF_LIMIT_USD = Decimal(50)
    where = address("refund", paid)
    page = confirmed(staff_client, where, form(staff_client, where, amount="50.01")).content.decode()
    assert "At most $50.00 at a time" in page
    assert not Refund.objects.exists()


def test_a_payment_that_was_not_paid_has_nothing_to_refund(
    stripe: Running, staff_client: Client, acme: Organization, alice: User
) -> None:
    intent = paying.begin(acme, alice)
    where = address("refund", intent)
    assert "This payment brought no money" in staff_client.get(where).content.decode()
    sent = {"amount": "5", "reason": "x", "nonce": "00000000-0000-4000-8000-000000000001"}
    confirmed(staff_client, where, sent)
    assert not Refund.objects.exists()


def test_a_disputed_payment_goes_back_through_the_dispute(stripe: Running, staff_client: Client, paid: Intent) -> None:
    stripe.admin.dispute(paid.charge_id or "")
    paying.tell(stripe, "charge.dispute.created")
    process()
    assert "This payment is disputed" in staff_client.get(address("refund", paid)).content.decode()


def test_stripe_that_does_not_answer_leaves_the_refund_open(
    stripe: Running, staff_client: Client, paid: Intent, settings: Any
) -> None:
    where = address("refund", paid)
    sent = form(staff_client, where, amount="10")
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    page = confirmed(staff_client, where, sent).content.decode()
    assert "Stripe did not answer" in page
    assert Refund.objects.get().state == RefundState.UNKNOWN


# --- Give credit -------------------------------------------------------------------------------------------------------


def test_promotional_credit_is_given_until_a_day(staff: User, staff_client: Client, acme: Organization) -> None:
    where = address("give", acme.wallet)
    last_day = (datetime.now(UTC) + timedelta(days=30)).date()
    sent = form(staff_client, where, amount="25", title="Welcome credit", last_day=last_day.isoformat())
    told = staff_client.post(where, sent).content.decode()
    assert "Acme Research gets $25.00 of promotional credit" in told
    for _ in range(2):
        confirmed(staff_client, where, sent)
    grant = CreditGrant.objects.select_related("account").get()
    assert (grant.source, grant.title, grant.issued_by) == (GrantSource.PROMOTION, "Welcome credit", staff)
    assert grant.account.expires_at is not None
    assert grant.account.expires_at.date() == last_day + timedelta(days=1)


@pytest.mark.parametrize("days", [-1, 400])
def test_credit_ends_neither_in_the_past_nor_in_years(staff_client: Client, acme: Organization, days: int) -> None:
    where = address("give", acme.wallet)
    last_day = (datetime.now(UTC) + timedelta(days=days)).date()
    sent = form(staff_client, where, amount="25", title="Welcome", last_day=last_day.isoformat())
    assert "The last day is today or later" in confirmed(staff_client, where, sent).content.decode()
    assert not CreditGrant.objects.exists()


# --- Forgive a debt ----------------------------------------------------------------------------------------------------


def test_a_debt_is_forgiven_in_part(
    stripe: Running, staff_client: Client, paid: Intent, acme: Organization, alice: User
) -> None:
    usage.spent(acme, "40", now=datetime.now(UTC))
    stripe.admin.dispute(paid.charge_id or "")
    paying.tell(stripe, "charge.dispute.funds_withdrawn")
    process()
    assert balances.of(acme.pk, now=datetime.now(UTC)).debt == 40
    where = address("forgive", acme.wallet)
    sent = form(staff_client, where, amount="15")
    told = staff_client.post(where, sent).content.decode()
    assert "Acme Research no longer owes $15.00" in told
    for _ in range(2):
        confirmed(staff_client, where, sent)
    assert balances.of(acme.pk, now=datetime.now(UTC)).debt == 25


def test_without_a_debt_there_is_nothing_to_forgive(staff_client: Client, acme: Organization) -> None:
    assert "There is no debt to forgive" in staff_client.get(address("forgive", acme.wallet)).content.decode()


# --- Who may -----------------------------------------------------------------------------------------------------------


def test_customers_and_staff_without_the_right_do_not(
    stripe: Running, alice_client: Client, charlie: User, paid: Intent
) -> None:
    where = address("refund", paid)
    assert alice_client.get(where).status_code in (302, 403)
    charlie.is_staff = True
    charlie.save()
    assert people.signed_in(charlie).get(where).status_code == 403
