"""Customers of a soak: they sign in, buy credit and pay at Stripe's page. Unanswered, they press the button again."""

import random
import re
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from tests.soak.browser import Page
from tests.soak.diary import Diary, Purchase
from tests.soak.visitor import GivenUp, Visitor

CARD = {"expiry": "12 / 34", "cvc": "123", "name": "A Customer"}
CARDS = {
    "4242424242424242": 50,
    "4000002760003184": 15,  # asks for 3-D Secure
    "4000000000000002": 8,  # is declined
    "4000000000009995": 5,  # has no funds
    "4000000000000259": 3,  # is disputed at once
    "4000000000007726": 5,  # its refunds take a while
    "4000000000005126": 4,  # its refunds fail
}
"""How often each is used."""
PURCHASE = re.compile(r"/o/[^/]+/billing/purchases/([0-9a-f-]{36})")


@dataclass(frozen=True)
class Account:
    """Who a customer is, and for which organization they buy."""

    email: str
    password: str
    org_id: int
    slug: str


class Customer(Visitor):
    def __init__(
        self, account: Account, address: str, stripe: str, diary: Diary, chance: random.Random, over: threading.Event
    ) -> None:
        super().__init__(account.email, account.password, diary, chance, over)
        self.account, self.address = account, address
        self.stripe = urlsplit(stripe).netloc

    def buy(self) -> None:
        """One purchase, to whatever end."""
        page = self.signed_in(f"{self.address}/o/{self.account.slug}/billing/buy")
        form = page.form(having="nonce")
        if form is None:
            self.diary.fail(self.email, f"no form to buy with at {page.url} (HTTP {page.status}): {page.heading}")
            return
        cents = self.chance.choice((500, 1000, 2500, 10000)) + self.chance.randrange(100)
        form.fields.pop("preset", None)
        form.fields["other"] = f"{cents // 100}.{cents % 100:02}"
        purchase = Purchase(self.account.org_id, UUID(form.fields["nonce"]), cents)
        self.diary.purchases.append(purchase)
        for _ in range(20):
            page = self.open(form.action, dict(form.fields))
            # Overdraft and debt move while the customer reads: then the same form comes again, with the new figures.
            again = page.form(having="nonce")
            if again is None:
                break
            form.fields = again.fields
        else:
            raise GivenUp
        self._go_on(purchase, page)

    def _go_on(self, purchase: Purchase, page: Page) -> None:
        """From wherever the form led: pay, look again, cancel, until it is paid or over, or the customer has enough."""
        while True:
            if urlsplit(page.url).netloc == self.stripe:
                page = self._at_stripe(purchase, page)
                continue
            found = PURCHASE.search(page.url)
            if found is None:
                return self.diary.fail(self.email, f"buying led to {page.url} (HTTP {page.status}): {page.heading}")
            purchase.intent_id = UUID(found[1])
            if page.heading == "Paid":
                purchase.told_paid = True
                return self.diary.count("customers told that they paid")
            if page.heading == "Not paid":
                return self.diary.count("customers told that they did not pay")
            if page.heading == "Received, not yet credited":
                return self.diary.fail(self.email, f"money was set aside: {page.url}")
            page = self._at_purchase(purchase, page)

    def _at_purchase(self, purchase: Purchase, page: Page) -> Page:
        to_stripe = next((link for link in page.links if urlsplit(link).netloc == self.stripe), None)
        cancel, check = page.form(to="/cancel"), page.form(to="/check")
        if cancel is not None and self.chance.random() < 0.3:
            self.diary.count("cancellations")
            return self.open(cancel.action, cancel.fields)
        if to_stripe is not None and not purchase.paid_at_stripe:
            return self.open(to_stripe)
        self.breathe()
        return self.open(page.url) if check is None else self.open(check.action, check.fields)

    def _at_stripe(self, purchase: Purchase, page: Page) -> Page:
        """Fill in a card, answer the bank, or go back. Stripe's page answers at once: its faults are in its API."""
        if (bank := page.form(to="/authenticate")) is not None:
            answer = {"answer": "complete" if self.chance.random() < 0.8 else "fail"}
            return self._sent_to_stripe(purchase, bank.action, answer)
        card = page.form(having="number")
        if card is not None and (mood := self.chance.random()) > 0.1:
            if mood < 0.16:
                raise GivenUp  # the tab was closed
            (number,) = self.chance.choices(list(CARDS), list(CARDS.values()))
            return self._sent_to_stripe(purchase, card.action, card.fields | CARD | {"number": number})
        # "Back", or a page that was paid or closed before: one link leads back.
        self.breathe()
        back = [link for link in page.links if urlsplit(link).netloc != self.stripe]
        if not back:
            raise GivenUp
        return self.open(back[0])

    def _sent_to_stripe(self, purchase: Purchase, action: str, fields: dict[str, str]) -> Page:
        """Sends a form there; a redirect to Purser's page with `returned` means that it is paid. The way back may fail."""
        led_to = self.answered(lambda: self.browser.step(action, fields))
        if isinstance(led_to, Page):
            return led_to
        if "returned=1" in led_to:
            purchase.paid_at_stripe = True
        return self.open(led_to)
