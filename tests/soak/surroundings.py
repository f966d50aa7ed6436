"""The whole portal for one soak, in a folder of its own: PostgreSQL, Redis, Stripe sandbox, web, worker, clock.

As `make run` has them up, except that the clock is a process of its own, which can be killed alone.
"""

import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sandbox import local, places, processes, programs
from sandbox.postgres import Cluster
from sandbox.processes import Child
from sandbox.redis import Redis, free_port
from sandbox.stripe.client import Admin

READY_SECONDS = 180
RATES = dict.fromkeys(
    [
        f"RATE_{what}"
        for what in ("CHECKOUT", "NEW_KEY", "GATEWAY", "CUSTOMER_KEY", "UNKNOWN_TOKEN", "SIGN_IN", "SIGN_UP")
    ],
    "1000000/m",
)
MORTAL = ("web", "worker", "clock", "redis")


class Failed(Exception):
    """The surroundings cannot be brought up; the message says why."""


class Surroundings:
    """One portal. `up()`, then kill and `revive()` as one likes, then `down()`."""

    def __init__(self, seed: int, tables: Path | None = None) -> None:
        """`tables`: the data folder of a stopped cluster that has tables and catalog, to begin with a copy of."""
        self.seed, self._tables = seed, tables
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.environment: dict[str, str] = RATES | {
            "DATABASE_OWNER_URL": "",  # only `migrate` is told
            "PORT": str(self.port),
            "PUBLIC_URL": self.address,
            "EMAIL_FILE_PATH": str(places.LOCAL / "mail"),
            "STRIPE_TIMEOUT_SECONDS": "2",
            "LOG_LEVEL": "WARNING",
        }
        self.children: dict[str, Child] = {}
        self.ends: Counter[str] = Counter()
        """How often each program ended without being killed by us."""
        self._due: dict[str, float] = {}
        self._up_since: dict[str, float] = {}
        self._log_began: dict[str, int] = {}
        self._to_undo = ExitStack()
        self._changing = threading.Lock()
        """Held while programs are started again: by the trouble, or while somebody waits for them."""
        self._over = False

    # --- Up and down ----------------------------------------------------------------------------------------------------

    def up(self, say: Callable[[str], object]) -> None:
        forget_everything()
        places.LOCAL.mkdir(parents=True, exist_ok=True)
        processes.begin_record()
        self._to_undo.callback(processes.end_record)
        say("PostgreSQL, Redis and a Stripe sandbox ...")
        self._start_database()
        self._start_redis()
        self._start_stripe()
        os.environ.update(self.environment)
        self._prepare_tables()
        say("Web server, worker and clock ...")
        self._start("web", *programs.web(self.port))
        self._start("worker", *programs.worker(with_clock=False))
        self._start("clock", *programs.clock())
        self.wait_until_ready(READY_SECONDS)

    def down(self) -> None:
        """Stops everything, last first. Whoever would start something again finds it over."""
        with self._changing:
            self._over = True
        self._to_undo.close()

    def manage(self, *command: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """A `manage.py` command as a process of its own, in these surroundings, with `more` in its environment."""
        return subprocess.run(
            [sys.executable, "manage.py", *command],
            env=os.environ | self.environment | more,
            cwd=places.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def wait_until_ready(self, seconds: float) -> None:
        """Until the portal itself says that it is ready: database, tables, and a sweep a moment ago."""
        end = time.monotonic() + seconds
        while (answer := programs.get_json(f"{self.address}/health/ready"))[0] != 200:
            if time.monotonic() > end:
                raise Failed(f"The portal is not ready after {seconds:.0f} s: {answer[1]}. Logs: {processes.LOGS}")
            self.revive()
            time.sleep(0.2)

    def _start_database(self) -> None:
        cluster = Cluster()
        self._to_undo.callback(cluster.stop)
        if self._tables:
            subprocess.run(["cp", "-a", self._tables, cluster.data], check=True)
        cluster.start()
        cluster.ensure_database(local.DATABASE)
        self._cluster = cluster
        self.environment["DATABASE_URL"] = local.logins(cluster)["DATABASE_URL"]

    def _prepare_tables(self) -> None:
        try:
            local.prepare(self._cluster)
        except SystemExit as problem:
            raise Failed(str(problem)) from problem

    def _start_redis(self) -> None:
        self._redis = server = Redis(places.LOCAL / "redis")
        self._start("redis", *server.command)
        _wait(server.answers, "Redis")
        self.environment["REDIS_URL"] = server.url

    def _start_stripe(self) -> None:
        port, secret = free_port(), f"whsec_{secrets.token_hex(16)}"
        self.stripe_address = f"http://127.0.0.1:{port}"
        command = programs.stripe(port, f"{self.address}/webhooks/stripe", secret)
        self._start("stripe", *command, "--seed", str(self.seed), "--refund-delay", "1")
        _wait(lambda: programs.get_json(f"{self.stripe_address}/_sandbox/health")[0] == 200, "The Stripe sandbox")
        self.stripe = Admin.at(self.stripe_address)
        self.environment |= {
            "STRIPE_SECRET_KEY": f"sk_test_{secrets.token_hex(16)}",
            "STRIPE_API_BASE": self.stripe_address,
            "STRIPE_CHECKOUT_ORIGIN": self.stripe_address,
            "STRIPE_WEBHOOK_SECRETS": secret,
        }

    def _start(self, name: str, *command: str) -> None:
        child = Child(name, list(command), os.environ | self.environment)
        self.children[name] = child
        self._to_undo.callback(child.stop, 10.0)
        child.start()

    # --- Trouble ----------------------------------------------------------------------------------------------------------

    def kill(self, name: str, chance: random.Random, *, back_after: float) -> str:
        """Kills a program and all its processes, or one of those alone, as the out-of-memory killer would; says which."""
        child = self.children[name]
        inside = _processes_inside(child)
        if inside and chance.random() < 0.25:
            _kill(chance.choice(inside))
            self._up_since.pop(name, None)
            return f"a process of {name}"
        child.kill()
        self._due[name] = time.monotonic() + back_after
        self._up_since.pop(name, None)
        return name

    def up_for(self, seconds: float) -> list[str]:
        """Which of the programs that may be killed are up, and were at each look for so long. To be asked often."""
        now = time.monotonic()
        for name in MORTAL:
            if not self._is_up(name):
                self._up_since.pop(name, None)
            else:
                self._up_since.setdefault(name, now)
        return [name for name, since in self._up_since.items() if now - since >= seconds]

    def _is_up(self, name: str) -> bool:
        """Not only started: on a slow machine that takes long, and one that never gets to its work shows nothing."""
        child = self.children[name]
        if child.exit_code is not None:
            return False
        match name:
            case "web":
                return programs.get_json(f"{self.address}/health/live")[0] == 200
            case "redis":
                return self._redis.answers()
            case "worker":
                return bool(_processes_inside(child))
        return child.log.stat().st_size > self._log_began.get(name, 0)  # the clock says hello

    def restart_database(self, how: str) -> None:
        """`fast` as an operator would, `immediate` as one in a hurry, `kill` as the out-of-memory killer."""
        if how == "fast":
            self._cluster.halt()
        else:
            pid = int((self._cluster.data / "postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGQUIT if how == "immediate" else signal.SIGKILL)
            _wait(lambda: not self._cluster.runs(), "The end of PostgreSQL")
        with self._changing:
            if self._over:
                return
            again = Cluster(self._cluster.folder)
            again.start()
            self._to_undo.callback(again.stop)

    def revive(self) -> None:
        """Starts what is down and due; what ended by itself is due at once."""
        with self._changing:
            if not self._over:
                self._revive(time.monotonic())

    def _revive(self, now: float) -> None:
        for name, child in self.children.items():
            if child.exit_code is None:
                continue
            if name not in self._due:
                self.ends[name] += 1
                self._due[name] = now
                child.kill()  # what it may have left behind
            if self._due[name] <= now:
                del self._due[name]
                self._log_began[name] = child.log.stat().st_size
                child.start()


def forget_everything() -> None:
    """Ends what an earlier soak left running in this folder, and its state."""
    processes.stop_leftovers()
    for place in (places.LOCAL, places.ELSEWHERE):
        if (place / "postgres" / "data").exists():
            cluster = Cluster(place / "postgres")
            cluster.halt()
            if cluster.socket_folder != cluster.folder:
                places.forget(cluster.socket_folder)
    places.forget(places.ELSEWHERE)
    places.forget(places.LOCAL)


def _processes_inside(child: Child) -> list[int]:
    """The processes that a program started itself: a web server's or a worker's own workers."""
    try:
        return [int(pid) for pid in Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it ended by itself in this moment


def _wait(fulfilled: Callable[[], Any], who: str) -> None:
    end = time.monotonic() + READY_SECONDS
    while not fulfilled():
        if time.monotonic() > end:
            raise Failed(f"{who} did not come about in {READY_SECONDS} s. Logs: {processes.LOGS}")
        time.sleep(0.05)
