"""The trouble of a soak: programs killed every few seconds, PostgreSQL restarted each minute, Stripe at its worst."""

import random
import threading
import time
from collections import Counter
from itertools import cycle

from sandbox.stripe.client import Admin
from tests.soak.surroundings import Surroundings

STRIPE_FAULTS: tuple[dict[str, object], ...] = (
    {"kind": "timeout", "moment": "before", "seconds": 3},
    {"kind": "timeout", "moment": "after", "seconds": 3},
    {"kind": "reset", "moment": "before"},
    {"kind": "reset", "moment": "after"},
    {"kind": "error", "moment": "before", "status": 500},
    {"kind": "error", "moment": "after", "status": 502},
    {"kind": "error", "moment": "after", "status": 500, "stored": False},
    {"kind": "rate_limit"},
    {"kind": "slow", "seconds": 3},
)
WEBHOOK_FAULTS: tuple[dict[str, object], ...] = ({"kind": "drop"}, {"kind": "double"}, {"kind": "delay", "seconds": 5})
SHARE = 0.10
"""Of Stripe's calls, and of its webhooks, go wrong."""
RESTARTS = ("fast", "kill", "immediate")


def each(share: float, rules: int) -> float:
    """How likely each of so many rules has to be, asked one after the other, for `share` to be hit by one of them."""
    return float(1 - (1 - share) ** (1 / rules))


def make_stripe_faulty(stripe: Admin) -> None:
    for faults in (STRIPE_FAULTS, WEBHOOK_FAULTS):
        for fault in faults:
            how = {name: value for name, value in fault.items() if name != "kind"}
            stripe.fault(str(fault["kind"]), **how, count=None, probability=each(SHARE, len(faults)))


def stripe_faults(stripe: Admin) -> int:
    """How many there were so far."""
    return sum(int(rule["hits"]) for rule in stripe.call("GET", "/faults")["faults"])


def end_stripe_faults(stripe: Admin) -> int:
    """No more of them, and what they held back is sent; how many there were."""
    struck = stripe_faults(stripe)
    stripe.clear_faults()
    stripe.flush_webhooks()
    return struck


class Trouble(threading.Thread):
    """Keeps the programs up, and until `calm` is set brings them down."""

    def __init__(
        self, around: Surroundings, chance: random.Random, *, every: float, restart_database_every: float
    ) -> None:
        super().__init__(name="trouble", daemon=True)
        self.around, self.chance, self.every = around, chance, every
        self.calm, self.over = threading.Event(), threading.Event()
        self.kills: Counter[str] = Counter()
        self.failed: Exception | None = None
        self._database_every = restart_database_every

    def run(self) -> None:
        try:
            self._run()
        except Exception as problem:  # whatever it is, the soak ends with it
            self.failed = problem

    def _run(self) -> None:
        ways = cycle(RESTARTS)
        next_kill = time.monotonic() + self._pause()
        next_restart = time.monotonic() + self._database_every
        while not self.over.wait(0.2):
            self.around.revive()
            if self.calm.is_set():
                continue
            now = time.monotonic()
            if now >= next_restart:
                how = next(ways)
                self.around.restart_database(how)
                self.kills[f"postgresql ({how})"] += 1
                next_restart = time.monotonic() + self._database_every
            elif victims := self.around.up_for(self.every):
                if now < next_kill:
                    continue
                back_after = self.chance.choice((0.0, 0.0, 1.0))
                victim = self.around.kill(self.chance.choice(victims), self.chance, back_after=back_after)
                self.kills[victim] += 1
                next_kill = now + self._pause()

    def _pause(self) -> float:
        return self.every * self.chance.uniform(0.5, 1.5)
