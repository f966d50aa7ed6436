"""Saved cards: one default that nobody chooses silently, a removed card that is never charged again."""

import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing import flows, tasks
from billing.notices.models import Kind, Notice
from billing.payments import detaching, methods
from billing.payments.models import Intent, PaymentMethod, Purpose, State
from billing.webhooks import stripe as webhook
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.factories.adding_cards import card, saved
from tests.factories.paying import pay, tell

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = "5555555555554444"
DETACH = "/v1/payment_methods/*/detach"


def at_stripe(stripe: Running, method: PaymentMethod) -> Any:
    return stripe.sandbox.world.find("payment_method", method.stripe_id)


def removed(method: PaymentMethod) -> PaymentMethod:
    """Here, and as soon as the clock comes by at Stripe too."""
    flows.remove_card(method.wallet_id, method.pk, now=timezone.now())
    detaching.poll(flows.card_told, now=timezone.now())
    method.refresh_from_db()
    return method


# --- The default -----------------------------------------------------------------------------------------------------------


def test_a_purchase_saves_its_card_and_the_receipt_tells_of_it(
    stripe: Running, acme: Organization, alice: User
) -> None:
    pay(stripe, acme, alice)
    assert methods.default(acme.pk) == PaymentMethod.objects.get()
    assert not Notice.objects.filter(kind=Kind.CARD_CHANGED).exists()


def test_choosing_the_default(acme: Organization) -> None:
    card(acme)
    second = card(acme, "1111")
    for _ in range(2):
        flows.choose_card(acme.pk, second.pk, now=timezone.now())
    assert [(one.last4, one.is_default) for one in methods.of(acme.pk)] == [("1111", True), ("4242", False)]
    assert [notice.facts for notice in Notice.objects.all()] == [{"what": "default", "brand": "visa", "last4": "1111"}]


def test_removing_the_default_promotes_no_other(stripe: Running, acme: Organization, alice: User) -> None:
    first, second = saved(stripe, acme, alice), saved(stripe, acme, alice, OTHER)
    removed(first)
    assert list(methods.of(acme.pk)) == [second]
    assert methods.default(acme.pk) is None
    third = saved(stripe, acme, alice, "378282246310005")
    assert third.is_default, "with no default, the next card that is added is it"


def test_a_removed_card_cannot_be_chosen(acme: Organization) -> None:
    method = card(acme, detached_at=timezone.now(), is_default=False)
    with pytest.raises(methods.CardRefused, match="removed meanwhile"):
        flows.choose_card(acme.pk, method.pk, now=timezone.now())


# --- Removing --------------------------------------------------------------------------------------------------------------


def test_removing_lets_it_go_at_stripe(stripe: Running, acme: Organization, alice: User) -> None:
    method = removed(saved(stripe, acme, alice))
    assert method.detached_at
    assert method.released_at
    assert not method.is_default
    assert at_stripe(stripe, method)["customer"] is None
    assert Notice.objects.latest("id").facts["what"] == "removed"


def test_removing_twice_is_removing_once(stripe: Running, acme: Organization, alice: User) -> None:
    method = saved(stripe, acme, alice)
    for _ in range(2):
        removed(method)
    assert len(stripe.admin.requests("POST", DETACH.replace("*", method.stripe_id))) == 1
    assert Notice.objects.filter(facts__what="removed").count() == 1


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("kind", ["timeout", "reset", "error"])
def test_whatever_happens_to_the_call_it_is_gone_here_at_once_and_there_in_the_end(
    stripe: Running, settings: Any, acme: Organization, alice: User, kind: str, moment: str
) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.4
    method = saved(stripe, acme, alice)
    more = {"timeout": {"seconds": 2}, "error": {"status": 503}}.get(kind, {})
    stripe.admin.fault(kind, moment=moment, path=DETACH, method="POST", **more)
    removed(method)
    assert method.detached_at
    assert method.released_at is None
    later = timezone.now() + timedelta(minutes=2)
    assert detaching.poll(flows.card_told, now=later) == 1
    assert detaching.poll(flows.card_told, now=later + timedelta(days=1)) == 0
    method.refresh_from_db()
    assert method.released_at == later
    assert at_stripe(stripe, method)["customer"] is None


def test_a_card_that_stripe_does_not_know_is_gone_there(stripe: Running, acme: Organization) -> None:
    assert removed(card(acme)).released_at


def test_a_refusal_that_is_none_of_these_is_asked_about_again(stripe: Running, acme: Organization, alice: User) -> None:
    method = saved(stripe, acme, alice)
    stripe.admin.fault("refuse", status=401, path=DETACH, method="POST")
    assert removed(method).released_at is None
    detaching.poll(flows.card_told, now=timezone.now() + timedelta(minutes=2))
    method.refresh_from_db()
    assert method.released_at


@pytest.mark.books_differ("recharge_unexplained")  # charged here without the rule that would ask for it
def test_a_card_that_is_being_charged_stays(acme: Organization) -> None:
    method = card(acme)
    intent = off_session(acme, method)
    with pytest.raises(methods.CardRefused, match="being charged right now"):
        removed(method)
    Intent.objects.filter(pk=intent.pk).update(state=State.FAILED)
    with transaction.atomic():
        methods.remove(acme.pk, method.pk, now=timezone.now())


def off_session(acme: Organization, method: PaymentMethod) -> Intent:
    return Intent.objects.create(
        wallet_id=acme.pk, purpose=Purpose.RECHARGE, amount_cents=10_00, key=uuid4().hex, method=method,
        created_at=timezone.now(),
    )  # fmt: skip


def test_a_card_is_removed_by_its_own_organization_only(acme: Organization, charlie_personal: Organization) -> None:
    method = card(acme)
    with pytest.raises(PaymentMethod.DoesNotExist):
        flows.remove_card(charlie_personal.pk, method.pk, now=timezone.now())
    with pytest.raises(methods.CardRefused):
        flows.choose_card(charlie_personal.pk, method.pk, now=timezone.now())


# --- What Stripe tells ---------------------------------------------------------------------------------------------------


def test_a_card_detached_in_stripes_dashboard_is_removed_here(stripe: Running, acme: Organization, alice: User) -> None:
    method = saved(stripe, acme, alice)
    stripe.admin.detach(method.stripe_id)
    tell(stripe, "payment_method.detached", times=2)
    tasks.process_inbox()
    method.refresh_from_db()
    assert method.detached_at
    assert method.released_at
    assert Notice.objects.filter(facts__what="removed").count() == 1


def test_a_new_expiry_reaches_the_books(stripe: Running, acme: Organization, alice: User) -> None:
    method = saved(stripe, acme, alice)
    body = f"card[exp_month]=3&card[exp_year]={method.exp_year + 4}"
    _post(stripe, f"/v1/payment_methods/{method.stripe_id}", body)
    tell(stripe, "payment_method.updated")
    tasks.process_inbox()
    year = method.exp_year
    method.refresh_from_db()
    assert (method.exp_month, method.exp_year) == (3, year + 4)


def test_cards_of_nobody_here_are_ignored(stripe: Running, acme: Organization, alice: User) -> None:
    method = saved(stripe, acme, alice)
    asked = len(stripe.admin.requests())
    told = {"id": "pm_of_another_shop", "object": "payment_method"}
    assert webhook.card(told, timezone.now()) is False
    assert len(stripe.admin.requests()) == asked
    assert method.detached_at is None


def _post(stripe: Running, path: str, body: str) -> None:
    headers = {"Authorization": "Bearer sk_test_of_the_tests", "Content-Type": "application/x-www-form-urlencoded"}
    urllib.request.urlopen(urllib.request.Request(stripe.base_url + path, body.encode(), headers)).read()


# --- Cards that expire -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (datetime(2026, 10, 31, 23, 59, tzinfo=UTC), False),
        (datetime(2026, 11, 1, tzinfo=UTC), True),
        (datetime(2026, 11, 30, 23, 59, tzinfo=UTC), True),
        (datetime(2026, 12, 1, tzinfo=UTC), False),
    ],
)
def test_people_are_told_thirty_days_before_the_end_of_its_month(acme: Organization, now: datetime, due: bool) -> None:
    method = card(acme, exp_year=2026, exp_month=11)
    assert [methods.announce_expiring(now=now) for _ in range(2)] == [int(due), 0]
    assert Notice.objects.filter(key=f"card_expiring:{method.pk}:2026-11").count() == int(due)


def test_near_the_end_of_january_cards_of_february_are_told_of_too(acme: Organization) -> None:
    for month in (1, 2, 3):
        card(acme, exp_year=2027, exp_month=month)
    assert methods.announce_expiring(now=datetime(2027, 1, 31, tzinfo=UTC)) == 2


def test_a_new_expiry_is_told_of_when_it_comes(acme: Organization) -> None:
    method = card(acme, exp_year=2026, exp_month=12)
    assert methods.announce_expiring(now=datetime(2026, 12, 31, tzinfo=UTC)) == 1
    PaymentMethod.objects.filter(pk=method.pk).update(exp_year=2027)
    assert methods.announce_expiring(now=datetime(2027, 12, 31, tzinfo=UTC)) == 1


def test_removed_cards_expire_silently(acme: Organization) -> None:
    card(acme, exp_year=2026, exp_month=11, detached_at=timezone.now(), is_default=False)
    assert methods.announce_expiring(now=datetime(2026, 11, 20, tzinfo=UTC)) == 0


# --- What the database refuses -------------------------------------------------------------------------------------------


def test_a_removed_card_is_not_charged(acme: Organization) -> None:
    method = card(acme, detached_at=timezone.now(), is_default=False)
    with pytest.raises(IntegrityError, match="was removed: it is not charged"), transaction.atomic():
        off_session(acme, method)


@pytest.mark.parametrize("change", [{"detached_at": None}, {"wallet_id": 0}, {"stripe_id": "pm_other"}])
def test_a_removed_card_stays_removed(as_owner: None, acme: Organization, change: dict[str, Any]) -> None:
    method = card(acme, detached_at=timezone.now(), is_default=False)
    with pytest.raises(IntegrityError, match="stays removed"), transaction.atomic():
        PaymentMethod.objects.filter(pk=method.pk).update(**change)
