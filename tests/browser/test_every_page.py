"""Every page, in a browser, at two widths, light and dark: nothing for axe to find, nothing in the console, no overflow."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal
from zlib import crc32

import pytest
from django.test import Client
from playwright.sync_api import Page

from billing.catalog.models import AIModel
from billing.ledger.models import Transfer
from orgs.models import Organization, User
from tests.browser.conftest import signed_in, violations
from tests.factories import books, catalog, usage
from tests.factories import orgs as people
from tests.figures import FULL, some

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

told_without_events = pytest.mark.books_differ("hour_of_events", "minute_of_events")
"""The month of use below is told by the minute."""
Theme = Literal["light", "dark"]
DRAWN = "Promise.all([document.fonts.ready, ...document.getAnimations().map(one => one.finished)]).then(() => null)"
"""Until the letters are there and the colours have gone over from one scheme to the other."""
SIZES = {"wide": (1440, 900), "phone": (390, 844)}
SCREENSHOTS = os.environ.get("PURSER_SCREENSHOTS")
SCHEMES: dict[str, Theme] = {"wide": "light", "phone": "dark"}
"""In which scheme `make test` shows axe a page of this size. PURSER_FULL=1 shows it both."""
FRAMES = {"overview", "account", "sign-in", "cancellation-policy"}
"""A page for each frame (with an organization, without one, before signing in, for everybody): in every way looked at whole.
Of any other page the first look is at the whole, the next ones at what is not its frame."""
# Plans, Alerts and what belongs to cards, money that goes back and statements: in the files beside this one.
PRIVATE = {
    "overview": "/o/acme/",
    "usage": "/o/acme/usage",
    "what-if": "/o/acme/plans/what-if?model=gpt-oss-120b&tokens=40&price=0.30&overage=0.36",
    "billing": "/o/acme/billing",
    "timeline": "/o/acme/timeline?all=1",
    "buy": "/o/acme/billing/buy",
    "keys": "/o/acme/keys",
    "new-key": "/o/acme/keys/new",
    "limits": "/o/acme/limits",
    "members": "/o/acme/members",
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
    "admin-plans": "/admin/billing/subscription/",
}
PUBLIC = {
    "sign-in": "/accounts/login/",
    "sign-up": "/accounts/signup/",
    "reset": "/accounts/password/reset/",
    "cancellation-policy": "/policies/cancellation",
}


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


def schemes(name: str, sizes: Iterable[str]) -> dict[str, list[Theme]]:
    """In which schemes axe sees this page at each of these sizes. In `make test` a page that is no frame's is seen at one
    size, about half of the pages at each."""
    if FULL or SCREENSHOTS:
        return {size: ["light", "dark"] for size in sizes}
    every = list(sizes)
    seen = every if name in FRAMES else some(every, crc32(name.encode()), reduced=1)
    return {size: [SCHEMES[size]] if size in seen else [] for size in every}


def look(page: Page, address: str, name: str, sizes: Iterable[str] = SIZES) -> list[str]:
    """What is wrong with the page as it stands there: loaded once, looked at in each size, light and dark."""
    answer = page.goto(address)
    assert answer is not None
    wrong = [f"answers {answer.status}"] if answer.status != 200 else []
    part = "html"
    for size, themes in schemes(name, sizes).items():
        width, height = SIZES[size]
        page.set_viewport_size({"width": width, "height": height})
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wrong.append(f"{size}: is wider than the window")
        for theme in themes:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            page.evaluate(DRAWN)
            if SCREENSHOTS:
                page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{size}-{theme}.png", full_page=True)
            wrong += [f"{size} {theme}: {fault}" for fault in violations(page, part)]
            if name not in FRAMES and page.locator("main").count() == 1:
                part = "main"
    return [f"{name}: {fault}" for fault in wrong]


@told_without_events
def test_alices_pages(
    visitor: Page, portal: str, a_month_of_use: None, alice_client: Client, alice_personal: Organization
) -> None:
    signed_in(visitor, portal, alice_client)
    wrong = []
    for name, path in PRIVATE.items():
        wrong += look(visitor, portal + path.format(personal=alice_personal.slug), name)
    assert wrong == []


@told_without_events
def test_staff_pages(
    visitor: Page, portal: str, a_month_of_use: None, acme: Organization, staff_client: Client
) -> None:
    signed_in(visitor, portal, staff_client)
    rows = {
        "transfer": Transfer.objects.latest("pk").pk,
        "organization": acme.pk,
        "model": AIModel.objects.latest("pk").pk,
    }
    wrong = []
    for name, path in STAFF.items():
        wrong += look(visitor, portal + path.format(**rows), name, ["wide"])
    assert wrong == []


def test_pages_before_signing_in(visitor: Page, portal: str) -> None:
    wrong = []
    for name, path in PUBLIC.items():
        wrong += look(visitor, portal + path, name)
    assert wrong == []
