"""What goes on by itself around a purchase: the customer at the pages, Stripe's webhooks, the clock's tasks, and time."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.core.cache import cache
from django.test import Client
from time_machine import Traveller

from billing import flows, tasks
from billing.payments import refunds
from billing.payments.models import OPEN_REFUNDS, OPEN_STATES, Intent, Refund
from billing.webhooks.models import InboxEvent, InboxState
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.factories import orgs as people
from tests.factories.paying import DECLINES, PAYS, post

BEGINNING = datetime(2026, 4, 14, 12, 41, 8, tzinfo=UTC)
CENTS, REFUNDED_CENTS = 50_00, 20_00
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
PATIENCE = [20 * SECOND, *[MINUTE] * 4, *[7 * MINUTE] * 6, *[HOUR] * 26]
"""How time goes on until nothing waits any more: through the page's half hour, past the day Stripe keeps its keys."""
PAY_LINK = re.compile(r'href="(http://127\.0\.0\.1:[0-9]+/c/pay/(cs_[A-Za-z0-9_]+))"')


@dataclass
class Life:
    """One organization with one purchase, in a world where time goes on when it is told to.

    `said` is every answer the customer's `browser` got: (address, status). Stripe's webhooks come from a `machine`.
    """

    stripe: Running
    clock: Traveller
    org: Organization
    browser: Client
    machine: Client
    staff: int
    nonce: UUID = field(default_factory=uuid4)
    wants_to_pay: bool = True
    said: list[tuple[str, int]] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    form: dict[str, str] = field(default_factory=dict)

    # --- The customer -------------------------------------------------------------------------------------------------

    def open(self, method: str, address: str, sent: dict[str, str] | None = None, **more: Any) -> Any:
        ask = getattr(self.browser, method)
        answer = ask(address, sent or {}, **more) if method == "post" else ask(address, **more)
        self.said.append((f"{method} {re.sub('[0-9a-f-]{36}', '...', address)}", answer.status_code))
        return answer

    def buys(self) -> Any:
        """Presses the button; a second time it is a double click."""
        self.form = self.form or {"other": "50.00", "seen": str(CENTS), "version": "0:0", "nonce": uuid4().hex}
        return self.open("post", f"/o/{self.org.slug}/billing/buy", self.form)

    @property
    def intent(self) -> Intent:
        return Intent.objects.get(wallet_id=self.org.pk)

    @property
    def page(self) -> str:
        return f"/o/{self.org.slug}/billing/purchases/{self.intent.pk}"

    def checks(self, *, htmx: bool = True) -> Any:
        """The page looks by itself, or somebody presses "Look again"."""
        return self.open("post", f"{self.page}/check", headers={"HX-Request": "true"} if htmx else {})

    def cancels(self) -> Any:
        self.wants_to_pay = False
        return self.open("post", f"{self.page}/cancel")

    def looks(self) -> str:
        return str(self.open("get", self.page).content.decode())

    def pays_if_possible(self) -> None:
        """Follows the page's link to Stripe, where it shows one, and pays there."""
        found = PAY_LINK.search(self.looks())
        if found and self.wants_to_pay:
            self.stripe.admin.pay(found[2], PAYS)
            self.open("get", f"{self.page}?returned=1")

    def pays(self, card: str = PAYS) -> None:
        """At the page that is open at Stripe, whether Purser knows of it or not."""
        (session,) = self.sessions()
        self.stripe.admin.pay(session["id"], card)

    def is_declined(self) -> None:
        self.pays(DECLINES)

    def sessions(self) -> list[dict[str, Any]]:
        return self.stripe.sandbox.books.oldest_first("checkout.session")

    # --- Staff and the bank ---------------------------------------------------------------------------------------------

    def was_paid(self, card: str = PAYS) -> None:
        """Bought, paid and known to be."""
        self.buys()
        self.pays(card)
        self.checks()

    def refunds(self) -> None:
        """Staff give 20 dollars back; pressed again it is the same form."""
        intent = self.intent
        asked = refunds.Order(self.org.pk, intent.pk, REFUNDED_CENTS, "Asked for it.", self.nonce, self.staff)
        flows.refund(asked, now=datetime.now(UTC))

    @property
    def charge(self) -> str:
        return str(self.stripe.sandbox.books.oldest_first("charge")[-1]["id"])

    @property
    def dispute(self) -> str:
        return str(self.stripe.sandbox.books.oldest_first("dispute")[-1]["id"])

    def is_refunded_elsewhere(self) -> None:
        """In Stripe's dashboard."""
        self.stripe.admin.refund(self.charge, amount=REFUNDED_CENTS)

    def is_disputed(self) -> None:
        self.stripe.admin.dispute(self.charge)

    def wins(self) -> None:
        self.stripe.admin.win(self.dispute)

    # --- Time, webhooks, tasks ------------------------------------------------------------------------------------------

    def passes(self, time: timedelta) -> None:
        self.clock.shift(time)

    def hears(self) -> None:
        """Stripe delivers what it has not delivered yet, signed, at the door."""
        for event in self.stripe.sandbox.books.oldest_first("event"):
            if event["id"] not in self.told:
                self.told.add(event["id"])
                assert post(event, client=self.machine).status_code == 200

    def works(self) -> None:
        """The clock's tasks, each once."""
        tasks.process_inbox()
        tasks.poll_payments()
        tasks.poll_reversals()
        tasks.sweep_usage()
        tasks.expire_grants()

    def is_idle(self) -> bool:
        return not (
            Intent.objects.filter(wallet_id=self.org.pk, state__in=OPEN_STATES).exists()
            or Refund.objects.filter(wallet_id=self.org.pk, state__in=OPEN_REFUNDS).exists()
            or InboxEvent.objects.filter(state=InboxState.NEW).exists()
        )

    def goes_on(self) -> None:
        """No more trouble: everything goes its way until nothing waits."""
        for step in PATIENCE:
            self.passes(step)
            self.pays_if_possible()
            self.checks()
            self.hears()
            self.works()
            if self.is_idle():
                break


@dataclass(frozen=True)
class World:
    """What all lives of a test share. Setting up a browser takes longer than what most lives do with it."""

    stripe: Running
    clock: Traveller
    alice: User
    browser: Client
    machine: Client


def begun(world: World, number: int) -> Life:
    """A new organization of Alice's and an empty Stripe, whose clock and ours agree."""
    # Each life begins at the same second of a minute: a key of Purser's changes with the minute.
    world.clock.shift(60 - datetime.now(UTC).second + 8)
    world.stripe.admin.reset()
    cache.clear()
    org = people.team(world.alice, f"Cell {number}", slug=f"cell-{number}", now=datetime.now(UTC))
    return Life(world.stripe, world.clock, org, world.browser, world.machine, world.alice.pk)
