"""Customers of a soak: they sign in, buy credit and pay at Stripe's page. Unanswered, they press the button again."""

import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from tests.soak.browser import Away, Browser, Page
from tests.soak.diary import Diary, Purchase

T = TypeVar("T")
CARD = {"expiry": "12 / 34", "cvc": "123", "name": "A Customer"}
PAYS, DECLINES, NO_FUNDS, ASKS = "4242424242424242", "4000000000000002", "4000000000009995", "4000002760003184"
PATIENCE = 90.0
"""Seconds after which a customer goes away, wherever the purchase stands."""
PURCHASE = re.compile(r"/o/[^/]+/billing/purchases/([0-9a-f-]{36})")


class GivenUp(Exception):
    """It took too long."""


@dataclass(frozen=True)
class Account:
    """Who a customer is, and for which organization they buy."""

    email: str
    password: str
    org_id: int
    slug: str


class Customer:
    """One person in front of one browser. `over` asks them to finish and go."""

    def __init__(
        self, account: Account, address: str, stripe: str, diary: Diary, chance: random.Random, over: threading.Event
    ) -> None:
        self.account, self.address, self.diary, self.chance, self.over = account, address, diary, chance, over
        self.stripe = urlsplit(stripe).netloc
        self.browser = Browser()
        self._until = 0.0

    def live(self, pause: float) -> None:
        """Buys again and again, with pauses of about so many seconds."""
        while not self.over.wait(self.chance.uniform(0.2, 2) * pause):
            self._until = time.monotonic() + PATIENCE
            try:
                self._buy()
            except GivenUp:
                self.diary.count("customers who gave up")

    # --- A purchase ---------------------------------------------------------------------------------------------------

    def _buy(self) -> None:
        page = self._form()
        form = page.form(having="nonce")
        if form is None:
            self.diary.fail(self.account.email, f"no form to buy with at {page.url}: {page.heading}")
            return
        cents = self.chance.choice((500, 1000, 2500, 10000)) + self.chance.randrange(100)
        form.fields.pop("preset", None)
        form.fields["other"] = f"{cents // 100}.{cents % 100:02}"
        purchase = Purchase(self.account.org_id, UUID(form.fields["nonce"]), cents)
        self.diary.purchases.append(purchase)
        for _ in range(10):
            page = self._open(page.url, dict(form.fields))
            # Overdraft and debt move while the customer reads: then the same form comes again, with the new figures.
            again = page.form(having="nonce")
            if again is None:
                break
            form.fields = again.fields
        self._go_on(purchase, page)

    def _form(self) -> Page:
        url = f"{self.address}/o/{self.account.slug}/billing/buy"
        page = self._open(url)
        while (login := page.form(having="password")) is not None:
            fields = login.fields | {"login": self.account.email, "password": self.account.password}
            self._open(login.action, fields)
            page = self._open(url)
        return page

    def _go_on(self, purchase: Purchase, page: Page) -> None:
        """From wherever the form led: pay, look again, cancel, until it is paid or over, or the customer has enough."""
        while True:
            if urlsplit(page.url).netloc == self.stripe:
                page = self._at_stripe(purchase, page)
                continue
            found = PURCHASE.search(page.url)
            if found is None:
                return self.diary.fail(self.account.email, f"buying led to {page.url} (HTTP {page.status})")
            purchase.intent_id = UUID(found[1])
            if page.heading == "Paid":
                purchase.told_paid = True
                return self.diary.count("customers told that they paid")
            if page.heading == "Not paid":
                return self.diary.count("customers told that they did not pay")
            if page.heading == "Received, not yet credited":
                return self.diary.fail(self.account.email, f"money was set aside: {page.url}")
            page = self._at_purchase(purchase, page)

    def _at_purchase(self, purchase: Purchase, page: Page) -> Page:
        to_stripe = next((link for link in page.links if urlsplit(link).netloc == self.stripe), None)
        cancel = page.form(to="/cancel")
        if cancel is not None and self.chance.random() < 0.3:
            self.diary.count("cancellations")
            return self._open(cancel.action, cancel.fields)
        if to_stripe is not None and not purchase.paid_at_stripe:
            return self._open(to_stripe)
        check = page.form(to="/check")
        self._breathe()
        if check is None:
            return self._open(page.url)
        return self._open(check.action, check.fields)

    def _at_stripe(self, purchase: Purchase, page: Page) -> Page:
        """Fill in a card, answer the bank, or go back. Stripe's page answers at once: its faults are in its API."""
        if (bank := page.form(to="/authenticate")) is not None:
            answer = {"answer": "complete" if self.chance.random() < 0.8 else "fail"}
            return self._sent_to_stripe(purchase, bank.action, answer)
        card = page.form(having="number")
        if card is None:
            # Paid or closed before: one link leads back.
            if not page.links:
                raise GivenUp
            self._breathe()
            return self._open(page.links[0])
        kind = self.chance.random()
        if kind < 0.06:
            raise GivenUp  # the tab was closed
        if kind < 0.12:
            return self._open(page.links[0])  # "Back"
        number = PAYS if kind < 0.65 else ASKS if kind < 0.85 else DECLINES if kind < 0.93 else NO_FUNDS
        return self._sent_to_stripe(purchase, card.action, card.fields | CARD | {"number": number})

    def _sent_to_stripe(self, purchase: Purchase, action: str, fields: dict[str, str]) -> Page:
        """Sends a form there; a redirect to Purser's page with `returned` means that it is paid. The way back may fail."""
        led_to = self._answered(lambda: self.browser.step(action, fields))
        if isinstance(led_to, Page):
            return led_to
        if "returned=1" in led_to:
            purchase.paid_at_stripe = True
        return self._open(led_to)

    # --- Patience -----------------------------------------------------------------------------------------------------

    def _open(self, url: str, fields: dict[str, str] | None = None) -> Page:
        return self._answered(lambda: self.browser.open(url, fields))

    def _answered(self, ask: Callable[[], T]) -> T:
        """Asks until there is an answer: the browser's own 'try again'."""
        while True:
            try:
                return ask()
            except Away:
                self.diary.count("pages that had to be asked for again")
                self._breathe()

    def _breathe(self) -> None:
        if time.monotonic() > self._until:
            raise GivenUp
        time.sleep(self.chance.uniform(0.2, 0.6))
