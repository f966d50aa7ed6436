"""A card is saved without paying: written down before Stripe hears of it, and once however often it is told."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing import flows, tasks
from billing.notices.models import Notice
from billing.payments import answers, card_pages, card_setups, detaching, methods
from billing.payments.card_setups import CardSetup, SetupState
from billing.payments.models import Intent, PaymentMethod, Purpose, State
from billing.recharge.models import Rule
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.factories import recharging
from tests.factories.adding_cards import begin, card, look, saved
from tests.factories.paying import ASKS, DECLINES, PAYS, tell

pytestmark = pytest.mark.django_db(transaction=True)

SESSIONS = "/v1/checkout/sessions"
OTHER = "5555555555554444"


def test_adding_a_card_opens_a_page_at_stripe(stripe: Running, acme: Organization, alice: User) -> None:
    begun = begin(acme, alice)
    assert (begun.state, begun.created_by_id) == (SetupState.WAITING, alice.pk)
    session = stripe.sandbox.world.find("checkout.session", begun.page_id or "")
    assert (session["mode"], session["client_reference_id"]) == ("setup", str(begun.pk))
    assert session["success_url"] == f"http://127.0.0.1:8000/o/acme/billing/cards/added/{begun.pk}?returned=1"
    assert [row["idempotency_key"] for row in stripe.admin.requests("POST", SESSIONS)] == [f"{begun.pk}:1"]


def test_the_first_card_is_the_default_and_people_are_told(stripe: Running, acme: Organization, alice: User) -> None:
    first, second = saved(stripe, acme, alice), saved(stripe, acme, alice, OTHER)
    assert (first.brand, first.last4, first.is_default) == ("visa", "4242", True)
    assert (second.brand, second.last4, second.is_default) == ("mastercard", "4444", False)
    told = Notice.objects.order_by("id").values_list("key", "facts__what", "facts__last4")
    assert list(told) == [
        (f"card_changed:{first.pk}:added", "added", "4242"), (f"card_changed:{second.pk}:added", "added", "4444")
    ]  # fmt: skip
    assert stripe.admin.books()["totals"]["net"] == 0


def test_a_bank_that_asks_is_answered(stripe: Running, acme: Organization, alice: User) -> None:
    assert saved(stripe, acme, alice, ASKS, authenticate=True).last4 == "3184"


def test_the_same_card_again_is_listed_once_and_the_old_one_let_go(
    stripe: Running, acme: Organization, alice: User
) -> None:
    """The new one is what her bank has just let be saved."""
    first, other, again = saved(stripe, acme, alice), saved(stripe, acme, alice, OTHER), saved(stripe, acme, alice)
    first.refresh_from_db()
    assert first.detached_at == again.created_at
    assert [(one, one.is_default) for one in methods.of(acme.pk)] == [(again, True), (other, False)]
    assert Notice.objects.count() == 2, "the same card is no news"
    release_later()
    assert stripe.sandbox.world.find("payment_method", first.stripe_id)["customer"] is None
    assert stripe.sandbox.world.find("payment_method", again.stripe_id)["customer"]


@pytest.mark.books_differ("settlement_charged")  # charged here without the month end that would ask for it
def test_the_old_one_is_let_go_when_it_is_not_being_charged_any_more(acme: Organization) -> None:
    """A month end is charging it, and nobody knows the outcome yet: Stripe must still hold it when it is asked again."""
    old = card(acme)
    intent = Intent.objects.create(
        wallet_id=acme.pk, purpose=Purpose.SETTLEMENT, amount_cents=10_00, key="unknown", method=old,
        created_at=timezone.now(), state=State.UNKNOWN,
    )  # fmt: skip
    again = answers.Card("pm_again", old.brand, old.last4, old.exp_month, old.exp_year)
    with transaction.atomic():
        methods.save(acme.pk, again, now=timezone.now())
    assert methods.of(acme.pk).get().stripe_id == "pm_again"
    assert detaching.due(now=timezone.now()) == []
    Intent.objects.filter(pk=intent.pk).update(state=State.FAILED)
    assert detaching.due(now=timezone.now()) == [old.pk]


def test_auto_recharge_charges_what_was_saved_last(stripe: Running, acme: Organization, alice: User) -> None:
    """Of the same card. Another one does not become the rule's (A47)."""
    recharging.on(acme, alice, card=saved(stripe, acme, alice), now=timezone.now())
    again = saved(stripe, acme, alice)
    assert (Rule.objects.get().method, Rule.objects.get().version) == (again, 2)
    saved(stripe, acme, alice, OTHER)
    assert (Rule.objects.get().method, Rule.objects.get().version) == (again, 2)


def release_later() -> None:
    detaching.poll(flows.card_told, now=timezone.now() + timedelta(minutes=2))


def test_a_declined_card_is_not_saved_and_says_why(stripe: Running, acme: Organization, alice: User) -> None:
    begun = begin(acme, alice)
    assert stripe.admin.pay(begun.page_id or "", DECLINES)["result"] == "declined"
    look(begun)
    assert (begun.state, begun.failure_code) == (SetupState.WAITING, "generic_decline")
    assert "does not let the card be saved" in card_setups.reason(begun.failure_code)
    assert not PaymentMethod.objects.exists()


def test_webhooks_poller_and_return_page_save_it_once(stripe: Running, acme: Organization, alice: User) -> None:
    begun = begin(acme, alice)
    stripe.admin.pay(begun.page_id or "", PAYS)
    tell(stripe, times=2)
    tasks.process_inbox()
    begun.refresh_from_db()
    assert begun.state == SetupState.SAVED
    look(begun)
    card_pages.poll(flows.card_saved, now=timezone.now() + timedelta(hours=1))
    assert PaymentMethod.objects.count() == Notice.objects.count() == 1


def test_without_webhooks_the_clock_finds_out(stripe: Running, acme: Organization, alice: User) -> None:
    begun = begin(acme, alice)
    stripe.admin.pay(begun.page_id or "", PAYS)
    assert card_pages.poll(flows.card_saved, now=timezone.now()) == 0, "too young to be asked about"
    assert card_pages.poll(flows.card_saved, now=timezone.now() + timedelta(minutes=1)) == 1
    begun.refresh_from_db()
    assert begun.state == SetupState.SAVED


def test_a_page_open_too_long_is_closed(stripe: Running, acme: Organization, alice: User) -> None:
    begun = begin(acme, alice)
    card_pages.poll(flows.card_saved, now=begun.deadline)
    begun.refresh_from_db()
    assert (begun.state, begun.failure_code) == (SetupState.ENDED, "expired")
    assert stripe.admin.pay(begun.page_id or "", PAYS)["result"] == "declined", "the page is closed"


def test_canceled(stripe: Running, acme: Organization, alice: User) -> None:
    begun = begin(acme, alice)
    flows.card_saved(begun.pk, card_pages.cancel(begun.pk, now=timezone.now()), now=timezone.now())
    begun.refresh_from_db()
    assert (begun.state, begun.failure_code) == (SetupState.ENDED, "canceled")


def test_canceled_too_late_is_saved(stripe: Running, acme: Organization, alice: User) -> None:
    begun = begin(acme, alice)
    stripe.admin.pay(begun.page_id or "", PAYS)
    flows.card_saved(begun.pk, card_pages.cancel(begun.pk, now=timezone.now()), now=timezone.now())
    begun.refresh_from_db()
    assert begun.state == SetupState.SAVED


def test_the_second_click_is_the_same_page(stripe: Running, acme: Organization, alice: User) -> None:
    nonce = uuid4()
    first, second = begin(acme, alice, nonce), begin(acme, alice, nonce)
    assert (first.pk, first.page_url) == (second.pk, second.page_url)
    assert len(stripe.sandbox.world.books.oldest_first("checkout.session")) == 1


def test_a_form_of_one_organization_opens_nothing_of_another(
    stripe: Running, acme: Organization, alice: User, alice_personal: Organization
) -> None:
    nonce = uuid4()
    begin(acme, alice, nonce)
    with pytest.raises(card_pages.FormUsedBefore):
        begin(alice_personal, alice, nonce)


# --- What may go wrong on the way ----------------------------------------------------------------------------------------

FAULTS = [
    {"kind": kind, "moment": moment, **more}
    for moment in ("before", "after")
    for kind, more in (
        ("timeout", {"seconds": 2}),
        ("reset", {}),
        ("error", {"status": 500}),
        ("error", {"status": 503, "stored": False}),
    )
] + [{"kind": "rate_limit"}, {"kind": "slow", "seconds": 1}, {"kind": "spoil", "moment": "after", "body": "nulls"}]


@pytest.mark.parametrize("path", ["/v1/customers", SESSIONS])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "-".join(str(value) for value in fault.values()))
def test_whatever_happens_to_a_call_the_card_is_saved_once(
    stripe: Running, settings: Any, acme: Organization, alice: User, fault: dict[str, Any], path: str
) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.4
    stripe.admin.fault(path=path, method="POST", **fault)
    begun = begin(acme, alice)
    assert (begun.state, begun.page_url) == (SetupState.UNKNOWN, "")
    stripe.admin.clear_faults()
    for _ in range(500):  # a slow request is under way until it is done
        now = timezone.now() + timedelta(minutes=1)
        flows.card_saved(begun.pk, card_pages.ask(begun.pk, now=now), now=now)
        begun.refresh_from_db()
        if begun.state != SetupState.UNKNOWN:
            break
    assert begun.state == SetupState.WAITING
    stripe.admin.pay(begun.page_id or "", PAYS)
    assert look(begun).state == SetupState.SAVED
    sessions = stripe.sandbox.world.books.oldest_first("checkout.session")
    assert len(sessions) == PaymentMethod.objects.count() == 1


def test_when_stripe_cannot_be_read_it_is_asked_again(
    stripe: Running, settings: Any, acme: Organization, alice: User
) -> None:
    begun = begin(acme, alice)
    stripe.admin.pay(begun.page_id or "", PAYS)
    stripe.admin.fault("error", status=503, method="GET")
    assert look(begun).state == SetupState.WAITING
    assert look(begun).state == SetupState.SAVED


def test_stripe_never_heard_of_it(stripe: Running, acme: Organization, alice: User) -> None:
    """The process died before it asked, and nobody came by for half an hour."""
    begun = card_pages.begin(card_pages.Order(acme.pk, uuid4(), alice.pk), now=timezone.now())
    card_pages.poll(flows.card_saved, now=begun.deadline)
    begun.refresh_from_db()
    assert (begun.state, begun.failure_code) == (SetupState.ENDED, "not_opened")
    assert stripe.admin.requests() == []


# --- What the database refuses -------------------------------------------------------------------------------------------


def test_what_came_of_it_is_never_taken_back(stripe: Running, acme: Organization, alice: User) -> None:
    saved(stripe, acme, alice)
    with pytest.raises(IntegrityError, match="cannot go from saved to waiting"), transaction.atomic():
        CardSetup.objects.update(state=SetupState.WAITING, method=None)
