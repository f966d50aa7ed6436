"""What goes wrong, and how often: at Stripe, on the way of its webhooks, with the tasks of the clock, and the power."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import stripe
from django.db import connection

from billing.limits import reading
from billing.metering import gateways
from sandbox.stripe import InProcessClient, Sandbox
from tests.crash.steps import Steps

T = TypeVar("T")
HOUR = 3600.0
AT_STRIPE: tuple[dict[str, Any], ...] = (
    {"kind": "timeout", "moment": "before", "probability": 0.015},
    {"kind": "timeout", "moment": "after", "probability": 0.025},
    {"kind": "reset", "moment": "before", "probability": 0.01},
    {"kind": "reset", "moment": "after", "probability": 0.015},
    {"kind": "error", "moment": "before", "status": 503, "probability": 0.01},
    {"kind": "error", "moment": "after", "status": 500, "probability": 0.01},
    {"kind": "error", "moment": "after", "status": 502, "stored": False, "body": "page", "probability": 0.01},
    {"kind": "rate_limit", "probability": 0.01},
    {"kind": "slow", "seconds": 60.0, "probability": 0.01},
    {"kind": "refuse", "status": 400, "probability": 0.003},
    {"kind": "spoil", "moment": "after", "body": "cut", "probability": 0.01},
)
"""Faults of calls, about one call in eight; the chance of each is taken when the ones before it did not strike."""
ON_THE_WAY: tuple[dict[str, Any], ...] = (
    {"kind": "drop", "probability": 0.04},
    {"kind": "double", "probability": 0.05},
    {"kind": "delay", "seconds": 5 * HOUR, "probability": 0.05},
)
BACKWARDS: dict[str, Any] = {"kind": "reorder", "count": 3, "probability": 0.05}
"""Holds three events and lets them go last first: then it is used up, so that it is there again every few days."""


@dataclass(frozen=True)
class Rates:
    """Chances: a task of the clock is left out, run twice, or in another order; an act is cut off at one of its steps."""

    left_out: float = 0.2
    doubled: float = 0.05
    shuffled: float = 0.1
    cut: float = 0.03


class PowerCut(BaseException):
    """The process ends here. Nothing of Purser catches it."""


class Cuts(Steps):
    """The steps of `tests/crash`, ended by an exception: what is committed is committed, the connection is gone."""

    transport: type[stripe.HTTPClient] = InProcessClient

    def step(self, what: str) -> None:
        self.reached += 1
        if self.kill_at is not None and self.reached >= self.kill_at:
            connection.close()
            raise PowerCut(what)


class Trouble:
    """All of it, from a generator of its own: the same seed has the same troubles. `counted`: how often each struck."""

    def __init__(self, chance: random.Random, sandbox: Sandbox, rates: Rates) -> None:
        self.chance, self.sandbox, self.rates = chance, sandbox, rates
        self.counted: Counter[str] = Counter()
        self.on = False

    def begin(self) -> None:
        self.on = True
        for fault in (*AT_STRIPE, *ON_THE_WAY):
            self.sandbox.admin.fault(count=None, **fault)

    def reorder(self) -> None:
        if self.on:
            self.sandbox.admin.fault(**BACKWARDS)

    def end(self) -> None:
        """From now on nothing goes wrong, and what was held back comes."""
        for rule in self.sandbox.faults.listed():
            self.counted[f"stripe {rule['kind']}"] += rule["hits"]
        self.on = False
        self.sandbox.admin.clear_faults()
        self.sandbox.admin.flush_webhooks()

    def total(self) -> int:
        return self.counted.total()

    def order(self, tasks: list[str]) -> list[str]:
        """The tasks of one round as the queue brings them."""
        if not self.on:
            return tasks
        brought: list[str] = []
        for task in tasks:
            if self._strikes("task left out", self.rates.left_out):
                continue
            brought += [task] * (2 if self._strikes("task doubled", self.rates.doubled) else 1)
        if self._strikes("tasks shuffled", self.rates.shuffled):
            self.chance.shuffle(brought)
        return brought

    def attempt(self, act: Callable[[], object]) -> bool:
        """Whether it came to its end, which it does unless the power goes at one of its steps."""
        return self.attempted(lambda: (act(),)) is not None

    def attempted(self, act: Callable[[], T]) -> T | None:
        """What it answers; None when the power went before it could."""
        if not self.on or self.chance.random() >= self.rates.cut:
            return act()
        cuts = Cuts(lambda _: None, self.chance.choice((1, 2, 2, 3, 3, 4, 4, 5, 6, 7, 9, 12)))
        try:
            with cuts.counted():
                return act()
        except PowerCut:
            self.counted["power cut"] += 1
            _begin_again()
            return None

    def _strikes(self, what: str, probability: float) -> bool:
        struck = self.chance.random() < probability
        self.counted[what] += struck
        return struck


def _begin_again() -> None:
    """A new process: nothing in memory, another connection."""
    connection.close()
    gateways.forget()
    reading.forget()
