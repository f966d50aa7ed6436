"""Where it all takes place: the database, a Stripe, the doors of Purser, and a clock that is told."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import logging
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest import mock

import stripe
import time_machine
from django.conf import settings
from django.core import mail
from django.db import transaction
from django.test import Client, override_settings

from billing import queue, tasks
from billing.catalog.models import AIModel
from billing.limits import reading
from billing.metering import gateways, partitions
from billing.payments.gateway import wire
from billing.webhooks.stripe import MEANS
from orgs.models import User
from sandbox.stripe import InProcessClient, Sandbox, Settings
from sandbox.stripe.webhooks import Delivery
from tests import owners
from tests.crash import paths
from tests.factories import catalog, orgs, paying, plans
from tests.simulation.promises import PLANNED, PRICES, RESERVED
from tests.simulation.tally import NOTHING, Price, PriceList, Use
from tests.simulation.trouble import Rates, Trouble
from tests.soak.diary import Diary

if TYPE_CHECKING:
    from tests.simulation.parties import Party

START = datetime(2025, 1, 1, tzinfo=UTC)
"""In the past of any real clock: PostgreSQL drops days of usage by its own."""
BEFORE = START - timedelta(days=60)
RETRIES = (60.0, 600.0, 3600.0, 7200.0)
"""Pauses of Stripe's after a webhook that was not taken."""
REFUND_TAKES = 4 * 86_400.0
SESSION_LASTS = timedelta(days=10)
TOLD_ALL = 0.1
"""So many of the webhooks that mean nothing to Purser are brought to its door all the same."""
MODELS = (
    ("small", "0.35", "0.10", "0.75"), ("large", "3", "0.3", "15"), (PLANNED, "2", "0.2", "6"), (RESERVED, "1", "0.1", "1"),
)  # fmt: skip


@dataclass
class Reporter:
    """A gateway, its token, and through when it has said that its usage is complete."""

    id: int
    token: str
    complete_through: datetime


class World:
    """Made by `living`. `facts`: what happened, in order, as the digest has it; `events`: how much happened, by kind."""

    def __init__(self, seed: int, rates: Rates) -> None:
        self.seed = seed
        self.chance = random.Random(f"{seed}:people")
        self.now = START
        self.parties: list[Party] = []
        self.prices = PriceList()
        self.reporters: list[Reporter] = []
        self.watermarks: list[tuple[datetime, datetime]] = []
        self.facts: list[str] = []
        self.events: Counter[str] = Counter()
        self.violations: list[str] = []
        self.diary = Diary()
        self.watched: dict[str, Callable[[Callable[[], bool]], None]] = {}
        self.touched: set[int] = set()
        settled = Settings(
            webhook_url="http://127.0.0.1/webhooks/stripe", webhook_secret=paying.SECRET, refund_delay=REFUND_TAKES,
            retry_delays=RETRIES,
        )  # fmt: skip
        self.sandbox = Sandbox(clock=lambda: self.now.timestamp(), seed=seed, settings=settled, patience=10)
        self.trouble = Trouble(random.Random(f"{seed}:trouble"), self.sandbox, rates)
        self._queued: set[tuple[str, tuple[Any, ...]]] = set()
        self._waiting: list[tuple[datetime, int, bool, Callable[[], object]]] = []
        self._numbers = itertools.count(1)
        self._travel: Callable[[datetime], None] = lambda moment: None

    # Time

    def at(self, moment: datetime, act: Callable[[], object], *, by_itself: bool = False) -> None:
        """Do it then, or now where that is over. `by_itself`: nobody has to do anything for it."""
        heapq.heappush(self._waiting, (max(moment, self.now), next(self._numbers), by_itself, act))

    def later(self, least: float, most: float, act: Callable[[], object]) -> None:
        """Do it in so many seconds."""
        self.at(self.now + timedelta(seconds=self.chance.uniform(least, most)), act)

    def until(self, end: datetime, *, people: bool = True) -> Iterator[Callable[[], object]]:
        """What is to be done, each at its time, up to `end`; without `people` only what happens by itself."""
        while self._waiting and self._waiting[0][0] < end:
            moment, _, by_itself, act = heapq.heappop(self._waiting)
            if people or by_itself:
                self.move_to(moment)
                yield act
        self.move_to(end)

    def move_to(self, moment: datetime) -> None:
        self.now = max(self.now, moment)
        self._travel(self.now)

    # Doors

    def signed_in(self, party: Party) -> Client:
        """The browser of the owner, who signs in anew every few days."""
        if party.session is None or self.now - party.session[1] > SESSION_LASTS:
            cookie = orgs.signed_in(party.owner).cookies[settings.SESSION_COOKIE_NAME].value
            party.session = (cookie, self.now)
        return paths.visitor(party.session[0])

    def webhooks(self) -> None:
        """Stripe tells what it has to tell, and what its senders gave up on is carried out."""
        self.sandbox.run_late()
        for delivery in self.sandbox.deliveries():
            if delivery.event_type not in MEANS and self.trouble.chance.random() > TOLD_ALL:
                self.sandbox.delivered(delivery, 200)
                continue
            self.events["webhook"] += 1
            told = self.trouble.attempted(partial(self._post, delivery))
            self.expect(told in (None, 200), f"a webhook was answered {told}")
            self.sandbox.delivered(delivery, told)

    def _post(self, delivery: Delivery) -> int:
        header = delivery.headers["Stripe-Signature"]
        return int(paying.post(delivery.body, header=header, client=paths.visitor()).status_code)

    def tick(self, *, nightly: bool = False) -> None:
        """The clock comes by: every task that finds its work by query, as the queue brings them."""
        self.webhooks()
        for name in self.trouble.order(paths.by_the_clock(nightly=nightly)):
            self.task(name)

    def task(self, name: str, *about: Any) -> None:
        self.events["task"] += 1
        work = partial(self.trouble.attempt, partial(getattr(tasks, name.removeprefix("tasks.")), *about))
        self.watched.get(name, lambda work: work())(work)

    def hint(self, task: Any, *about: Any) -> None:
        """In place of the queue: work that somebody asked for comes soon after the commit, late, twice or never."""
        name = str(getattr(task, "task", None) or task.name).removeprefix("billing.")
        transaction.on_commit(lambda: self._queue(name, about))

    def _queue(self, name: str, about: tuple[Any, ...]) -> None:
        if (name, about) in self._queued:
            return
        self._queued.add((name, about))
        brought = self.trouble.order([name])
        for _ in brought:
            soon = timedelta(seconds=self.trouble.chance.choice((1, 5, 20, 1800)))
            self.at(self.now + soon, lambda: self._brought(name, about), by_itself=True)
        if not brought:
            self._queued.discard((name, about))

    def _brought(self, name: str, about: tuple[Any, ...]) -> None:
        self._queued.discard((name, about))
        self.task(name, *about)

    # Notes

    def uuid(self) -> str:
        return f"{self.chance.getrandbits(128):032x}"

    def fact(self, party: Party | None, what: str, *values: object) -> None:
        """Something that happened to somebody, without any id."""
        self.events[what] += 1
        said = "|".join(str(value) for value in values)
        self.facts.append(f"{self.now.isoformat()}|{party.name if party else ''}|{what}|{said}")

    def expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.violations.append(f"{self.now:%Y-%m-%d %H:%M:%S} {otherwise}")

    def cost(self, party: Party, use: Use) -> Decimal:
        """What it takes of credit."""
        return NOTHING if use.id in party.tally.promised else self.prices.cost(use)

    def digest(self) -> str:
        return hashlib.sha256("\n".join(self.facts).encode()).hexdigest()

    def heard_through(self, moment: datetime) -> None:
        """A gateway says, or may have said, that its usage is complete through what `reporters` have."""
        self.watermarks.append((moment, min(reporter.complete_through for reporter in self.reporters)))


@contextmanager
def living(seed: int, rates: Rates) -> Iterator[World]:
    """The world of this seed, in a database emptied first: with models, prices and gateways, and nobody in it yet."""
    owners.empty_every_table()
    world = World(seed, rates)
    client = stripe.StripeClient(
        "sk_test_x", http_client=InProcessClient(world.sandbox), max_network_retries=0
    )  # fmt: skip
    with ExitStack() as stack:
        logging.disable(logging.CRITICAL)
        stack.callback(logging.disable, logging.NOTSET)
        stack.callback(world.sandbox.close)
        stack.enter_context(_told_what_chance_says(seed))
        stack.enter_context(mock.patch.object(queue, "hint", world.hint))
        stack.enter_context(mock.patch.object(wire, "_client", return_value=client))
        stack.enter_context(
            override_settings(
                STRIPE_SECRET_KEY="sk_test_of_the_simulation",
                STRIPE_WEBHOOK_SECRETS=[paying.SECRET],
                USAGE_RETENTION_DAYS=40,
                CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
            )
        )  # fmt: skip
        world._travel = stack.enter_context(time_machine.travel(START, tick=False)).move_to
        mail.outbox = []
        gateways.forget()
        reading.forget()
        _furnish(world)
        yield world


def _furnish(world: World) -> None:
    """What is sold, and who reports."""
    partitions.make(now=START)
    for slug, *usd in MODELS:
        catalog.model(slug, input_usd=usd[0], cached_usd=usd[1], output_usd=usd[2], valid_from=BEFORE)
        world.prices.publish(slug, Price(BEFORE, *map(Decimal, usd)))
    for rank, (slug, cents) in enumerate(PRICES.items(), start=1):
        plans.another(slug, AIModel.objects.get(slug=PLANNED), usd=cents // 100, rank=rank)
    change = START + timedelta(days=world.chance.randint(100, 200), seconds=world.chance.randrange(86_400))
    catalog.price(AIModel.objects.get(slug="large"), change, input_usd="2.5", cached_usd="0.25", output_usd="12.345678")
    world.prices.publish("large", Price(change, Decimal("2.5"), Decimal("0.25"), Decimal("12.345678")))
    for name in ("eu-1", "us-1"):
        gateway = gateways.register(name, now=START)
        world.reporters.append(Reporter(gateway.pk, gateways.mint(gateway, now=START), START))


@contextmanager
def _told_what_chance_says(seed: int) -> Iterator[None]:
    """Every id and secret that Python makes up comes from the seed."""
    chance = random.Random(f"{seed}:ids")
    with (
        mock.patch.object(os, "urandom", chance.randbytes),
        mock.patch.object(random, "_urandom", chance.randbytes),
    ):
        yield


def person(name: str) -> User:
    return orgs.person(f"{name.replace(' ', '-').replace(',', '')}@example.com", name.title(), now=START)
