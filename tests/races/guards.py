"""Taking a guard away, for a control: a lock that is not taken, a condition that is not asked, a constraint that is gone.

A control must fail every time, not by luck. So its actors wait for each other where it matters: at a statement
(`meet_at`), or at a place its test names (`meet`). In the race itself nobody waits anywhere, and nothing is taken away.
"""

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from django.db import connection
from django.test import TransactionTestCase

from billing.metering import charging
from tests import owners
from tests.races.crew import here

LOCKS = re.compile(r"(?i)\s+FOR\s+(NO\s+KEY\s+)?UPDATE(\s+OF\s+\"?\w+\"?)?(\s+SKIP\s+LOCKED)?")
POSTING = "INSERT INTO transfer "
REFUSED = (
    "transfer_numbered_once|transfer_number_out_of_order|transfer_key_key|account_bounded|account_grant_within_granted"
    "|deadlock detected"
)
"""Without the wallet's lock two who post at once take the same number, the same cause or the same rest: the database refuses
the second. That is the last line of defence; whoever meets it has failed, and what it brought is not there."""

BLOCKED = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"

PATIENCE = 1.0
"""Seconds after which nobody else is expected any more: that actor has been kept away, or is through."""


def at_the_guard() -> "Control":
    """Nothing is taken away: everybody comes to the lock at the same moment. Who locks nothing is not waited for long."""
    return Control(meet_at=LOCKS.pattern, patience=0.05)


@dataclass
class Control:
    """What is different for the actors of a control.

    `locks=False`: no statement of theirs locks rows. `without`: what their statements lack (pattern -> what stands there
    instead). `meet_at`: statements before which everybody waits for everybody, the first time each comes there.
    """

    locks: bool = True
    without: Mapping[str, str] = field(default_factory=dict)
    meet_at: str = ""
    patience: float = PATIENCE
    _places: dict[str, threading.Barrier] = field(default_factory=dict)
    _mutex: threading.Lock = field(default_factory=threading.Lock)
    _actors: int = 0

    def begin(self, actors: int) -> None:
        """A new round: nobody has met yet."""
        self._actors = actors
        self._places.clear()

    def meet(self, place: str, parties: int | None = None) -> None:
        """Wait for the others (all, or so many) here; each actor once in a round."""
        if here.act is None or place in here.met:
            return
        here.met |= {place}
        with self._mutex:
            barrier = self._places.setdefault(place, threading.Barrier(parties or self._actors))
        try:
            barrier.wait(self.patience)
        except threading.BrokenBarrierError:
            pass

    def until_somebody_waits(self) -> None:
        deadline = time.monotonic() + self.patience
        with connection.cursor() as cursor:
            while time.monotonic() < deadline:
                cursor.execute(BLOCKED)
                if cursor.fetchone()[0]:
                    return

    def wire(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if self.meet_at and re.search(self.meet_at, sql):
            self.meet("statement")
        if not self.locks:
            sql = LOCKS.sub("", sql)
        for pattern, instead in self.without.items():
            sql = re.sub(pattern, instead, sql)
        return execute(sql, params, many, context)


@contextmanager
def uncharged(actor: int) -> Iterator[None]:
    """This actor does not charge what was used before it acts."""
    drain = charging.drain
    skip = lambda org_ids, *, now: charging.Drained() if here.act == actor else drain(org_ids, now=now)  # noqa: E731
    with mock.patch.object(charging, "drain", skip):
        yield


# --- In the database itself --------------------------------------------------------------------------------------------


def as_owner(sql: str) -> list[tuple[Any, ...]]:
    """What only the owner of the tables may do; answers the rows, if there are any."""
    with owners.connected() as owner:
        done = owner.execute(sql.encode())
        return done.fetchall() if done.description else []


@contextmanager
def dropped(table: str, *names: str) -> Iterator[None]:
    """Without these constraints or unique indexes; they come back when the rows that broke them are gone."""
    again = []
    for name in names:
        constraint = as_owner(
            f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = '{name}' "
            f"AND conrelid = '{table}'::regclass"
        )
        if constraint:
            as_owner(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
            again.append(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {constraint[0][0]}')
        else:
            ((index,),) = as_owner(f"SELECT pg_get_indexdef('\"{name}\"'::regclass)")
            as_owner(f'DROP INDEX "{name}"')
            again.append(index)
    try:
        yield
    finally:
        TransactionTestCase._fixture_teardown(None)  # type: ignore[attr-defined]
        for sql in again:
            as_owner(sql)


@contextmanager
def silent(table: str, *triggers: str) -> Iterator[None]:
    """Without these triggers."""
    for trigger in triggers:
        as_owner(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
    try:
        yield
    finally:
        for trigger in triggers:
            as_owner(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}")


@contextmanager
def function(name: str, *changes: tuple[str, str]) -> Iterator[None]:
    """With a function of the database as it would be without its guard: each change is a pattern and what replaces it."""
    ((before,),) = as_owner(f"SELECT pg_get_functiondef('{name}'::regproc)")
    weaker = before
    for pattern, instead in changes:
        weaker, found = re.subn(pattern, instead, weaker)
        assert found, f"{name} has no {pattern}"
    as_owner(weaker)
    try:
        yield
    finally:
        as_owner(before)
