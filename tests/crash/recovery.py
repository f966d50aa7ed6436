"""What goes on by itself after a crash: Stripe's webhooks, doubled and in any order, and the tasks of the clock."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection

from tests.crash import paths
from tests.crash.world import World
from tests.factories.paying import post

INSTANTS = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 17, 40, 81, 26 * 60, 76 * 60))
"""After the crash: the first polls, a purchase's deadline, the end of the hour, keys at Stripe forgotten, the end of A1's
72 hours. Whatever is not right by then is not put right by itself."""
A_NIGHT = timedelta(hours=26)
BACKENDS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


def recover(
    world: World,
    *,
    webhooks: bool = True,
    later: tuple[timedelta, ...] = (),
    then: Callable[[], None] | None = None,
) -> datetime:
    """Let time go by, 76 hours or until `later`. Nobody does anything but Stripe and the clock, and the `then` of others."""
    for number, since in enumerate((*INSTANTS, *later)):
        world.stripe.admin.call("POST", "/clock", reset=True)
        world.stripe.admin.advance(since.total_seconds())
        if webhooks:
            deliver(world, times=2, backwards=bool(number % 2))
        for name in paths.by_the_clock(nightly=since >= A_NIGHT):
            paths.task(name, now=world.start + since)
        if then and number == 1:
            then()
    return world.start + since


def deliver(world: World, *, times: int, backwards: bool = False) -> None:
    """Stripe tells what it has not told `times` times yet."""
    told, door = world.told, paths.visitor()
    for event in world.stripe.sandbox.world.books.oldest_first("event")[:: -1 if backwards else 1]:
        if told[event["id"]] < times:
            told[event["id"]] += 1
            assert post(event, client=door).status_code == 200


def wait_until_it_is_gone(patience: float = 10) -> None:
    """PostgreSQL notices that its client was killed, and gives back what that had locked."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute(BACKENDS)
            if cursor.fetchone() == (0,):
                return
        time.sleep(0.002)
    raise AssertionError("the connection of the process that was killed is still open")
