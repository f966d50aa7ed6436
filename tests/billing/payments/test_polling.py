"""The clock asks what became of open payments; nobody's news is needed for a purchase to end rightly."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from billing import flows
from billing.ledger import balances
from billing.payments import gateway, outcomes, polling
from billing.payments.models import Intent, State
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.factories.paying import ASKS, DECLINES, PAYS, begin

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)


def poll(intent: Intent, after: timedelta = MINUTE) -> Intent:
    polling.poll(flows.payment_outcome, now=timezone.now() + after)
    intent.refresh_from_db()
    return intent


def credit(org: Organization) -> object:
    return balances.of(org.pk, now=timezone.now()).available


def test_a_paid_page_is_credited_without_any_webhook(stripe: Running, acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    assert poll(intent).state == State.SUCCEEDED
    assert credit(acme) == 100
    assert intent.charged_at is not None
    assert abs(intent.charged_at.timestamp() - stripe.admin.now()) < 60


def test_a_declined_card_gives_no_credit_and_the_page_stays_open(
    stripe: Running, acme: Organization, alice: User
) -> None:
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", DECLINES)
    assert poll(intent).state == State.WAITING
    assert intent.failure_code == "generic_decline"
    assert credit(acme) == 0
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    assert poll(intent, after=3 * MINUTE).state == State.SUCCEEDED
    assert (intent.failure_code, credit(acme)) == ("", 100)


@pytest.mark.parametrize(("confirmed", "state"), [(True, State.SUCCEEDED), (False, State.WAITING)])
def test_3d_secure_is_paid_only_when_its_holder_says_so(
    stripe: Running, acme: Organization, alice: User, confirmed: bool, state: State
) -> None:
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", ASKS)
    assert poll(intent).state == State.WAITING
    stripe.admin.authenticate(intent.checkout_id or "", complete=confirmed)
    assert poll(intent, after=3 * MINUTE).state == state
    assert credit(acme) == (100 if confirmed else 0)
    if not confirmed:
        assert "asked you to confirm" in intent.failure_message


def test_a_page_past_its_deadline_is_closed_at_stripe(stripe: Running, acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    assert poll(intent, after=32 * MINUTE).state == State.CANCELED
    assert "closed after 30 minutes" in intent.failure_message
    assert gateway.read_checkout(intent.checkout_id or "").status == "expired"


def test_paid_at_the_last_moment_is_paid(
    stripe: Running, acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is open when we look, and paid before we close it."""
    intent = begin(acme, alice)
    expire = gateway.expire_checkout

    def paid_meanwhile(checkout_id: str) -> None:
        stripe.admin.pay(checkout_id, PAYS)
        expire(checkout_id)

    monkeypatch.setattr(gateway, "expire_checkout", paid_meanwhile)
    assert poll(intent, after=32 * MINUTE).state == State.SUCCEEDED
    assert credit(acme) == 100


def test_canceling_closes_the_page_unless_it_was_paid(stripe: Running, acme: Organization, alice: User) -> None:
    unpaid, paid = begin(acme, alice), begin(acme, alice)
    stripe.admin.pay(paid.checkout_id or "", PAYS)
    now = timezone.now()
    assert polling.cancel(unpaid.pk, now=now) == outcomes.Canceled("canceled")
    assert isinstance(polling.cancel(paid.pk, now=now), outcomes.Paid)


@pytest.mark.parametrize("kind", ["timeout", "reset", "error", "rate_limit"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_trouble_while_asking_changes_nothing(
    stripe: Running, settings: Any, acme: Organization, alice: User, kind: str, method: str
) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.3
    intent = begin(acme, alice)
    stripe.admin.fault(kind, method=method, seconds=1, count=None)
    assert poll(intent, after=32 * MINUTE).state == State.WAITING
    stripe.admin.clear_faults()
    assert poll(intent, after=64 * MINUTE).state == State.CANCELED


def test_one_that_fails_does_not_stop_the_others(
    stripe: Running, acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, fine = begin(acme, alice), begin(acme, alice)
    for intent in (broken, fine):
        stripe.admin.pay(intent.checkout_id or "", PAYS)

    def apply(intent_id: UUID, outcome: outcomes.Outcome, *, now: Any) -> object:
        if intent_id == broken.pk:
            raise RuntimeError("a bug")
        return flows.payment_outcome(intent_id, outcome, now=now)

    assert polling.poll(apply, now=timezone.now() + MINUTE) == 1
    fine.refresh_from_db()
    assert fine.state == State.SUCCEEDED


def test_the_older_a_payment_the_rarer_it_is_asked_about(stripe: Running, acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    created = intent.created_at

    def asked(after: timedelta, last: timedelta) -> bool:
        Intent.objects.filter(pk=intent.pk).update(checked_at=created + last)
        return intent.pk in polling.due(now=created + after)

    assert not asked(timedelta(seconds=40), -MINUTE), "its own request is probably still at it"
    assert asked(timedelta(seconds=60), timedelta(seconds=44))
    assert not asked(timedelta(seconds=60), timedelta(seconds=46))
    assert asked(timedelta(hours=1), timedelta(minutes=57))
    assert not asked(timedelta(hours=1), timedelta(minutes=58))
    assert asked(timedelta(days=9), timedelta(days=9) - timedelta(minutes=30))
    Intent.objects.filter(pk=intent.pk).update(state=State.CANCELED)
    assert polling.due(now=created + timedelta(days=1)) == []


def test_staff_see_what_has_been_open_too_long(stripe: Running, acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    created = intent.created_at
    assert not polling.stale(now=created + timedelta(hours=23)).exists()
    assert polling.stale(now=created + timedelta(hours=25)).get() == intent
