"""The pages of statements, receipts and billing details, in a browser: light and dark, wide and on a phone."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from billing import flows, periods
from billing.statements.models import Statement
from orgs.models import Organization
from tests.browser.conftest import sign_in
from tests.browser.test_every_page import look
from tests.factories import business, catalog
from tests.factories import orgs as people

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def told(acme: Organization) -> tuple[Statement, str]:
    """The month before, and one of its payments."""
    now = datetime.now(UTC)
    first = periods.month_start(periods.month_of(now))
    start = periods.month_start(periods.month_of(first - timedelta(days=1)))
    catalog.model("gpt-oss-120b")
    catalog.model("odd-one", input_usd="0.123456")
    prod, batch = (people.key(acme, name, now=start).key for name in ("prod-api", "eval-batch"))
    intent = business.bought(acme, "100.00", now=start + timedelta(days=1))
    late = first - timedelta(days=3)
    business.given(acme, "5.00", now=late - timedelta(hours=5), until=late + timedelta(hours=20))
    business.used(prod, late, tokens_in=3_000_000, tokens_out=200_000)
    business.used(batch, late, model="odd-one", tokens_in=10_000_001)
    flows.expire(now=late + timedelta(days=2))
    # The clock of these tests ticks, so the month is closed after all that it posted.
    business.closed(acme, periods.month_of(late), now=datetime.now(UTC))
    flows.issue_statements(now=datetime.now(UTC))
    return Statement.objects.get(wallet=acme.pk), str(intent.pk)


def test_alice_says_who_they_are_and_takes_a_statement_home(
    visitor: Page, portal: str, told: tuple[Statement, str]
) -> None:
    sign_in(visitor, portal, "alice@example.com", people.PASSWORD)
    visitor.goto(f"{portal}/o/acme/billing/details")
    visitor.get_by_label("Name on statements").fill("Acme Research GmbH")
    visitor.get_by_label("Address").fill("Lindenstraße 14\n10969 Berlin")
    visitor.get_by_label("Country").select_option("DE")
    visitor.get_by_label("Tax id").fill("DE 136 695 977")
    visitor.get_by_role("button", name="Save details").click()
    expect(visitor.get_by_text("This is not a tax id of Germany").first).to_be_visible()
    visitor.get_by_label("Tax id").fill("DE 136 695 976")
    visitor.get_by_role("button", name="Save details").click()
    expect(visitor.get_by_text("From now on statements and receipts say this")).to_be_visible()
    visitor.get_by_role("link", name="Statements", exact=True).first.click()
    visitor.get_by_role("link", name=f"{told[0].period:%B %Y}", exact=True).click()
    expect(visitor.get_by_role("heading", name="Verify it yourself")).to_be_visible()
    with visitor.expect_download() as download:
        visitor.get_by_role("link", name="PDF").click()
    assert download.value.suggested_filename == f"statement-{told[0].name}.pdf"

    statement, intent_id = told
    pages = {
        "statements": "/o/acme/statements",
        "statement": f"/o/acme/statements/{statement.name}",
        "receipt": f"/o/acme/receipts/{intent_id}",
        "details": "/o/acme/billing/details",
    }
    wrong = []
    for name, path in pages.items():
        wrong += look(visitor, portal + path, name)
    assert wrong == []
