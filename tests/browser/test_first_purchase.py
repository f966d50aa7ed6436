"""Alice comes along, signs up, buys credit with the cards Stripe publishes, and sees what became of it."""

from datetime import UTC, datetime

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from billing import periods
from billing.ledger.models import Account, CreditGrant
from orgs.models import Organization
from tests.browser.conftest import link_in_last_mail, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "a-long-way-to-the-harbour"
PAYS = "4242 4242 4242 4242"
DECLINES = "4000 0000 0000 0002"
ASKS = "4000 0027 6000 3184"


@pytest.fixture
def alices_page(visitor: Page, portal: str) -> Page:
    """Alice has just signed up: e-mail and password, the link in the mail, and she is in."""
    visitor.goto(portal)
    visitor.get_by_role("link", name="Create an account").click()
    visitor.get_by_label("E-mail").fill("alice@example.com")
    visitor.get_by_label("Password", exact=False).first.fill(PASSWORD)
    visitor.get_by_role("button", name="Create account").click()
    expect(visitor.get_by_role("heading", level=1)).to_contain_text("mail")
    visitor.goto(link_in_last_mail())
    visitor.get_by_role("button", name="Confirm this address").click()
    expect(visitor.get_by_role("heading", name="Overview")).to_be_visible()
    return visitor


def go_and_buy(page: Page, card: str) -> None:
    """From Billing to Stripe's page, 100 USD, and this card."""
    page.get_by_role("link", name="Billing", exact=True).first.click()
    page.get_by_role("link", name="Buy credits").first.click()
    page.get_by_label("$100", exact=True).check()
    page.get_by_role("button", name="Continue to pay $100.00").click()
    page.get_by_label("Card number").fill(card)
    page.get_by_label("Expiry").fill("12 / 34")
    page.get_by_label("CVC").fill("123")
    page.get_by_role("button", name="Pay $100.00").click()


def test_a_card_that_pays_makes_a_grant_that_expires_in_one_year(alices_page: Page) -> None:
    go_and_buy(alices_page, PAYS)

    expect(alices_page.get_by_role("heading", name="Paid")).to_be_visible()
    end = periods.one_year_after(datetime.now(UTC))
    expect(alices_page.get_by_text(f"It expires on {end.day} {end:%B %Y}")).to_be_visible()

    alices_page.get_by_role("link", name="Go to Billing").click()
    grants = alices_page.get_by_role("table").filter(has_text="Purchase").first
    expect(grants).to_contain_text("$100.00")
    expect(grants).to_contain_text(str(end.year))
    assert Account.objects.get(grant__isnull=False).balance == 100


def test_what_a_bank_says_is_told_and_charges_once(
    visitor: Page, portal: str, alice_client: Client, alice_personal: Organization
) -> None:
    """Declined, given up; asked and not answered; asked and answered."""
    signed_in(visitor, portal, alice_client)
    visitor.goto(f"{portal}/o/{alice_personal.slug}/")
    go_and_buy(visitor, DECLINES)
    expect(visitor.get_by_role("alert")).to_contain_text("declined")
    expect(visitor.get_by_role("alert")).to_contain_text("Nothing was charged")
    visitor.get_by_role("link", name="Back").click()
    expect(visitor.get_by_role("heading", name="Not paid yet")).to_be_visible()
    expect(visitor.get_by_text("Nothing was charged").first).to_be_visible()
    assert not CreditGrant.objects.exists()
    visitor.get_by_role("button", name="Cancel this purchase").click()
    expect(visitor.get_by_role("heading", name="Not paid", exact=True)).to_be_visible()
    assert not CreditGrant.objects.exists()

    go_and_buy(visitor, ASKS)
    visitor.get_by_role("button", name="Fail authentication").click()
    expect(visitor.get_by_role("alert")).to_contain_text("Nothing was charged")
    assert not CreditGrant.objects.exists()

    visitor.goto(f"{portal}/o/{alice_personal.slug}/")
    go_and_buy(visitor, ASKS)
    visitor.get_by_role("button", name="Complete authentication").click()
    expect(visitor.get_by_role("heading", name="Paid")).to_be_visible()
    assert CreditGrant.objects.count() == 1
