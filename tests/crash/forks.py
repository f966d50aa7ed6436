"""A warm process that forks one child for each walk, and the child that is killed. `python -m tests.crash.forks`.

Django takes over a second to start; a fork of a process in which it has started takes none. The warm process has no
connection and no thread, so each child opens its own and is like a process that was started for it. It reads one JSON
order a line and answers each with what became of the child.
"""

import json
import os
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

from stripe import StripeClient

from sandbox.stripe.core import Sandbox
from sandbox.stripe.inprocess import InProcessClient
from tests import garbage
from tests.paths import ROOT

PATIENCE_SECONDS = 60
WALKER = "purser-walker"
"""What PostgreSQL knows the connections of the killed processes by."""


@dataclass(frozen=True)
class Order:
    """Walk this path; be killed at a step, counted from 1, or (None) at none. `plant`: a fault to be found."""

    path: str
    scene: Mapping[str, str | int]
    settings: Mapping[str, Any]
    kill_at: int | None = None
    plant: str = ""


@dataclass(frozen=True)
class Walked:
    """What became of it: the steps it reached, the functions it went through, the signal that ended it, or its error."""

    steps: list[str] = field(default_factory=list)
    reached: list[str] = field(default_factory=list)
    signal: int | None = None
    error: str = ""


# --- The test's side -------------------------------------------------------------------------------------------------


class Forks:
    """The warm process, as the test has it."""

    def __init__(self, database_url: str, log: Path) -> None:
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.forks"],
                cwd=ROOT,
                env=os.environ
                | {"DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "tests.settings", "PGAPPNAME": WALKER},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._log = log

    def walk(self, order: Order) -> Walked:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE_SECONDS)
        line = self._process.stdout.readline() if ready else ""
        assert line, f"the process that forks is gone:\n{self._log.read_text()[-4000:]}"
        return Walked(**json.loads(line))

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


# --- The warm process's side -----------------------------------------------------------------------------------------


def serve() -> None:
    from tests.crash import every, paths  # noqa: F401  (all that a child needs is read in before it is forked)

    paths.visitor()
    _speak_to_stripe()
    for line in sys.stdin:
        print(json.dumps(asdict(_forked(Order(**json.loads(line))))), flush=True)


def _speak_to_stripe() -> None:
    """Stripe's library reads most of itself in at its first calls: here, once, and not in each child."""
    from billing.payments import gateway
    from billing.payments.gateway import wire

    sandbox, now = Sandbox(), datetime.now(UTC)
    client = StripeClient("sk_test_warm_up", http_client=InProcessClient(sandbox), max_network_retries=0)
    with mock.patch.object(wire, "_client", return_value=client):
        customer = gateway.create_customer(gateway.NewCustomer(1, "Warm-up", "warm-up@example.com"), key="customer")
        intent, here = uuid4(), "http://127.0.0.1/"
        new = gateway.NewCheckout(intent, customer, 5_00, "Credit", now + timedelta(hours=1), here, here)
        page = gateway.create_checkout(new, key="checkout")
        gateway.find_checkout(customer, intent, since=now - timedelta(hours=1))
        sandbox.admin.pay(page.id)
        (charge,) = gateway.charges_since(now - timedelta(hours=1))
        gateway.read_checkout(page.id)
        gateway.create_refund(gateway.NewRefund(uuid4(), charge.id, 1_00, "duplicate"), key="refund")
        gateway.read_dispute(sandbox.admin.dispute(charge.id)["id"])


def _forked(order: Order) -> Walked:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_the_child(order, writing)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = [json.loads(line) for line in pipe]
    _, status = os.waitpid(child, 0)
    reached, error = next(((rest[0], rest[1]) for kind, *rest in told if kind == "end"), ([], ""))
    ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    if ended_by is None and not any(kind == "end" for kind, *_ in told):
        error = f"ended with status {status} without a word"
    return Walked([rest[0] for kind, *rest in told if kind == "step"], reached, ended_by, error)


def _be_the_child(order: Order, pipe: int) -> None:
    """Never returns. What it tells is in the pipe at once, so that nothing is lost when it is killed."""

    def tell(*told: Any) -> None:
        os.write(pipe, json.dumps(told).encode() + b"\n")

    reached: set[str] = set()
    error = ""
    try:
        _walk(order, lambda step: tell("step", step), reached)
    except BaseException:
        error = traceback.format_exc()
    tell("end", sorted(reached), error)
    os._exit(1 if error else 0)


def _walk(order: Order, tell: Callable[[str], None], reached: set[str]) -> None:
    from django.conf import settings
    from django.db import connection

    from tests.crash import every, plants, steps

    for name, value in order.settings.items():
        setattr(settings, name, value)
    connection.ensure_connection()
    with ExitStack() as stack:
        stack.enter_context(_noted(reached))
        stack.enter_context(plants.planted(order.plant))
        stack.enter_context(steps.Steps(tell, order.kill_at).counted())
        every.BY_NAME[order.path].act(dict(order.scene))


def _noted(reached: set[str]) -> ExitStack:
    """Which functions of `flows` and `tasks` are called."""
    from billing import flows, tasks
    from tests.crash.paths import everything

    def noting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            reached.add(name)
            return function(*args, **named)

        return call

    stack = ExitStack()
    for name in everything():
        module, attribute = (flows if name.startswith("flows.") else tasks), name.partition(".")[2]
        function = getattr(module, attribute)
        # A flow is known in its room too, where others of its kind call it.
        for home in {module, sys.modules.get(getattr(function, "__module__", ""), module)}:
            stack.enter_context(mock.patch.object(home, attribute, noting(name, function)))
    return stack


if __name__ == "__main__":
    import django
    from django.test.utils import setup_test_environment
    from django.urls import get_resolver

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    django.setup()
    setup_test_environment(debug=False)
    get_resolver()._populate()
    garbage.keep_what_is_loaded()
    serve()
