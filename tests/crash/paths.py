"""What a path is. The paths themselves stand in modules of their own; `ALL` in `every.py` has them all."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from unittest import mock

from celery import current_app
from django.conf import settings
from django.test import Client
from django.test.client import ClientHandler

from billing import flows, tasks
from tests.crash.world import World

Scene = dict[str, str | int]
"""What the process that is killed needs to know: plain values, since it is another process."""

MOVES_NO_MONEY = {"tasks.verify_ledger", "tasks.make_partitions"}
"""These only read, or make room: they are in no path."""


@dataclass(frozen=True)
class Path:
    """One way money goes.

    `prepare` sets the scene in the test's process. `act` is walked by the process that is killed. `again`: whoever asked
    for it and got no answer asks once more; surely (a gateway, by contract) or only perhaps (a person). `then`: what the
    world outside does two minutes later, unless it asked and got no answer. `covers`: the functions of `flows` and `tasks`
    that the act goes through. `webhooks`: whether Stripe's arrive; False where the clock alone must find out.
    """

    name: str
    prepare: Callable[[World], Scene]
    act: Callable[[Scene], None]
    covers: frozenset[str]
    again: Callable[[World, Scene], None] | None = None
    surely_again: bool = False
    then: Callable[[World, Scene], None] | None = None
    webhooks: bool = True

    @property
    def ways(self) -> tuple[bool, ...]:
        """Whether it is asked for again after a crash: what may happen."""
        if self.again is None:
            return (False,)
        return (True,) if self.surely_again else (True, False)


def everything() -> set[str]:
    """All of `billing/flows.py` and `billing/tasks.py`: what moves money, by whomever it is started."""
    own = {
        f"flows.{name}"
        for name, value in vars(flows).items()
        if inspect.isfunction(value) and value.__module__ == flows.__name__ and not name.startswith("_")
    }
    return own | {name.removeprefix("billing.") for name in current_app.tasks if name.startswith(f"{tasks.__name__}.")}


def by_the_clock() -> list[str]:
    """The tasks that production starts by itself, in the order of the clock."""
    told = [str(entry["task"]).removeprefix("billing.") for entry in current_app.conf.beat_schedule.values()]
    return [name for name in told if name not in MOVES_NO_MONEY]


@cache
def _handler() -> ClientHandler:
    """Putting the middleware together takes longer than most requests: once for all visitors of this process."""
    handler = ClientHandler(enforce_csrf_checks=False)
    handler.load_middleware()
    return handler


def visitor(session: str = "") -> Client:
    """A browser or machine at Purser's doors, wherever this runs; with this cookie it is signed in."""
    client = Client()
    client.handler = _handler()
    if session:
        client.cookies[settings.SESSION_COOKIE_NAME] = session
    return client


def moment(scene: Scene, name: str = "at") -> datetime:
    return datetime.fromisoformat(str(scene[name]))


@contextmanager
def the_clock_says(now: datetime) -> Iterator[None]:
    """Tasks started here take it to be `now`."""
    with mock.patch.object(tasks, "_now", return_value=now):
        yield


def task(name: str, *, now: datetime) -> None:
    """Run a task of the clock as if it were `now`."""
    with the_clock_says(now):
        getattr(tasks, name.removeprefix("tasks."))()
