"""A real browser in front of the running portal, with the Stripe sandbox behind it and a clock that ticks."""

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.core import mail
from django.db import connection
from django.test import Client
from playwright.sync_api import Page, expect

from billing import flows, tasks
from sandbox.stripe import Running, running
from tests.factories import orgs as people
from tests.factories import usage

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SECRET = "whsec_of_the_browser_tests"
expect.set_options(timeout=15_000)


@pytest.fixture(autouse=True)
def the_books_are_right(books_are_right: None) -> None:
    """Whatever these tests do to money, every promise holds afterwards."""


@pytest.fixture
def portal(live_server: Any, settings: Any, transactional_db: None) -> Iterator[str]:
    """The portal's address. Stripe is the sandbox, which sends its webhooks to the portal as Stripe would."""
    with running(webhook_url=f"{live_server.url}/webhooks/stripe", webhook_secret=SECRET) as stripe:
        _know(stripe, settings, live_server.url)
        usage.days(datetime.now(UTC))
        with _Ticking():
            yield live_server.url


def _know(stripe: Running, settings: Any, address: str) -> None:
    settings.PUBLIC_URL = address
    settings.STRIPE_SECRET_KEY = "sk_test_of_the_browser_tests"
    settings.STRIPE_API_BASE = settings.STRIPE_CHECKOUT_ORIGIN = stripe.base_url
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": directives | {"form-action": ["'self'", stripe.base_url]}}


class _Ticking:
    """What worker and clock do, in a thread of this process: sweep, inbox, poll, without end until the test does."""

    def __enter__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)
        self._thread.start()

    def _tick(self) -> None:
        while not self._over.wait(0.5):
            flows.sweep(now=datetime.now(UTC))
            tasks.process_inbox()
        connection.close()

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()


@pytest.fixture
def visitor(page: Page) -> Iterator[Page]:
    """A page whose console must stay empty."""
    said: list[str] = []
    page.on(
        "console", lambda message: said.append(f"{message.type}: {message.text}") if message.type != "log" else None
    )
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    yield page
    assert said == [], "the console said something"


@pytest.fixture
def staff_client(db: None) -> Client:
    staff = people.person("sam@purser.example", "Sam Staff")
    staff.is_staff = staff.is_superuser = True
    staff.save()
    return people.signed_in(staff)


def link_in_last_mail() -> str:
    found = re.search(r"https?://\S+", str(mail.outbox[-1].body))
    assert found, "the mail has no link"
    return found.group()


def signed_in(visitor: Page, portal: str, client: Client) -> None:
    """This browser goes on in the client's session."""
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    visitor.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": portal}])


def sign_in(page: Page, address: str, email: str, password: str) -> None:
    page.goto(f"{address}/accounts/login/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


AXE = Axe().axe_script


def violations(page: Page, within: str = "html") -> list[str]:
    """What axe finds wrong with the page, or with a part of it, in short.

    Without preload: it would put style sheets into the page itself. What is right is not written out: that takes longer
    than finding what is wrong.
    """
    only = {"type": "tag", "values": TAGS}
    options = {"runOnly": only, "preload": False, "resultTypes": ["violations"], "selectors": False}
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found = page.evaluate("([part, options]) => axe.run(part, options)", [within, options])
    return [f"{v['id']}: {[n['html'][:120] for n in v['nodes'][:3]]}" for v in found["violations"]]
