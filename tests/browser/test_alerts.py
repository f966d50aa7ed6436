"""Alerts in a browser: what was told, what goes by mail, and a mail as its reader sees it, light and dark."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from playwright.sync_api import Page, expect

from billing.notices import announcing, rendering, sending
from billing.notices.models import Notice, NoticeSettings
from orgs.models import Organization
from tests.billing.notices.examples import FACTS
from tests.browser.conftest import signed_in, violations
from tests.browser.test_every_page import look

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MAILS = ("receipt", "recharge made", "low balance", "expiring, several grants")
HERE = ("receipt", "low balance", "expiring", "recharge off", "statement", "settlement failed", "card removed")
"""Examples that need no signed links."""
OF_PAGES_ONLY = re.compile(r"\b(region|landmark|answers 0)")


@pytest.fixture
def told(acme: Organization) -> list[Notice]:
    """A few weeks of what happens to an organization; the last one is on its way."""
    now = datetime.now(UTC)
    NoticeSettings.objects.create(
        wallet_id=acme.pk, muted=["card_changed"], low_balance=["50.00", "20.00"], changed_at=now
    )
    for days, example in enumerate(HERE, start=1):
        kind, facts = FACTS[example]
        announcing.announce(acme.pk, kind, key=example, facts=facts, now=now - timedelta(days=days))
    sending.send(now=now)
    kind, facts = FACTS["low balance"]
    announcing.announce(acme.pk, kind, key="again", facts=facts, now=now)
    return list(Notice.objects.order_by("id"))


def test_alice_chooses_what_she_gets(visitor: Page, portal: str, alice_client: Client, told: list[Notice]) -> None:
    signed_in(visitor, portal, alice_client)
    assert look(visitor, f"{portal}/o/acme/alerts", "alerts") == []
    visitor.set_viewport_size({"width": 1440, "height": 900})
    visitor.goto(f"{portal}/o/acme/")
    visitor.get_by_role("navigation", name="Pages").get_by_role("link", name="Alerts").click()
    expect(visitor.get_by_text("Not by e-mail, as you chose")).to_have_count(1)
    visitor.get_by_label("Billing e-mail").fill("bills@acme.example")
    visitor.get_by_label("Tell us when credit falls below").fill("1,500")
    visitor.get_by_role("button", name="Save").click()
    expect(visitor.get_by_text("Write the amount in dollars and whole cents")).to_be_visible()
    assert violations(visitor) == []
    visitor.get_by_label("Tell us when credit falls below").fill("1500\n20")
    visitor.get_by_label("Card added or removed").check()
    visitor.get_by_role("button", name="Save").click()
    expect(visitor.get_by_text("Saved. From now on mail goes out like this.")).to_be_visible()
    expect(visitor.get_by_text("bills@acme.example waits to be confirmed.")).to_be_visible()
    assert violations(visitor) == []
    sending.send(now=datetime.now(UTC))
    assert mail.outbox[-1].to == ["bills@acme.example"]
    link = re.search(r"/billing-email/\S+", str(mail.outbox[-1].body))
    assert link
    visitor.goto(portal + link[0])
    assert violations(visitor) == []
    visitor.get_by_role("button", name="Confirm this address").press("Enter")
    expect(visitor.get_by_role("heading", name="Confirmed")).to_be_visible()


def test_mails_in_both_colour_schemes(page: Page, acme: Organization, tmp_path: Path, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.billing.notices.urls"
    wrong = []
    for number, example in enumerate(MAILS):
        kind, facts = FACTS[example]
        announcing.announce(acme.pk, kind, key=str(number), facts=facts, now=datetime(2026, 3, 30, 16, 0, tzinfo=UTC))
        file = tmp_path / "mail.html"
        mailed = rendering.mail(Notice.objects.latest("id"), why="You get this because you own Acme Research.")
        file.write_text(mailed.html)
        wrong += [fault for fault in look(page, file.as_uri(), f"mail-{example}") if not OF_PAGES_ONLY.search(fault)]
    assert wrong == []
