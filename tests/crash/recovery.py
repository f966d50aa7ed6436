"""What goes on by itself after a crash: Stripe's webhooks, doubled and in any order, and the tasks of the clock."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from tests.crash import forks, paths
from tests.crash.world import World
from tests.factories.paying import post

INSTANTS = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 17, 40, 81, 26 * 60, 76 * 60))
"""After the crash: the first polls, a purchase's deadline, the end of the hour, keys at Stripe forgotten, the end of A1's
72 hours. Whatever is not right by then is not put right by itself."""
NIGHT = timedelta(hours=24)
"""By then the tasks of the night have run."""
LONG_AFTER = INSTANTS[-1]
OPEN = """
SELECT EXISTS (SELECT FROM payment_intent WHERE state IN ('created', 'unknown', 'waiting', 'processing'))
    OR EXISTS (SELECT FROM card_setup WHERE state IN ('created', 'unknown', 'waiting'))
    OR EXISTS (SELECT FROM payment_method WHERE detached_at IS NOT NULL AND released_at IS NULL)
    OR EXISTS (SELECT FROM refund WHERE state IN ('asked', 'unknown', 'pending'))
    OR EXISTS (SELECT FROM inbox_event WHERE state = 'new')
    OR EXISTS (SELECT FROM contract_due WHERE stage = 'charging' OR stage = 'due' AND tries = 0)
    OR EXISTS (SELECT FROM contract_line)
    OR EXISTS (SELECT FROM subscription WHERE next_at <= now())
    OR EXISTS (SELECT FROM usage_delta) OR EXISTS (SELECT FROM accrual)
    OR EXISTS (SELECT FROM account WHERE code IN (2000, 2010) AND NOT exhausted AND NOT held AND expires_at <= %s)
"""
BACKENDS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"


@dataclass(frozen=True)
class Recovery:
    """What happens after `crashed_at`: nobody does anything but Stripe, the clock, and `then` others after two minutes.

    `webhooks`: whether Stripe's arrive, `months`: whether months end.
    `later`: when the clock comes by once more after everything has come to rest.
    """

    world: World
    crashed_at: datetime
    webhooks: bool = True
    months: bool = False
    later: tuple[timedelta, ...] = ()
    then: Callable[[], None] | None = None

    def run(self) -> datetime:
        """Let time go by until everything has come to rest; answers when that was."""
        for number, since in enumerate(INSTANTS):
            now = self._live(since, backwards=bool(number % 2))
            if number == 1 and self.then:
                self.then()
            if number and self._at_rest(now):
                break
        for since in self.later:
            if self.crashed_at + since > now:
                now = self._live(since)
        return now

    def _live(self, since: timedelta, *, backwards: bool = False) -> datetime:
        now = self.crashed_at + since
        self.world.stripe.admin.set_clock(now.isoformat())
        if self.webhooks:
            deliver(self.world, times=2, backwards=backwards)
        for name in paths.by_the_clock(nightly=since >= NIGHT):
            if self.months or name not in paths.OF_MONTHS:
                paths.task(name, now=now)
        return now

    def _at_rest(self, now: datetime) -> bool:
        if self.webhooks and any(self.world.told[event["id"]] < 2 for event in self.world.events):
            return False
        with connection.cursor() as cursor:
            cursor.execute(OPEN, [now])
            row: tuple[bool] = cursor.fetchone()
        return not row[0]


def deliver(world: World, *, times: int, backwards: bool = False) -> None:
    """Stripe tells what it has not told `times` times yet."""
    told, door = world.told, paths.visitor()
    for event in world.events[:: -1 if backwards else 1]:
        if told[event["id"]] < times:
            told[event["id"]] += 1
            assert post(event, client=door).status_code == 200


def wait_until_it_is_gone(patience: float = 10) -> None:
    """PostgreSQL notices that its client was killed, and gives back what that had locked."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute(BACKENDS, [forks.WALKER])
            if cursor.fetchone() == (0,):
                return
        time.sleep(0.002)
    raise AssertionError("the connection of the process that was killed is still open")
