"""The page that says what became of a purchase."""

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing import flows
from billing.ledger import balances
from billing.ledger.models import CreditGrant, Transfer
from billing.payments import gateway, polling
from billing.payments.models import Intent
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.billing.views.buying import BUY, HTMX, fields, page_of, paid, text, usage
from tests.factories import orgs as people
from tests.factories.paying import ASKS, DECLINES, NO_FUNDS, PAYS, begin

pytestmark = pytest.mark.django_db(transaction=True)


def test_paid(stripe: Running, alice_client: Client, acme: Organization, alice: User) -> None:
    intent = paid(stripe, alice_client, acme, alice)
    answer = alice_client.get(page_of(intent))
    expires = CreditGrant.objects.select_related("account").get().account.expires_at
    assert expires is not None
    when = f"{expires.day} {expires:%B %Y, %H:%M} UTC"
    assert f"Paid $100.00 is in your credit. It expires on {when}." in text(answer)
    assert "Visa ending 4242" in text(answer)
    assert "hx-post" not in answer.content.decode(), "what is final is not asked about"


def test_paid_with_an_overdraft(stripe: Running, alice_client: Client, acme: Organization, alice: User) -> None:
    usage(acme, "8.25")
    intent = paid(stripe, alice_client, acme, alice)
    page = text(alice_client.get(page_of(intent)))
    assert "$91.75 is in your credit." in page
    assert "$8.25 of your payment paid off the overdraft." in page
    assert balances.of(acme.pk, now=timezone.now()).available == Decimal("91.75")


def test_back_from_stripe_before_we_know(
    stripe: Running, alice_client: Client, acme: Organization, alice: User
) -> None:
    """The return page never guesses: first it confirms, one look later it knows."""
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    asked = len(stripe.admin.requests())
    first = alice_client.get(f"{page_of(intent)}?returned=1")
    assert "Confirming" in text(first)
    assert "You need not pay again." in text(first)
    assert "Continue to pay" not in text(first)
    assert 'hx-trigger="load, every 2s"' in first.content.decode()
    assert len(stripe.admin.requests()) == asked, "a page that is looked at asks nobody"
    assert not Transfer.objects.exists()

    look = re.search(r'hx-post="([^"]+)"', first.content.decode())
    assert look is not None
    second = alice_client.post(look[1], headers=HTMX)
    assert "Paid" in text(second)
    assert "<html" not in second.content.decode()


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_paid_with_a_second_card_it_never_says_that_the_first_was_declined(
    stripe: Running, alice_client: Client, acme: Organization, alice: User, headers: dict[str, str]
) -> None:
    """Word of the first card comes just before the customer does: too early to ask again, no reason to say "not paid"."""
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", DECLINES)
    flows.payment_outcome(intent.pk, polling.ask(intent.pk, now=timezone.now()), now=timezone.now())
    stripe.admin.pay(intent.checkout_id or "", PAYS)

    back = f"{page_of(intent)}?returned=1"
    assert "Confirming" in text(alice_client.get(back))
    look = alice_client.post(f"{page_of(intent)}/check?known=confirming.card_declined", headers=headers)
    assert look.status_code == 204 if headers else look["Location"] == back
    assert stripe.admin.requests("GET", f"/v1/checkout/sessions/{intent.checkout_id}")[1:] == [], "not asked twice"


def test_without_script_the_button_does_the_same(
    stripe: Running, alice_client: Client, acme: Organization, alice: User
) -> None:
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    answer = alice_client.post(f"{page_of(intent)}/check")
    assert answer["Location"] == page_of(intent)
    assert "Paid" in text(alice_client.get(answer["Location"]))


def test_a_look_that_finds_nothing_new_changes_nothing_on_the_page(
    stripe: Running, alice_client: Client, acme: Organization, alice: User
) -> None:
    intent = begin(acme, alice)
    look = re.search(r'hx-post="([^"]+)"', alice_client.get(page_of(intent)).content.decode())
    assert look is not None
    assert [alice_client.post(look[1], headers=HTMX).status_code for _ in range(5)] == [204] * 5
    assert len(stripe.admin.requests("GET", f"/v1/checkout/sessions/{intent.checkout_id}")) == 1, "not asked each time"


def test_returned_by_the_cancel_link(stripe: Running, alice_client: Client, acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    answer = alice_client.get(page_of(intent))
    assert "Not paid yet" in text(answer)
    assert "Continue to pay $100.00" in text(answer)
    assert intent.checkout_url in answer.content.decode()


@pytest.mark.parametrize(
    ("card", "why"), [(DECLINES, "Your bank declined the payment"), (NO_FUNDS, "The card does not have enough funds.")]
)
def test_declined(stripe: Running, alice_client: Client, acme: Organization, alice: User, card: str, why: str) -> None:
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", card)
    page = text(alice_client.post(f"{page_of(intent)}/check", headers=HTMX))
    assert "$100.00 could not be charged." in page
    assert why in page
    assert "Nothing was charged." in page
    assert not Transfer.objects.exists()


def test_3d_secure(stripe: Running, alice_client: Client, acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", ASKS, authenticate=True)
    assert "Paid" in text(alice_client.post(f"{page_of(intent)}/check", headers=HTMX))


def test_canceled(stripe: Running, alice_client: Client, acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    answer = alice_client.post(f"{page_of(intent)}/cancel")
    page = text(alice_client.get(answer["Location"]))
    assert "Not paid You canceled the payment. Nothing was charged." in page
    assert "Try again" in page
    assert stripe.admin.pay(intent.checkout_id or "", PAYS)["result"] == "declined", "the page is closed"


def test_canceled_too_late_is_paid(stripe: Running, alice_client: Client, acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    answer = alice_client.post(f"{page_of(intent)}/cancel")
    assert "Paid" in text(alice_client.get(answer["Location"]))


def test_a_page_open_too_long(stripe: Running, alice_client: Client, acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    Intent.objects.filter(pk=intent.pk).update(deadline=timezone.now() - timedelta(seconds=1))
    assert "Confirming" in text(alice_client.get(page_of(intent)))
    page = text(alice_client.post(f"{page_of(intent)}/check", headers=HTMX))
    assert "Not paid The payment page closed after 30 minutes without a payment. Nothing was charged." in page


def test_money_that_does_not_fit_is_not_called_credit(
    stripe: Running, alice_client: Client, acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    seen = gateway.read_checkout(intent.checkout_id or "")
    assert seen.payment is not None
    less = replace(seen, payment=replace(seen.payment, received_cents=90_00))
    monkeypatch.setattr(gateway, "read_checkout", lambda checkout_id: less)
    page = text(alice_client.post(f"{page_of(intent)}/check", headers=HTMX))
    assert "Received, not yet credited" in page
    assert "You need not pay again." in page
    assert not CreditGrant.objects.exists()


def test_when_stripe_is_away_the_page_goes_on_confirming(
    stripe: Running, alice_client: Client, acme: Organization, alice: User, settings: Any
) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.3
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    stripe.admin.fault("error", status=503, method="GET")
    page = f"{page_of(intent)}/check?known=confirming."
    assert "Not paid yet" in text(alice_client.post(page, headers=HTMX))
    Intent.objects.filter(pk=intent.pk).update(checked_at=None)
    assert "Paid" in text(alice_client.post(page, headers=HTMX))


@pytest.mark.parametrize("suffix", ["check", "cancel"])
def test_looking_and_canceling_are_done_by_post(
    stripe: Running, alice_client: Client, acme: Organization, alice: User, suffix: str
) -> None:
    intent = begin(acme, alice)
    assert alice_client.get(f"{page_of(intent)}/{suffix}").status_code == 405


def test_nothing_on_these_pages_breaks_the_content_security_policy(
    stripe: Running, alice_client: Client, acme: Organization, alice: User
) -> None:
    waiting, done = begin(acme, alice), paid(stripe, alice_client, acme, alice)
    for address in (BUY, page_of(waiting), page_of(done)):
        html = alice_client.get(address).content.decode()
        assert "style=" not in html
        assert "hx-on" not in html
        assert not re.search(r"<script(?![^>]*src=)", html)


def test_each_person_buys_for_the_organization_in_the_address(
    stripe: Running, alice_client: Client, alice_personal: Organization, acme: Organization
) -> None:
    address = f"/o/{alice_personal.slug}/billing/buy"
    form = {**fields(alice_client.get(address)), "preset": "100"}
    alice_client.post(address, form)
    assert Intent.objects.get().wallet_id == people.personal(alice_personal.members.get()).pk
