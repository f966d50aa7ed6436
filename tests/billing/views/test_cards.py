"""The Cards page: saved cards, adding one at Stripe, the default, removing."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from billing.payments.card_setups import CardSetup, SetupState
from billing.payments.models import PaymentMethod
from orgs.models import Organization, Role, User
from sandbox.stripe import Running
from tests.billing.views.buying import HTMX, text
from tests.factories import recharging
from tests.factories.adding_cards import begin, card, saved
from tests.factories.paying import DECLINES, PAYS

pytestmark = pytest.mark.django_db(transaction=True)

CARDS = "/o/acme/billing/cards"
ADD = f"{CARDS}/add"


def page_of(begun: CardSetup) -> str:
    return f"{CARDS}/added/{begun.pk}"


def sent(client: Client, nonce: str = "") -> Any:
    return client.post(ADD, {"nonce": nonce or uuid4().hex})


# --- The list --------------------------------------------------------------------------------------------------------------


def test_no_card(alice_client: Client, acme: Organization) -> None:
    answer = alice_client.get(CARDS)
    assert "No card is saved." in text(answer)
    assert "Add card" in text(answer)


def test_cards_with_expiry_and_default(alice_client: Client, acme: Organization) -> None:
    card(acme, exp_month=3)
    card(acme, "4444", brand="mastercard", exp_year=2020)
    card(acme, "0000", detached_at=timezone.now(), is_default=False)
    page = text(alice_client.get(CARDS))
    assert "Visa ending 4242 Default" in page
    assert "03/2034" in page
    assert re.search("Mastercard ending 4444 .*Expired", page)
    assert "0000" not in page


@pytest.mark.parametrize("bob_role", [Role.DEVELOPER, Role.VIEWER])
def test_who_may_not_move_money_reads_only(bob_client: Client, acme: Organization) -> None:
    method = card(acme)
    page = text(bob_client.get(CARDS))
    assert "Visa ending 4242" in page
    assert not {"Add card", "Make default", "Remove"} & set(re.findall("Add card|Make default|Remove", page))
    for address in (ADD, f"{CARDS}/{method.pk}/default", f"{CARDS}/{method.pk}/remove"):
        assert bob_client.post(address, {"nonce": uuid4().hex}).status_code == 403
    assert not CardSetup.objects.exists()


def test_the_billing_page_leads_there(alice_client: Client, acme: Organization) -> None:
    assert f'href="{CARDS}"' in alice_client.get("/o/acme/billing").content.decode()
    PaymentMethod.objects.filter(pk=card(acme).pk).update(is_default=False)
    assert "No card is the default." in text(alice_client.get("/o/acme/billing"))


# --- Adding --------------------------------------------------------------------------------------------------------------


def test_there_and_back(stripe: Running, alice_client: Client, acme: Organization, alice: User) -> None:
    nonce = re.search(r'name="nonce" value="(\w+)"', alice_client.get(CARDS).content.decode())
    assert nonce
    away = sent(alice_client, nonce[1])
    begun = CardSetup.objects.get()
    assert away["Location"] == begun.page_url
    assert sent(alice_client, nonce[1])["Location"] == begun.page_url, "the second click goes to the same page"
    stripe.admin.pay(begun.page_id or "", PAYS)
    back = alice_client.get(f"{page_of(begun)}?returned=1")
    assert "Confirming" in text(back)
    assert "Continue at Stripe" not in text(back)
    look = re.search(r'hx-post="([^"]+)"', back.content.decode())
    assert look
    assert "Card saved Visa ending 4242 is saved and is the default card. Nothing was charged." in text(
        alice_client.post(look[1], headers=HTMX)
    )
    assert "hx-post" not in alice_client.get(page_of(begun)).content.decode(), "what is final is not asked about"


def test_a_page_that_is_looked_at_asks_nobody(
    stripe: Running, alice_client: Client, acme: Organization, alice: User
) -> None:
    begun = begin(acme, alice)
    asked = len(stripe.admin.requests())
    for address in (page_of(begun), f"{page_of(begun)}?returned=1", CARDS):
        assert alice_client.get(address).status_code == 200
    assert len(stripe.admin.requests()) == asked


def test_left_without_a_card(stripe: Running, alice_client: Client, acme: Organization, alice: User) -> None:
    begun = begin(acme, alice)
    page = alice_client.get(page_of(begun))
    assert "No card yet" in text(page)
    assert begun.page_url in page.content.decode()
    alice_client.post(f"{page_of(begun)}/cancel")
    assert "No card saved You canceled it. Nothing was charged." in text(alice_client.get(page_of(begun)))


def test_declined_by_the_bank(stripe: Running, alice_client: Client, acme: Organization, alice: User) -> None:
    begun = begin(acme, alice)
    stripe.admin.pay(begun.page_id or "", DECLINES)
    page = text(alice_client.post(f"{page_of(begun)}/check", headers=HTMX))
    assert "The card was not saved. Your bank does not let the card be saved" in page


def test_when_stripe_is_away_the_page_waits_for_it(
    stripe: Running, alice_client: Client, acme: Organization, alice: User
) -> None:
    stripe.admin.fault("error", status=503, method="POST", path="/v1/checkout/sessions")
    away = sent(alice_client)
    begun = CardSetup.objects.get()
    assert (away["Location"], begun.state) == (page_of(begun), SetupState.UNKNOWN)
    assert "Confirming" in text(alice_client.get(away["Location"]))
    CardSetup.objects.update(checked_at=None)
    assert "Continue at Stripe" in text(alice_client.post(f"{page_of(begun)}/check", headers=HTMX))


def test_looking_too_often_asks_stripe_once(
    stripe: Running, alice_client: Client, acme: Organization, alice: User
) -> None:
    begun = begin(acme, alice)
    codes = [alice_client.post(f"{page_of(begun)}/check?known=waiting.", headers=HTMX).status_code for _ in range(4)]
    assert codes == [204] * 4
    assert len(stripe.admin.requests("GET", f"/v1/checkout/sessions/{begun.page_id}")) <= 1


@pytest.mark.parametrize("nonce", ["", "x", "0" * 300])
def test_a_form_of_nobodys_does_nothing(alice_client: Client, acme: Organization, nonce: str) -> None:
    answer = alice_client.post(ADD, {"nonce": nonce}, follow=True)
    assert "That page was out of date, and nothing was done." in text(answer)
    assert not CardSetup.objects.exists()


# --- Choosing and removing -----------------------------------------------------------------------------------------------


def test_make_default(alice_client: Client, acme: Organization) -> None:
    card(acme)
    second = card(acme, "1111")
    page = text(alice_client.post(f"{CARDS}/{second.pk}/default", follow=True))
    assert "Visa ending 1111 Default" in page
    assert "Visa ending 4242 Default" not in page


def test_removing_says_first_what_it_does(alice_client: Client, acme: Organization) -> None:
    method = card(acme)
    address = f"{CARDS}/{method.pk}/remove"
    page = text(alice_client.get(address))
    assert "is never charged again" in page
    assert "It is the default card." in page
    assert PaymentMethod.objects.get().detached_at is None
    for _ in range(2):
        assert alice_client.post(address)["Location"] == CARDS
    assert PaymentMethod.objects.get().detached_at
    assert alice_client.get(address).status_code == 404


def test_a_card_that_auto_recharge_charges_is_removed_together_with_it(
    alice_client: Client, acme: Organization, alice: User
) -> None:
    method = card(acme)
    rule = recharging.on(acme, alice, card=method, now=timezone.now())
    address = f"{CARDS}/{method.pk}/remove"
    assert "Auto-recharge charges this card." in text(alice_client.get(address))
    refused = alice_client.post(address, follow=True)
    assert "Stop auto-recharge first" in text(refused)
    assert PaymentMethod.objects.get().detached_at is None
    alice_client.post(address, {"recharge": "stop"})
    rule.refresh_from_db()
    assert (rule.standing, rule.why) == ("off", "customer")
    assert PaymentMethod.objects.get().detached_at


def test_nothing_on_these_pages_breaks_the_content_security_policy(
    stripe: Running, alice_client: Client, acme: Organization, alice: User
) -> None:
    method, begun = saved(stripe, acme, alice), begin(acme, alice)
    for address in (CARDS, page_of(begun), f"{CARDS}/{method.pk}/remove"):
        html = alice_client.get(address).content.decode()
        assert "style=" not in html
        assert "hx-on" not in html
