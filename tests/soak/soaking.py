"""A soak from beginning to end: everything up, everybody at work, trouble; then calm, the drain, and the questions."""

import argparse
import json
import logging
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

import django
from django.db import connections

from sandbox import places, processes
from sandbox.gateway import Door
from tests.soak import cast, facts, oracles
from tests.soak.banks import Banks
from tests.soak.customers import Customer
from tests.soak.diary import Diary
from tests.soak.drain import drain
from tests.soak.gateways import Gateway
from tests.soak.oracles import Difference
from tests.soak.staff import Staff
from tests.soak.surroundings import Failed, Surroundings, forget_everything
from tests.soak.trouble import Trouble, end_stripe_faults, make_stripe_faulty, stripe_faults

ACTORS_END_WITHIN = 110.0
MOST_SHOWN = 50
LONGER_AT_MOST = 120.0
"""Seconds that a soak may go on until something of everything has happened, on a machine that is slow."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """Somebody asked to stop."""


@dataclass(frozen=True)
class Wanted:
    """What the operator asked for."""

    minutes: float
    seed: int
    rate: float
    """Events a second, of all gateways together."""
    kill_every: float
    restart_every: float
    keep: bool
    tables: Path | None


def main(arguments: list[str]) -> int:
    wanted = _wanted(arguments)
    for number in SIGNALS:
        signal.signal(number, _stop)
    _say(f"A soak of {wanted.minutes:g} minutes, SEED={wanted.seed}, in {places.LOCAL}")
    around = Surroundings(wanted.seed, wanted.tables)
    code = 1
    try:
        try:
            around.up(_say)
            code = Soak(wanted, around).run()
        finally:
            around.down()
    except Stopped:
        _say("Stopped.")
        code = 130
    except (Failed, places.EmbeddedFailed) as problem:
        print(f"\n{problem}", file=sys.stderr, flush=True)
    finally:
        if code in (0, 130) and not wanted.keep:
            forget_everything()
        else:
            _say(f"What was left is in {places.LOCAL}, logs in {processes.LOGS}", to=sys.stderr)
    return code


def _wanted(arguments: list[str]) -> Wanted:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Kill everything again and again.")
    parser.add_argument("--minutes", type=float, default=10, help="how long the trouble lasts")
    parser.add_argument("--seed", type=int, help="what chance begins with; printed when it is not said")
    parser.add_argument("--rate", type=float, default=30, help="events a second")
    parser.add_argument("--kill-every", type=float, default=5, help="seconds between two kills, about")
    parser.add_argument("--restart-every", type=float, default=60, help="seconds between two restarts of PostgreSQL")
    parser.add_argument("--keep", action="store_true", help="keep database and logs, also when nothing differs")
    parser.add_argument("--tables", type=Path, help="data folder of a stopped cluster, to begin with a copy of")
    given = parser.parse_args(arguments)
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(10**6)
    return Wanted(given.minutes, seed, given.rate, given.kill_every, given.restart_every, given.keep, given.tables)


def _stop(number: int, frame: FrameType | None) -> None:
    """The first asks; the rest would only disturb the stopping, which takes seconds."""
    for name in SIGNALS:
        signal.signal(name, signal.SIG_IGN)
    raise Stopped


class Soak:
    """One run: who takes part, their notes, and what became of it."""

    def __init__(self, wanted: Wanted, around: Surroundings) -> None:
        self.wanted, self.around = wanted, around
        self.diary = Diary()
        self.chance = random.Random(wanted.seed)
        self.over = threading.Event()
        self.actors: list[threading.Thread] = []

    def run(self) -> int:
        """The exit code; the figures are the last line."""
        django.setup()
        logging.getLogger("billing").setLevel(logging.CRITICAL)
        self._bring_everybody()
        connections.close_all()  # ours: PostgreSQL is about to go down under it
        trouble = Trouble(
            self.around,
            self._chance(),
            every=self.wanted.kill_every,
            restart_database_every=self.wanted.restart_every,
        )
        make_stripe_faulty(self.around.stripe)
        _say("Everybody is at work; trouble begins.")
        trouble.start()
        for actor in self.actors:
            actor.start()
        self._wait(trouble)
        trouble.calm.set()
        began = time.monotonic()
        faults = end_stripe_faults(self.around.stripe)
        _say("Calm; everybody finishes what they began ...")
        found = [*self._end_of_actors(), *drain(self.around, began, _say)]
        trouble.over.set()
        trouble.join()
        found += self._compare() + self._verify()
        return self._report(trouble, faults, found)

    # --- Everybody ---------------------------------------------------------------------------------------------------------

    def _bring_everybody(self) -> None:
        _say("Organizations, keys and gateways ...")
        everybody = cast.make(organizations=3, gateways_=3)
        rows = cast.rows(self._chance(), places.LOCAL)
        for number, token in enumerate(everybody.tokens):
            gateway = Gateway(
                Door(self.around.address, token, lambda words: None), everybody.keys, rows, self.diary, self._chance(),
                self.wanted.rate / len(everybody.tokens),
            )  # fmt: skip
            self._act(f"gateway-{number}", partial(gateway.work, self.over))
        for account in everybody.accounts:
            customer = Customer(
                account, self.around.address, self.around.stripe_address, self.diary, self._chance(), self.over
            )
            customer.arrive(self.around.address)
            self._act(f"customer of {account.slug}", partial(customer.live, customer.buy, 3))
        orgs = [account.org_id for account in everybody.accounts]
        giving, refunding = (
            Staff(self.around.address, *everybody.staff, self.diary, self._chance(), self.over) for _ in range(2)
        )
        for staff in (giving, refunding):
            staff.arrive(f"{self.around.address}/admin/")
        self._act("staff who give", partial(giving.live, partial(giving.give, orgs), 4))
        self._act("staff who refund", partial(refunding.live, refunding.refund, 4))
        banks = Banks(self.around.stripe, self.diary, self._chance())
        self._act("banks", partial(banks.work, self.over, 3))

    def _act(self, who: str, what: Callable[[], object]) -> None:
        def act() -> None:
            try:
                what()
            except Exception as problem:  # whatever an actor meets that it cannot bear is a difference
                self.diary.fail(who, f"{type(problem).__name__}: {problem}")

        self.actors.append(threading.Thread(target=act, name=who, daemon=True))

    def _chance(self) -> random.Random:
        return random.Random(self.chance.random())

    def _wait(self, trouble: Trouble) -> None:
        end = time.monotonic() + self.wanted.minutes * 60
        while trouble.failed is None and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.2))
        while trouble.failed is None and not self._everything_happened(trouble):
            if time.monotonic() > end + LONGER_AT_MOST:
                break
            time.sleep(1)
        self._look_at(trouble)

    def _everything_happened(self, trouble: Trouble) -> bool:
        stripe = self.around.stripe
        charged = any(charge.succeeded for charge in facts.charges(stripe.books()))
        return charged and trouble.kills.total() > 0 and stripe_faults(stripe) > 0 and bool(self.diary.taken)

    def _look_at(self, trouble: Trouble) -> None:
        if trouble.failed is not None:
            raise Failed(f"the trouble-maker failed: {trouble.failed!r}") from trouble.failed

    def _end_of_actors(self) -> list[Difference]:
        self.over.set()
        end = time.monotonic() + ACTORS_END_WITHIN
        for actor in self.actors:
            actor.join(max(0.0, end - time.monotonic()))
        return [{"difference": "actor_never_ended", "who": actor.name} for actor in self.actors if actor.is_alive()]

    # --- The questions -----------------------------------------------------------------------------------------------------

    def _compare(self) -> list[Difference]:
        self.facts = facts.read()
        self.stripe = facts.at_stripe(self.around.stripe, self.around.stripe_address)
        return oracles.differences(self.diary, self.stripe, self.facts)

    def _verify(self) -> list[Difference]:
        """`manage.py verify_ledger`, as anybody would ask it."""
        done = self.around.manage("verify_ledger")
        try:
            *found, last = [json.loads(line) for line in done.stdout.splitlines()]
            _say(f"verify_ledger: {json.dumps(last)}")
        except ValueError:
            return [{"difference": "verify_ledger_failed", "what": done.stdout[-2000:]}]
        if done.returncode != bool(found) or last["differences"] != len(found):
            found.append({"difference": "verify_ledger_failed", "what": done.stdout[-2000:]})
        return found

    def _report(self, trouble: Trouble, faults: int, found: list[Difference]) -> int:
        for name, count in sorted((trouble.kills + self.diary.seen).items()):
            _say(f"{count:>6} {name}")
        for name, count in sorted(self.around.ends.items()):
            _say(f"{count:>6} {name} ended by itself")
        figures = {
            "kills": trouble.kills.total(),
            "faults": faults,
            "charges": sum(charge.succeeded for charge in self.stripe.charges),
            "grants": len(self.facts.grants),
            "events": len(self.facts.events),
            "differences": len(found),
        }
        for difference in found[:MOST_SHOWN]:
            _say(json.dumps(difference, default=str))
        idle = [name for name, number in figures.items() if not number and name != "differences"]
        if idle:
            _say(f"Too little happened for a soak: no {', no '.join(idle)}.")
        _say(json.dumps(figures))
        return 1 if found or idle else 0


def _say(words: str, to: object = None) -> None:
    print(words, file=to or sys.stdout, flush=True)  # type: ignore[arg-type]
