"""Alice subscribes on Stripe's page, upgrades with the saved card, changes her mind twice and cancels; every page of it, and
those of a contract, at two widths, light and dark."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from billing import periods
from billing.catalog.models import AIModel, Plan
from billing.subscriptions.models import Change, State, Subscription
from orgs.models import Organization, User
from tests.browser.conftest import signed_in
from tests.browser.test_every_page import look
from tests.factories import cards, catalog, contracts, plans, usage

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.browser_context_args(timezone_id="Europe/Berlin"),
]

DAY = timedelta(days=1)


def test_a_plan_from_the_first_payment_to_its_end(
    visitor: Page, portal: str, alice_client: Client, acme: Organization
) -> None:
    catalog.first_catalog()
    usage.bought(acme, "60", now=datetime.now(UTC))
    signed_in(visitor, portal, alice_client)
    visitor.goto(f"{portal}/o/acme/billing")
    visitor.get_by_role("link", name="Compare plans").click()
    visitor.get_by_role("button", name="Choose Code Pro").click()
    well = visitor.get_by_role("complementary", name="What will happen")
    expect(well).to_contain_text("You pay now$50.00")
    # Where Alice is it is another hour.
    expect(well).to_contain_text(re.compile(r"UTC \((\d+ \w+, )?\d\d:\d\d in Berlin\)"))
    visitor.get_by_role("button", name="Continue to pay $50.00").click()
    visitor.get_by_label("Card number").fill("4242 4242 4242 4242")
    visitor.get_by_label("Expiry").fill("12 / 34")
    visitor.get_by_label("CVC").fill("123")
    visitor.locator("button[type=submit]").first.click()
    expect(visitor.get_by_text("Code Pro has begun.")).to_be_visible()

    visitor.get_by_role("link", name="Go to Plans").click()
    visitor.get_by_role("button", name="Upgrade to Code Max").click()
    expect(visitor.get_by_role("radio", name="Visa ending 4242")).to_be_checked()
    visitor.get_by_role("button", name=re.compile(r"Pay \$1\d\d\.\d\d and upgrade")).click()
    expect(visitor.get_by_text("Code Max holds from now on.")).to_be_visible()

    visitor.get_by_role("link", name="Go to Plans").click()
    visitor.get_by_role("link", name="Change to Code Pro").click()
    visitor.get_by_role("button", name="Change to Code Pro on").click()
    expect(visitor.get_by_text("Choosing another plan replaces this.")).to_be_visible()
    visitor.get_by_role("button", name="Undo change").click()
    expect(visitor.get_by_text("Code Max goes on. Nothing is scheduled any more.")).to_be_visible()

    visitor.goto(f"{portal}/o/acme/billing")
    visitor.get_by_role("link", name="Cancel plan").click()
    visitor.get_by_role("button", name="Cancel plan on").click()
    expect(visitor.get_by_text("Nothing more is charged for it.")).to_be_visible()
    running = Subscription.objects.get()
    assert (running.state, running.plan.slug) == (State.ACTIVE, "code-max")
    assert Change.objects.get(withdrawn_at=None).plan is None


# --- How they look ---------------------------------------------------------------------------------------------------------


def test_every_page_of_plans(visitor: Page, portal: str, alice_client: Client, acme: Organization, alice: User) -> None:
    now = datetime.now(UTC)
    catalog.first_catalog()
    pro, larger = (Plan.objects.get(slug=slug) for slug in ("code-pro", "code-max"))
    signed_in(visitor, portal, alice_client)
    page = f"{portal}/o/acme/plans"
    usage.bought(acme, "60", now=now)
    for days, millions in ((1, 30), (2, 9), (4, 45)):
        contracts.used(acme, millions * 1_000_000, at=now - days * DAY, slug=larger.covers.get().slug)
    wrong = look(visitor, page, "plans-none")
    cards.saved(acme, expires=(2034, 11))
    cards.saved(acme, "5555", expires=(2033, 2))
    quote = alice_client.post("/o/acme/plans/quote", {"plan": "code-pro"})["Location"]
    wrong += look(visitor, portal + quote, "plans-subscribe")

    running = plans.begun(acme, pro, alice, now=now - 12 * DAY)
    contracts.used(
        acme, 9_140_000, at=max(now - timedelta(minutes=30), periods.floor_day(now)), slug=larger.covers.get().slug
    )
    wrong += look(visitor, page, "plans-pro")
    quote = alice_client.post("/o/acme/plans/quote", {"plan": "code-max"})["Location"]
    wrong += look(visitor, portal + quote, "plans-upgrade")
    charge = plans.upgraded(running, larger, alice, now=now)
    wrong += look(visitor, f"{page}/payments/{charge.intent_id}", "plans-paid")
    wrong += look(visitor, f"{page}/{running.public_id}/change", "plans-change")
    plans.scheduled(running, pro, alice, now=now)
    wrong += look(visitor, page, "plans-scheduled")
    wrong += look(visitor, f"{page}/{running.public_id}/cancel", "plans-cancel")
    wrong += look(visitor, f"{portal}/o/acme/billing", "plans-billing")
    wrong += look(visitor, f"{portal}/o/acme/", "plans-overview")
    assert wrong == []


def test_a_plan_in_trouble_and_a_contract(
    visitor: Page, portal: str, alice_client: Client, acme: Organization, alice: User
) -> None:
    now = datetime.now(UTC)
    catalog.first_catalog()
    pro = Plan.objects.get(slug="code-pro")
    signed_in(visitor, portal, alice_client)
    running = plans.begun(acme, pro, alice, now=now - 32 * DAY)
    model, month = AIModel.objects.get(slug="gpt-oss-120b"), periods.month_of(now)
    contract = contracts.offered(acme, alice, model, now=now, starts_on=periods.next_month(month))
    page = f"{portal}/o/acme/billing/contracts/{contract.public_id}"
    wrong = look(visitor, page, "contract-offered")
    visitor.set_viewport_size({"width": 1440, "height": 900})
    visitor.get_by_label("Your full name").fill("Alice Archer")
    visitor.get_by_role("button", name="Accept for 12 months").click()
    expect(visitor.get_by_text("Accepted as")).to_be_visible()
    wrong += look(visitor, page, "contract-accepted")
    used = catalog.model("qwen-4")
    runs = contracts.running(acme, alice, used, now=periods.month_start(month), starts_on=month)
    contracts.used(acme, 12_000_000, at=now - timedelta(minutes=1), slug=used.slug)
    wrong += look(visitor, f"{portal}/o/acme/billing/contracts/{runs.public_id}", "contract-running")
    plans.refused(running, now=now)
    wrong += look(visitor, f"{portal}/o/acme/plans", "plans-past-due")
    wrong += look(visitor, f"{portal}/o/acme/plans/{running.public_id}/cancel", "plans-cancel-past-due")
    wrong += look(visitor, f"{portal}/o/acme/billing", "plans-billing-past-due")
    assert wrong == []
