"""Alice keeps the second card she tries at Stripe, switches auto-recharge on, and stops it; every page of it at two widths,
light and dark."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from billing.payments.models import PaymentMethod
from billing.recharge import links
from billing.recharge.models import Attempt, Consent, Rule, Standing
from orgs.models import Organization, User
from tests.browser.conftest import signed_in
from tests.browser.test_every_page import look
from tests.factories import adding_cards, cards, recharging, usage

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAYS, DECLINES = "4242 4242 4242 4242", "4000 0000 0000 0002"


def add_card(page: Page, number: str) -> None:
    page.get_by_role("button", name="Add card").click()
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Expiry").fill("12 / 34")
    page.get_by_label("CVC").fill("123")
    page.locator("button[type=submit]").first.click()


def test_a_card_auto_recharge_and_stop(visitor: Page, portal: str, alice_client: Client, acme: Organization) -> None:
    usage.bought(acme, "60", now=datetime.now(UTC))
    signed_in(visitor, portal, alice_client)
    visitor.goto(f"{portal}/o/acme/billing")
    visitor.get_by_role("link", name="Manage cards").click()
    add_card(visitor, DECLINES)
    expect(visitor.get_by_role("alert")).to_contain_text("declined")
    visitor.get_by_role("link", name="Back").click()
    expect(visitor.get_by_role("heading", name="No card yet")).to_be_visible()
    visitor.get_by_role("button", name="Do not add a card").click()
    expect(visitor.get_by_role("heading", name="No card saved")).to_be_visible()
    assert not PaymentMethod.objects.exists()

    visitor.goto(f"{portal}/o/acme/billing/cards")
    add_card(visitor, PAYS)
    expect(visitor.get_by_role("heading", name="Card saved")).to_be_visible()
    visitor.get_by_role("link", name="Go to Cards").click()
    expect(visitor.get_by_role("table")).to_contain_text("Visa ending 4242")

    visitor.get_by_role("link", name="Billing", exact=True).first.click()
    visitor.get_by_role("link", name="Set up auto-recharge").click()
    well = visitor.get_by_role("complementary", name="What will happen")
    expect(well).to_contain_text("about $40.01 each time")
    visitor.get_by_label("Bring it back up to").fill("80")
    expect(well).to_contain_text("about $70.01 each time")
    visitor.get_by_label("At most per calendar month").fill("200")
    expect(well).to_contain_text("At most $200.00 in")
    visitor.get_by_role("button", name="Switch on").click()
    expect(visitor.get_by_text("Tick the box to allow it.")).to_be_visible()
    assert not Rule.objects.exists()
    visitor.get_by_role("checkbox").check()
    visitor.get_by_role("button", name="Switch on").click()
    expect(visitor.get_by_text("On since")).to_be_visible()
    assert "$80.00" in Consent.objects.get().wording

    visitor.goto(f"{portal}/o/acme/billing")
    expect(visitor.get_by_text("$0.00 of $200.00 charged in")).to_be_visible()
    visitor.get_by_role("link", name="Change auto-recharge").click()
    visitor.get_by_role("button", name="Stop now").click()
    expect(visitor.get_by_text("Off since")).to_be_visible()
    assert Rule.objects.get().standing == Standing.OFF

    visitor.goto(f"{portal}/o/acme/billing/cards")
    visitor.get_by_role("link", name="Remove Visa").click()
    visitor.get_by_role("button", name="Remove Visa").click()
    expect(visitor.get_by_text("No card is saved.")).to_be_visible()
    assert PaymentMethod.objects.get().detached_at


# --- How they look ---------------------------------------------------------------------------------------------------------


def everything_that_happened(acme: Organization, alice: User) -> None:
    """Two cards, a recharge that was paid, one that a bank did not allow: paused."""
    now = datetime.now(UTC)
    card = cards.saved(acme, expires=(2027, 11))
    adding_cards.card(acme, "4444", brand="mastercard", exp_year=2025)
    recharging.on(acme, alice, card=card, cap=200_00, now=now - timedelta(days=9))
    recharging.paid(recharging.begun(acme, now=now - timedelta(days=8)), now=now - timedelta(days=8))
    usage.spent(acme, "109.9923", now=now)
    recharging.refused(recharging.begun(acme, now=now), "authentication_required", now=now)


def test_every_page_of_it(visitor: Page, portal: str, acme: Organization, alice: User, alice_client: Client) -> None:
    signed_in(visitor, portal, alice_client)
    wrong = look(visitor, f"{portal}/o/acme/billing/cards", "cards-none")
    wrong += look(visitor, f"{portal}/o/acme/billing/recharge", "recharge-none")
    everything_that_happened(acme, alice)
    attempt = Attempt.objects.latest("at")
    one = PaymentMethod.objects.get(last4="4242")
    pages = {
        "cards": "/o/acme/billing/cards",
        "card-remove": f"/o/acme/billing/cards/{one.pk}/remove",
        "recharge-paused": "/o/acme/billing/recharge",
        "billing-paused": "/o/acme/billing",
        "overview-paused": "/o/acme/",
        "recharge-finish": reverse("billing:recharge_finish", kwargs={"token": links.finish_token(attempt.pk)}),
    }
    for name, path in pages.items():
        wrong += look(visitor, portal + path, name)
    rule = recharging.on(acme, alice, card=one, cap=500_00, now=datetime.now(UTC))
    stop = reverse("billing:recharge_stop", kwargs={"token": links.stop_token(acme.pk, rule.consent_id)})
    on = {"recharge-on": "/o/acme/billing/recharge", "billing-recharge": "/o/acme/billing", "recharge-stop": stop}
    for name, path in on.items():
        wrong += look(visitor, portal + path, name)
    assert wrong == []
