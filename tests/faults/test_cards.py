"""Every call about a saved card x every moment x everything that can go wrong.

A card that was given on Stripe's page is saved once, and no page stays open; a card that was removed is soon nobody's at
Stripe. In `make test` each moment meets one of the troubles, in `make money` all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Generic, TypeVar
from uuid import uuid4

import pytest

from billing import flows
from billing.payments import card_pages, detaching, gateway
from billing.payments.card_setups import OPEN_SETUPS, CardSetup, SetupState
from billing.payments.models import PaymentMethod
from billing.webhooks import inbox
from orgs.models import User
from sandbox.stripe import Running
from tests import figures as counted
from tests import verified
from tests.factories import orgs as people
from tests.factories.paying import PAYS, post
from tests.faults.test_settlement import with_a_card
from tests.faults.troubles import BY_NAME, TROUBLES, Trouble, with_call

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

SESSIONS, METHODS = "/v1/checkout/sessions", "/v1/payment_methods"
HOUR = timedelta(hours=1)
AFTERWARDS = (timedelta(), timedelta(seconds=46), timedelta(seconds=92), HOUR, 22 * HOUR, 24 * HOUR, 30 * HOUR)
_numbers = count(1)
Life = TypeVar("Life", bound="Told")


@dataclass
class Told:
    """Somebody whom Stripe's webhooks reach, and the first call that got into trouble."""

    stripe: Running
    told: set[str]
    since: timedelta = field(default=timedelta(), kw_only=True)
    """So long after it was begun it is now."""

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.since

    def ask(self) -> None:
        raise NotImplementedError

    def hear(self) -> None:
        """What Stripe has not told yet."""
        for event in self.stripe.sandbox.world.books.oldest_first("event"):
            if event["id"] not in self.told:
                self.told.add(event["id"])
                assert post(event).status_code == 200
        inbox.process(now=self.now)

    def lost(self, trouble: str, path: str) -> None:
        with with_call(self.stripe, "POST", path, BY_NAME[trouble]) as struck:
            self.ask()
        assert struck.hits == 1


@dataclass(frozen=True)
class Moment(Generic[Life]):
    """`before` leads to it, `step` makes the call."""

    name: str
    method: str
    path: str
    before: Callable[[Life], object]
    step: Callable[[Life], object]


def met(life: Life, moment: Moment[Life], trouble: Trouble) -> list[str]:
    """It comes to this moment and into this trouble; what is wrong is only that it did not."""
    moment.before(life)
    with with_call(life.stripe, moment.method, moment.path, trouble) as struck:
        moment.step(life)
    return [] if struck.hits else ["the trouble never struck"]


# --- Adding one ----------------------------------------------------------------------------------------------------------


@dataclass
class Adding(Told):
    """A card is being added."""

    setup: CardSetup
    gives: bool = True

    def ask(self) -> None:
        flows.card_saved(self.setup.pk, card_pages.ask(self.setup.pk, now=self.now), now=self.now)
        self.setup.refresh_from_db()

    def give(self) -> None:
        """The customer, on Stripe's page, once it is there."""
        if self.gives and self.setup.page_id:
            self.stripe.admin.pay(self.setup.page_id, PAYS)

    def keeps(self) -> None:
        self.ask()
        self.give()

    def is_left_alone(self) -> None:
        """Nobody gives a card before the page is to be closed."""
        self.gives = False
        self.ask()
        self.since += HOUR

    def a_day_later(self) -> None:
        self.lost("time-out after", SESSIONS)
        self.since += 24 * HOUR

    @property
    def pages(self) -> list[dict[str, Any]]:
        made = self.stripe.sandbox.world.books.oldest_first("checkout.session")
        return [page for page in made if page["metadata"].get(gateway.CARD_SETUP) == str(self.setup.pk)]


def page(name: str, method: str, path: str, before: Any = lambda adding: None, step: Any = Adding.ask) -> Any:
    return Moment[Adding](name, method, path, before, step)


FIRST = ("open, first", "open, poller after a lost call")
"""Refused by Stripe itself, there is no page."""
CLOSED = ("look, before it is closed", "close, after its time")
PAGES: tuple[Moment[Adding], ...] = (
    page("open, first", "POST", SESSIONS),
    page("open, poller after a lost call", "POST", SESSIONS, lambda adding: adding.lost("500 before", SESSIONS)),
    page(
        "open, poller after a lost answer",
        "POST",
        SESSIONS,
        lambda adding: adding.lost("connection reset after", SESSIONS),
    ),
    page(
        "find, after an error that Stripe remembers", "GET", SESSIONS, lambda adding: adding.lost("500 after", SESSIONS)
    ),
    page("find, a day later", "GET", SESSIONS, Adding.a_day_later),
    page("look, return page", "GET", f"{SESSIONS}/*", Adding.keeps),
    page("look, webhook", "GET", f"{SESSIONS}/*", Adding.keeps, Adding.hear),
    page("look, before it is closed", "GET", f"{SESSIONS}/*", Adding.is_left_alone),
    page("close, after its time", "POST", f"{SESSIONS}/*/expire", Adding.is_left_alone),
)


def not_saved(adding: Adding, ends: SetupState) -> list[str]:
    """What is not as it should be in the end."""
    kept = PaymentMethod.objects.filter(wallet=adding.setup.wallet_id, detached_at=None).count()
    statuses = [page["status"] for page in adding.pages]
    wrong = [] if adding.setup.state == ends else [f"{adding.setup.state}, not {ends}"]
    wrong += [] if kept == (ends == SetupState.SAVED) else [f"{kept} cards"]
    wrong += ["a page is open"] if "open" in statuses else []
    return wrong + ([] if len(statuses) <= 1 else [f"{len(statuses)} pages"])


@pytest.mark.parametrize("place", range(len(PAGES)), ids=[moment.name for moment in PAGES])
def test_a_card_is_saved_once(stripe: Running, alice: User, place: int, figures: counted.Record) -> None:
    moment, wrong, told = PAGES[place], dict[str, list[str]](), set[str]()
    troubles = counted.some(TROUBLES, place, reduced=1)
    for trouble in troubles:
        team = people.team(alice, f"Team {next(_numbers)}")
        begun = card_pages.begin(card_pages.Order(team.pk, uuid4(), alice.pk), now=datetime.now(UTC))
        adding = Adding(stripe, told, begun)
        found = met(adding, moment, trouble)
        begins = adding.since
        for after in AFTERWARDS:
            adding.give()
            if adding.setup.state not in OPEN_SETUPS:
                break
            adding.since = begins + after
            adding.ask()
        adding.hear()
        refused = moment.name in FIRST and trouble.final
        found += not_saved(adding, SetupState.ENDED if refused or moment.name in CLOSED else SetupState.SAVED)
        if found:
            wrong[str(trouble)] = found
    assert wrong == {}
    assert verified.differences(now=datetime.now(UTC)) == []
    figures("stripe_faults", cells=len(troubles), lost=0, double=0)


# --- Removing one --------------------------------------------------------------------------------------------------------


@dataclass
class Removing(Told):
    """A card that is there; `ask`: Stripe is told that it was removed."""

    card: PaymentMethod

    def remove(self) -> None:
        flows.remove_card(self.card.wallet_id, self.card.pk, now=self.now)

    def ask(self) -> None:
        detaching.release(self.card.pk, flows.card_told, now=self.now)

    def lost_answer(self) -> None:
        self.remove()
        self.lost("connection reset after", f"{METHODS}/*/detach")

    def is_detached_elsewhere(self) -> None:
        self.stripe.admin.detach(self.card.stripe_id)

    @property
    def is_gone(self) -> bool:
        """Here and there."""
        self.card.refresh_from_db()
        return self.card.released_at is not None and self._at_stripe["customer"] is None

    @property
    def _at_stripe(self) -> dict[str, Any]:
        return self.stripe.sandbox.world.books.get("payment_method", self.card.stripe_id) or {}


REMOVALS: tuple[Moment[Removing], ...] = (
    Moment("detach, first", "POST", f"{METHODS}/*/detach", Removing.remove, Removing.ask),
    Moment("detach, after a lost answer", "POST", f"{METHODS}/*/detach", Removing.lost_answer, Removing.ask),
    Moment("read, after a refused detach", "GET", f"{METHODS}/*", Removing.lost_answer, Removing.ask),
    Moment("read, webhook", "GET", f"{METHODS}/*", Removing.is_detached_elsewhere, Removing.hear),
)


@pytest.mark.parametrize("place", range(len(REMOVALS)), ids=[moment.name for moment in REMOVALS])
def test_a_removed_card_is_let_go(stripe: Running, alice: User, place: int, figures: counted.Record) -> None:
    moment, wrong, told = REMOVALS[place], dict[str, list[str]](), set[str]()
    troubles = counted.some(TROUBLES, place, reduced=1)
    for trouble in troubles:
        team = people.team(alice, f"Team {next(_numbers)}")
        removing = Removing(stripe, told, with_a_card(stripe, team))
        found = met(removing, moment, trouble)
        for after in AFTERWARDS:
            if removing.is_gone:
                break
            removing.since = after
            if removing.card.detached_at is not None:
                removing.ask()
            removing.hear()
        found += (
            [] if removing.is_gone else [f"removed {removing.card.detached_at}, let go {removing.card.released_at}"]
        )
        if found:
            wrong[str(trouble)] = found
    assert wrong == {}
    assert verified.differences(now=datetime.now(UTC) + timedelta(days=2)) == []
    figures("stripe_faults", cells=len(troubles), lost=0, double=0)
