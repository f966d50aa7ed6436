"""Every page, in a browser, at two widths, light and dark: nothing for axe to find, nothing in the console, no overflow."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page

from billing.catalog.models import AIModel
from billing.ledger.models import Transfer
from orgs.models import Organization, User
from tests.browser.conftest import violations
from tests.factories import books, catalog, usage
from tests.factories import orgs as people

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

told_without_events = pytest.mark.books_differ("hour_of_events", "minute_of_events")
"""The month of use below is told by the minute."""
SIZES = {"wide": (1440, 900), "phone": (390, 844)}
PRIVATE = {
    "overview": "/o/acme/",
    "usage": "/o/acme/usage",
    "billing": "/o/acme/billing",
    "buy": "/o/acme/billing/buy",
    "keys": "/o/acme/keys",
    "new-key": "/o/acme/keys/new",
    "limits": "/o/acme/limits",
    "members": "/o/acme/members",
    "alerts": "/o/acme/alerts",
    "settings": "/o/acme/settings",
    "more": "/o/acme/more",
    "first-steps": "/o/{personal}/",
    "new-team": "/teams/new",
    "account": "/account",
    "api": "/api/docs",
}
STAFF = {
    "admin": "/admin/",
    "admin-transfers": "/admin/billing/transfer/",
    "admin-transfer": "/admin/billing/transfer/{transfer}/change/",
    "admin-organizations": "/admin/orgs/organization/",
    "admin-organization": "/admin/orgs/organization/{organization}/change/",
    "admin-model": "/admin/billing/aimodel/{model}/change/",
    "admin-refused": "/admin/billing/refusedusage/",
}
PUBLIC = {"sign-in": "/accounts/login/", "sign-up": "/accounts/signup/", "reset": "/accounts/password/reset/"}


@pytest.fixture
def a_month_of_use(acme: Organization, alice: User) -> None:
    """Two keys and two models over thirty days, bought and promotional credit, and today so far."""
    now = datetime.now(UTC)
    models = catalog.first_catalog()
    usage.bought(acme, "100.00", now=now - timedelta(days=20))
    usage.given(acme, "20", now=now)
    keys = [people.key(acme, name).key for name in ("prod-api", "eval-batch")]
    for day in range(30):
        for n, key in enumerate(keys):
            at = now - timedelta(days=day, hours=1 + n)
            books.accepted(key, models["gpt-oss-120b"], at, tokens_in=(1 + day % 5 + n) * 1_000_000)
            books.accepted(key, models["zai-glm-4.7"], at, tokens_in=100_000 + 20_000 * (day % 3), tokens_out=20_000)
    books.charged(now=now)


def look(page: Page, address: str, name: str, size: str, theme: str) -> list[str]:
    """What is wrong with the page as it stands there."""
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    answer = page.goto(address)
    assert answer is not None
    page.wait_for_load_state("networkidle")
    if folder := os.environ.get("PURSER_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}-{size}-{theme}.png", full_page=True)
    wrong = [f"answers {answer.status}"] if answer.status != 200 else []
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        wrong.append("is wider than the window")
    return [f"{name} {size} {theme}: {fault}" for fault in [*wrong, *violations(page)]]


@told_without_events
@pytest.mark.parametrize("size", SIZES)
def test_alices_pages(
    visitor: Page, portal: str, a_month_of_use: None, alice_client: Client, alice_personal: Organization, size: str
) -> None:
    session = alice_client.cookies[settings.SESSION_COOKIE_NAME].value
    visitor.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": portal}])
    wrong = []
    for name, path in PRIVATE.items():
        for theme in ("light", "dark"):
            wrong += look(visitor, portal + path.format(personal=alice_personal.slug), name, size, theme)
    assert wrong == []


@told_without_events
def test_staff_pages(visitor: Page, portal: str, a_month_of_use: None, acme: Organization) -> None:
    staff = people.person("sam@purser.example", "Sam Staff")
    staff.is_staff = staff.is_superuser = True
    staff.save()
    session = people.signed_in(staff).cookies[settings.SESSION_COOKIE_NAME].value
    visitor.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": portal}])
    rows = {
        "transfer": Transfer.objects.latest("pk").pk,
        "organization": acme.pk,
        "model": AIModel.objects.latest("pk").pk,
    }
    wrong = []
    for name, path in STAFF.items():
        for theme in ("light", "dark"):
            wrong += look(visitor, portal + path.format(**rows), name, "wide", theme)
    assert wrong == []


@pytest.mark.parametrize("size", SIZES)
def test_pages_before_signing_in(visitor: Page, portal: str, size: str) -> None:
    wrong = []
    for name, path in PUBLIC.items():
        for theme in ("light", "dark"):
            wrong += look(visitor, portal + path, name, size, theme)
    assert wrong == []
