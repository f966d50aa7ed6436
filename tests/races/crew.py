"""Actors who start at the same instant. Threads and connections stay from round to round, so that starting costs nothing."""

import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from django.db import connection

Act = Callable[[], Any]

PATIENCE = 30.0
"""Seconds after which an actor that hangs is a failure."""
APART = 0.004
"""Seconds. Actors who start up to so much apart meet at other places than those who start together."""
IMPATIENT = "SET lock_timeout = '10s'; SET statement_timeout = '20s'"
"""Actors who wait for each other in a circle end with an error, and that is an anomaly."""


class Wire(Protocol):
    """What a statement of an actor passes on its way to PostgreSQL (Django's execute wrappers)."""

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any: ...


class Here(threading.local):
    """Which act this thread is playing, None outside of a race; and where it has waited for the others already."""

    act: int | None = None
    met: frozenset[str] = frozenset()


here = Here()


class Hand:
    """A thread with a connection that does one act after the other."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._orders: queue.SimpleQueue[tuple[int, Act, threading.Barrier, float, Future[Any]] | None] = (
            queue.SimpleQueue()
        )
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def play(self, number: int, act: Act, start: threading.Barrier, late: float) -> "Future[Any]":
        answer: Future[Any] = Future()
        self._orders.put((number, act, start, late, answer))
        return answer

    def leave(self) -> None:
        self._orders.put(None)
        self._thread.join(PATIENCE)

    def _work(self) -> None:
        while order := self._orders.get():
            number, act, start, late, answer = order
            try:
                self._connect()
                start.wait(PATIENCE)
                time.sleep(late)
                here.act, here.met = number, frozenset()
                answer.set_result(act())
            except Exception as fault:
                answer.set_result(fault)
            finally:
                here.act = None
                if connection.in_atomic_block or not connection.is_usable():
                    connection.close()
        connection.close()

    def _connect(self) -> None:
        fresh = connection.connection is None
        connection.ensure_connection()
        if fresh:
            with connection.cursor() as cursor:
                cursor.execute(IMPATIENT)
        if self._wire not in connection.execute_wrappers:
            connection.execute_wrappers.append(self._wire)


class Crew:
    """As many hands as a race has actors."""

    def __init__(self) -> None:
        self._hands: list[Hand] = []
        self.wire: Wire | None = None

    def run(self, acts: Sequence[Act], *, apart: random.Random | None = None) -> list[Any]:
        """Everybody at once, or (`apart`) nearly so; answers what each act answered or raised, in their order."""
        while len(self._hands) < len(acts):
            self._hands.append(Hand(self._pass))
        start = threading.Barrier(len(acts))
        late = [apart.uniform(0, APART) if apart else 0.0 for _ in acts]
        answers = [
            hand.play(number, act, start, late[number]) for number, (hand, act) in enumerate(zip(self._hands, acts))
        ]
        return [answer.result(PATIENCE * 2) for answer in answers]

    def leave(self) -> None:
        for hand in self._hands:
            hand.leave()
        self._hands.clear()

    def _pass(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if self.wire is not None and here.act is not None:
            return self.wire(execute, sql, params, many, context)
        return execute(sql, params, many, context)
