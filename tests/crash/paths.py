"""What a path is. The paths themselves stand in modules of their own; `ALL` in `every.py` has them all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
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

OF_MONTHS = {"tasks.settle_periods", "tasks.collect_settlements"}
"""What closes months, and charges what they left."""
MOVES_NO_MONEY = {
    "tasks.verify_ledger", "tasks.make_partitions", "flows.switch_recharge_off", "flows.stop_recharge_by_link",
    "flows.draft_contract", "flows.offer_contract", "flows.withdraw_contract", "flows.accept_contract",
    "flows.set_contract_limit", "flows.end_unpaid_contract",
    "flows.quote_plan", "flows.schedule_plan", "flows.cancel_plan",
    "flows.withdraw_change", "flows.charge_plan_to",
}  # fmt: skip
"""These only read, make room, forbid, or promise: they are in no path."""
TELLS_PEOPLE = {
    "flows.tell_low_balances", "tasks.tell_low_balances", "tasks.tell_expiring_credit", "tasks.send_notices",
    "flows.tell_price_rises", "tasks.tell_price_rises",
}  # fmt: skip
"""In no path either, though the clock goes on starting them."""


@dataclass(frozen=True)
class Path:
    """One way money goes.

    `prepare` sets the scene in the test's process. `act` is walked by the process that is killed. `again`: whoever asked
    for it and got no answer asks once more; surely (a gateway, by contract) or only perhaps (a person). `then`: what the
    world outside does two minutes later, unless it asked and got no answer. `covers`: the functions of `flows` and `tasks`
    that the act goes through. `webhooks`: whether Stripe's arrive; False where the clock alone must find out. `later`:
    when the clock comes by once more, after the usual time. `gives_up`: what is not done in time is never done.
    `months`: whether months end; elsewhere they do not, so that every path ends alike on every day of the month.
    """

    name: str
    prepare: Callable[[World], Scene]
    act: Callable[[Scene], None]
    covers: frozenset[str]
    again: Callable[[World, Scene], None] | None = None
    surely_again: bool = False
    then: Callable[[World, Scene], None] | None = None
    webhooks: bool = True
    later: tuple[timedelta, ...] = ()
    gives_up: bool = False
    months: bool = False

    @property
    def ways(self) -> tuple[bool, ...]:
        """Whether it is asked for again after a crash: what may happen."""
        if self.again is None:
            return (False,)
        return (True,) if self.surely_again else (True, False)


def everything() -> set[str]:
    """All of `billing/flows` and `billing/tasks.py`: what moves money, by whomever it is started."""
    own = {f"flows.{name}" for name in flows.__all__}
    return own | {name.removeprefix("billing.") for name in current_app.tasks if name.startswith(f"{tasks.__name__}.")}


def by_the_clock(*, nightly: bool) -> list[str]:
    """The tasks that production starts by itself, in the order of the clock; those of the night only if asked."""
    return [
        name
        for entry in current_app.conf.beat_schedule.values()
        if (name := str(entry["task"]).removeprefix("billing.")) not in MOVES_NO_MONEY
        and (nightly or isinstance(entry["schedule"], (int, float)))
    ]


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


def act_of_staff(scene: Scene) -> None:
    """Staff confirm a form of the admin. Sent again after it was done, it may also be told that nothing is left to do."""
    form = {name: str(scene[name]) for name in FIELDS if name in scene}
    assert visitor(str(scene["staff"])).post(str(scene["page"]), form).status_code in (200, 302)


FIELDS = ("amount", "reason", "nonce", "confirmed", "title", "last_day")


@contextmanager
def the_clock_says(now: datetime) -> Iterator[None]:
    """Tasks started here take it to be `now`."""
    with mock.patch.object(tasks, "_now", return_value=now):
        yield


def task(name: str, *, now: datetime) -> None:
    """Run a task of the clock as if it were `now`."""
    with the_clock_says(now):
        getattr(tasks, name.removeprefix("tasks."))()
