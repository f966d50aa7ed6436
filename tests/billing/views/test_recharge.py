"""The Auto-recharge page: what will happen, agreeing to it, stopping it, and what it charged and why."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing import flows
from billing.money import from_cents
from billing.payments.models import Customer, Intent, PaymentMethod, Purpose, State
from billing.recharge import rules
from billing.recharge.models import Attempt, Consent, Rule, Standing, Why
from orgs.models import Organization, Role, User
from sandbox.stripe import Running
from tests.billing.views.buying import HTMX, text
from tests.factories import recharging
from tests.factories import usage as bought_and_used
from tests.factories.adding_cards import card, saved

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/o/acme/billing/recharge"
GIVEN = {"threshold": "10.00", "recharge_to": "50.00", "cap": "200.00", "per_day": "5"}


@pytest.fixture(autouse=True)
def the_books_are_right(books_are_right: None) -> None:
    """Whatever these tests do to money, every promise holds afterwards."""


def hidden(answer: Any) -> dict[str, str]:
    html = answer.content.decode()
    return {
        name: found.group(1)
        for name in ("seen", "version")
        if (found := re.search(rf'name="{name}" value="([^"]*)"', html))
    }


def sent(client: Client, method: PaymentMethod, *, shown: dict[str, str] | None = None, **given: str) -> Any:
    """Open the page, look at what these amounts do, tick the box and press the button."""
    asked = {**GIVEN, "card": str(method.pk), **given}
    seen = hidden(client.get(PAGE)) | hidden(client.get(PAGE, {**asked, "version": "0"}, headers=HTMX))
    return client.post(f"{PAGE}/save", {**seen, "consent": "yes", **asked, **(shown or {})})


# --- What will happen --------------------------------------------------------------------------------------------------


def test_it_needs_a_card(alice_client: Client, acme: Organization) -> None:
    page = text(alice_client.get(PAGE))
    assert "Auto-recharge needs a saved card" in page
    assert "Add card" in page
    card(acme, exp_year=2020)
    assert "Auto-recharge needs a saved card" in text(alice_client.get(PAGE)), "one that has not expired"


def test_what_will_happen_is_said_before_anything_does(alice_client: Client, acme: Organization) -> None:
    bought_and_used.bought(acme, "60", now=timezone.now())
    card(acme)
    page = text(alice_client.get(PAGE))
    month = f"{timezone.now():%B}"
    assert "Below $10.00 we charge Visa ending 4242 the difference up to $50.00, about $40.01 each time." in page
    assert f"No cap per month. $0.00 charged so far in {month} (UTC)." in page
    assert "Nothing is charged now: credit is $60.00." in page
    assert "Switch on" in page
    assert "checked" not in alice_client.get(PAGE).content.decode().split("id_consent")[1][:80], (
        "nobody ticks it for them"
    )


def test_while_typing_only_the_well_comes(alice_client: Client, acme: Organization) -> None:
    method = card(acme)
    well = alice_client.get(PAGE, {**GIVEN, "card": str(method.pk), "version": "0"}, headers=HTMX)
    assert "<html" not in well.content.decode()
    assert "At most $200.00 in" in text(well)
    wrong = alice_client.get(
        PAGE, {**GIVEN, "recharge_to": "12.00", "card": str(method.pk), "version": "0"}, headers=HTMX
    )
    assert "Bring it back up to: Recharge to at least $15.00" in text(wrong)
    assert 'name="seen"' not in wrong.content.decode()


def test_below_the_threshold_it_says_that_it_charges_at_once(
    alice_client: Client, acme: Organization, stripe: Running
) -> None:
    card(acme)
    page = text(alice_client.get(PAGE))
    assert "Your credit is $0.00 now, so about $50.00 is charged at once." in page
    assert "Switch on and charge about $50.00" in page
    assert stripe.admin.requests() == [], "looking charges nothing"


# --- Agreeing ----------------------------------------------------------------------------------------------------------


def test_agreed_with_who_when_and_the_words(
    stripe: Running, alice_client: Client, acme: Organization, alice: User
) -> None:
    bought_and_used.bought(acme, "60", now=timezone.now())
    answer = sent(alice_client, card(acme))
    assert answer["Location"] == PAGE
    consent = Consent.objects.get()
    assert (consent.user, consent.card) == (alice, "Visa ending 4242")
    assert "below $10.00" in consent.wording
    rule = Rule.objects.get()
    assert (rule.standing, rule.cap_cents, rule.per_day) == (Standing.ON, 200_00, 5)
    page = text(alice_client.get(PAGE))
    assert "On since" in page
    assert "Stop now" in page
    assert "Save these rules" in page
    assert f"Last agreed by {alice} on" in page
    assert not Attempt.objects.exists()
    billing = text(alice_client.get("/o/acme/billing"))
    assert "Below $10.00 we charge Visa ending 4242 up to $50.00." in billing
    assert "$0.00 of $200.00 charged in" in billing


def test_below_the_threshold_it_charges_at_once(
    stripe: Running, alice_client: Client, acme: Organization, alice: User, settings: Any
) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 20  # this is about an answer that comes, however slow the machine
    assert sent(alice_client, saved(stripe, acme, alice)).status_code == 302
    assert stripe.admin.books()["totals"]["net"] == 50_00
    page = text(alice_client.get(PAGE))
    assert "Paid" in page
    assert "below $10.00, up to $50.00" in page
    assert f"$50.00 of $200.00 charged in {timezone.now():%B}" in text(alice_client.get("/o/acme/billing"))


def test_two_clicks_are_one_agreement(stripe: Running, alice_client: Client, acme: Organization, alice: User) -> None:
    method = saved(stripe, acme, alice)
    asked = {**GIVEN, "card": str(method.pk), "version": "0"}
    shown = hidden(alice_client.get(PAGE)) | hidden(alice_client.get(PAGE, asked, headers=HTMX))
    body = {**shown, **asked, "consent": "yes"}
    assert [alice_client.post(f"{PAGE}/save", body).status_code for _ in range(2)] == [302, 302]
    assert Consent.objects.count() == Attempt.objects.count() == 1
    assert stripe.admin.books()["totals"]["net"] == 50_00


def test_without_a_tick_nothing_is_agreed_to(alice_client: Client, acme: Organization, stripe: Running) -> None:
    answer = sent(alice_client, card(acme), shown={"consent": ""})
    assert "Tick the box to allow it." in text(answer)
    assert 'id="id_consent"' in answer.content.decode(), "and can be ticked there"
    assert not Rule.objects.exists()


def test_a_balance_that_fell_since_is_shown_again(stripe: Running, alice_client: Client, acme: Organization) -> None:
    method = card(acme)
    bought_and_used.bought(acme, "12", now=timezone.now())
    asked = {**GIVEN, "card": str(method.pk), "version": "0"}
    shown = hidden(alice_client.get(PAGE)) | hidden(alice_client.get(PAGE, asked, headers=HTMX))
    bought_and_used.spent(acme, "8", now=timezone.now())
    answer = alice_client.post(f"{PAGE}/save", {**shown, **asked, "consent": "yes"})
    assert "Look again before you agree." in text(answer)
    assert "about $46.00 is charged at once" in text(answer)
    assert not Rule.objects.exists()


def test_usage_that_goes_on_meanwhile_does_not_keep_anybody_from_agreeing(
    stripe: Running, alice_client: Client, acme: Organization, alice: User
) -> None:
    method = saved(stripe, acme, alice)
    asked = {**GIVEN, "card": str(method.pk), "version": "0"}
    shown = hidden(alice_client.get(PAGE)) | hidden(alice_client.get(PAGE, asked, headers=HTMX))
    bought_and_used.spent(acme, "0.35", now=timezone.now())
    assert alice_client.post(f"{PAGE}/save", {**shown, **asked, "consent": "yes"}).status_code == 302
    assert stripe.admin.books()["totals"]["net"] == 50_35


@pytest.mark.parametrize("seen", ["", "x", "1000:5000:20000:5:1:0:0", "1000:6000:20000:5:{card}:5000"])
def test_what_was_not_shown_is_not_agreed_to(
    alice_client: Client, acme: Organization, stripe: Running, seen: str
) -> None:
    method = card(acme)
    answer = sent(alice_client, method, shown={"seen": seen.format(card=method.pk)})
    assert "Look again before you agree." in text(answer)
    assert not Rule.objects.exists()


def test_a_rule_that_was_changed_meanwhile_is_shown_again(
    stripe: Running, alice_client: Client, acme: Organization, alice: User
) -> None:
    bought_and_used.bought(acme, "60", now=timezone.now())
    method = card(acme)
    first = hidden(alice_client.get(PAGE))
    recharging.on(acme, alice, card=method, now=timezone.now())
    answer = sent(alice_client, method, shown=first | {"threshold": "11.00"})
    assert "Look again before you agree." in text(answer)
    assert Consent.objects.count() == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"threshold": "0.50"}, "The lowest threshold is $1.00."),
        ({"threshold": "1e1"}, "threshold"),
        ({"threshold": ""}, "Write an amount."),
        ({"recharge_to": "14.99"}, "Recharge to at least $15.00"),
        ({"recharge_to": "10000.01"}, "at most $10,000.00"),
        ({"cap": "4.99"}, "A cap is from $5.00"),
        ({"per_day": "51"}, "Select a valid choice"),
        ({"per_day": "0"}, "Select a valid choice"),
        ({"card": "999999"}, "Choose one of the saved cards."),
    ],
)
def test_what_cannot_be_agreed_to(
    alice_client: Client, acme: Organization, stripe: Running, given: dict[str, str], said: str
) -> None:
    answer = sent(alice_client, card(acme), shown=given)
    assert said in text(answer) or said in answer.content.decode()
    assert answer.status_code == 200
    assert not Rule.objects.exists()
    assert stripe.admin.requests() == []


def test_a_card_of_another_organization_cannot_be_chosen(
    alice_client: Client, acme: Organization, charlie_personal: Organization
) -> None:
    card(acme)
    answer = sent(alice_client, card(charlie_personal))
    assert "Choose one of the saved cards." in text(answer)
    assert not Rule.objects.exists()


# --- Stopping ----------------------------------------------------------------------------------------------------------


def test_stop_now_is_one_click(alice_client: Client, acme: Organization, alice: User) -> None:
    recharging.on(acme, alice, now=timezone.now())
    for _ in range(2):
        assert alice_client.post(f"{PAGE}/off")["Location"] == PAGE
    page = text(alice_client.get(PAGE))
    assert "Off since" in page
    assert "Stop now" not in page
    assert "No card is charged automatically since" in text(alice_client.get("/o/acme/billing"))


@pytest.mark.parametrize("bob_role", [Role.DEVELOPER, Role.VIEWER])
def test_who_may_not_move_money_reads_only(
    bob_client: Client, acme: Organization, alice: User, stripe: Running
) -> None:
    method = card(acme)
    assert "Auto-recharge is not set up." in text(bob_client.get(PAGE))
    recharging.on(acme, alice, card=method, now=timezone.now())
    page = text(bob_client.get(PAGE))
    assert "When credit falls below $20.00" in page
    assert "Stop now" not in page
    assert "<form" not in bob_client.get(PAGE).content.decode().split('id="main"')[1]
    for act in ("save", "off"):
        assert bob_client.post(f"{PAGE}/{act}", GIVEN).status_code == 403
    assert rules.of(acme.pk).standing == Standing.ON  # type: ignore[union-attr]


# --- What stopped it, and what came of each charge ---------------------------------------------------------------------


def declined(acme: Organization, alice: User, code: str) -> Intent:
    """Below the threshold, and the bank refused."""
    now = timezone.now()
    recharging.on(acme, alice, card=card(acme, stripe_id="pm_x"), now=now - timedelta(minutes=5))
    Customer.objects.get_or_create(wallet_id=acme.pk, defaults={"stripe_id": "cus_x"})
    return recharging.refused(recharging.begun(acme, now=now), code, now=now)


@pytest.mark.parametrize(
    ("code", "fact", "action"),
    [
        (
            "authentication_required",
            "Auto-recharge is paused: the bank wants you to confirm.",
            "Pay $50.00 in the browser",
        ),
        ("lost_card", "Auto-recharge is paused: the bank refused the card.", "Pay $50.00 in the browser"),
    ],
)
def test_paused_says_why_and_what_to_do_wherever_it_matters(
    alice_client: Client, bob_client: Client, acme: Organization, alice: User, code: str, fact: str, action: str
) -> None:
    declined(acme, alice, code)
    for address in (PAGE, "/o/acme/billing", "/o/acme/"):
        page = text(alice_client.get(address))
        assert fact in page
        assert action in page
        assert action not in text(bob_client.get(address)), "a developer reads it, and cannot pay"
    page = text(alice_client.get(PAGE))
    assert "Paused since" in page
    assert "Not paid" in page


def test_a_soft_decline_says_when_it_is_tried_again(alice_client: Client, acme: Organization, alice: User) -> None:
    declined(acme, alice, "insufficient_funds")
    page = text(alice_client.get(PAGE))
    assert "Nothing is charged right now. The card was declined and is tried again later. The next try is at" in page
    assert "The card does not have enough funds." in page


def test_a_card_that_is_gone(alice_client: Client, acme: Organization, alice: User) -> None:
    rule = recharging.on(acme, alice, now=timezone.now())
    Rule.objects.filter(pk=rule.pk).update(standing=Standing.PAUSED, why=Why.NO_CARD)
    assert "its card was removed or has expired" in text(alice_client.get("/o/acme/"))


def test_what_each_charge_was_for(alice_client: Client, acme: Organization, alice: User) -> None:
    declined(acme, alice, "insufficient_funds")
    intent = Intent.objects.get(purpose=Purpose.RECHARGE)
    assert (intent.state, from_cents(intent.amount_cents)) == (State.FAILED, Decimal(50))
    page = text(alice_client.get(PAGE))
    assert "below $20.00, up to $50.00" in page


def test_the_page_costs_the_same_for_much_and_little(
    alice_client: Client, acme: Organization, alice: User, django_assert_max_num_queries: Any
) -> None:
    recharging.on(acme, alice, now=timezone.now())
    for last4 in ("1111", "2222", "3333"):
        card(acme, last4)
    alice_client.get(PAGE)
    with django_assert_max_num_queries(28):
        alice_client.get(PAGE)
    flows.switch_recharge_off(acme.pk, now=timezone.now())
    with django_assert_max_num_queries(28):
        alice_client.get(PAGE)
