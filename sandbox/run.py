"""`make run`: the whole portal on one machine, from an empty folder to a customer with usage, until Ctrl-C.

In order: PostgreSQL, Redis, Stripe sandbox, tables and catalog, web server, worker with its clock, demo accounts, and
a gateway that replays traffic (`--bare`: without the last two). What the operator names (DATABASE_URL, REDIS_URL,
STRIPE_SECRET_KEY, PORT, PUBLIC_URL) is used instead of ours. Everything is stopped in the opposite order.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from types import FrameType
from typing import Any

from sandbox import local, places, processes, programs
from sandbox.mail import Mailbox
from sandbox.postgres import APP, Cluster
from sandbox.processes import Child
from sandbox.redis import Redis, free_port

UP = "Purser is up"
READY_SECONDS = 120
# A program that ends by itself is started again, but not for ever: this often within this many seconds.
RESTARTS, WITHIN_SECONDS = 3, 120
LONGEST_PAUSE = 60.0
NOT_THE_OWNER = {"DATABASE_OWNER_URL": ""}  # empty rather than absent: `.env` does not fill it in again
TEST_CARDS = "4242 4242 4242 4242 pays; 4000 0000 0000 0002 is declined; 4000 0027 6000 3184 asks for 3-D Secure"


class Failed(Exception):
    """The portal cannot be brought up or kept up; the message says why."""


class Stopped(Exception):
    """Somebody asked to stop."""


class Portal:
    """One run. `up()` brings everything up, `watch()` keeps it up, `down()` ends it; each may raise Failed or Stopped.

    A bare one is for a command that needs a portal: without demo accounts, and nobody's traffic."""

    def __init__(self, *, bare: bool = False) -> None:
        self.bare = bare
        self.port = _port()
        self.address = os.environ.get("PUBLIC_URL", f"http://127.0.0.1:{self.port}").rstrip("/")
        self.mail = places.LOCAL / "mail"
        self.said = {"PORT": str(self.port), "PUBLIC_URL": self.address, "EMAIL_FILE_PATH": str(self.mail)}
        # The login that owns the tables is told to `migrate` alone: not to what serves people, and not to other shells.
        self.owner = {"DATABASE_OWNER_URL": os.environ.get("DATABASE_OWNER_URL", "")}
        self.children: list[Child] = []
        self.gateway: Child | None = None
        self.cluster: Cluster | None = None
        self._asked_to_stop = 0
        self._to_undo = ExitStack()

    # --- Up -------------------------------------------------------------------------------------------------------------

    def up(self) -> None:
        self._only_one()
        self._start_database()
        self._start_redis()
        self._start_stripe()
        local.write_run_env(self.said)
        self._to_undo.callback(local.RUN_ENV.unlink, missing_ok=True)
        self._prepare_tables()
        self.mailbox = Mailbox(self.mail, self.address)
        demo = None if self.bare else self._demo_accounts()
        say("Web server and worker ...")
        self._start("web", *programs.web(self.port))
        self._start("worker", *programs.worker())
        self._wait_until_ready()
        if demo is None:
            say(f"{UP}: {self.address}")
            return
        self.gateway = self._start("gateway", sys.executable, "manage.py", "replay_trace", "--loop", "--org", "demo")
        self._welcome(demo)

    def _prepare_tables(self) -> None:
        """Of our own database the database itself remembers whether that is done: two programs fewer at most starts."""
        if self.cluster is None:
            say("Tables and catalog ...")
            self._manage("migrate", "--verbosity=0", **self.owner)
            self._manage("import_catalog", "--verbosity=0")
            return
        try:
            local.prepare(self.cluster)
        except SystemExit as problem:
            self._pause_if_asked()  # Ctrl-C in a terminal ends such a program too
            raise Failed(str(problem)) from problem
        self._pause_if_asked()

    def _demo_accounts(self) -> dict[str, Any]:
        """Before the worker starts: its sweep would take the made-up past for usage that came late."""
        days = os.environ.get("DEMO_DAYS") or "14"
        say(f"Demo accounts, and {days} days of traffic for them ...")
        report = self._manage("seed_demo", "--staff", "--credit", "100", "--history", days, *self._promises())
        demo: dict[str, Any] = json.loads(report.splitlines()[-1])
        return demo

    def _promises(self) -> list[str]:
        """A plan has to be paid, which a command can do at the sandbox alone."""
        return ["--promises"] if "stripe" in {child.name for child in self.children} else []

    def _only_one(self) -> None:
        running = local.running_portal()
        if running:
            raise Failed(f"`make run` is already up at {running['PUBLIC_URL']} (process {running['PURSER_RUN_PID']}).")
        processes.begin_record()
        self._to_undo.callback(processes.end_record)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError as problem:
                raise Failed(
                    f"Port {self.port} cannot be used ({problem.strerror}). Try: make run PORT=8100"
                ) from problem

    def _start_database(self) -> None:
        if "DATABASE_URL" in os.environ:
            say("PostgreSQL: the one of DATABASE_URL")
            self.said["DATABASE_URL"] = os.environ["DATABASE_URL"]
            return
        say("PostgreSQL ...")
        self.cluster = Cluster()
        self._to_undo.callback(self.cluster.stop)
        self.cluster.start()
        self.cluster.ensure_database(local.DATABASE)
        self.said["DATABASE_URL"] = self.cluster.url(local.DATABASE, APP)
        self.owner = local.logins(self.cluster)
        self._pause_if_asked()

    def _start_redis(self) -> None:
        if os.environ.get("REDIS_URL"):
            say("Redis: the one of REDIS_URL")
            self.said["REDIS_URL"] = os.environ["REDIS_URL"]
            return
        say("Redis ...")
        server = Redis(places.LOCAL / "redis")
        child = self._start("redis", *server.command)
        self._wait(server.answers, child, "Redis")
        self.said["REDIS_URL"] = server.url

    def _start_stripe(self) -> None:
        key = os.environ.get("STRIPE_SECRET_KEY", "")
        if key.startswith(("sk_live_", "rk_live_")):
            raise Failed("STRIPE_SECRET_KEY is a live key. `make run` is for trying things: use a test key, or none.")
        if key:
            say("Stripe: the real one, in test mode")
            names = ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS", "STRIPE_API_BASE", "STRIPE_CHECKOUT_ORIGIN")
            self.said |= {name: os.environ[name] for name in names if name in os.environ}
            return
        say("Stripe sandbox ...")
        port = self.port + 1 if programs.is_free(self.port + 1) else free_port()
        secret = f"whsec_{secrets.token_hex(16)}"
        base = f"http://127.0.0.1:{port}"
        child = self._start("stripe", *programs.stripe(port, f"http://127.0.0.1:{self.port}/webhooks/stripe", secret))
        self._wait(lambda: programs.get_json(f"{base}/_sandbox/health")[0] == 200, child, "The Stripe sandbox")
        self.said |= {
            "STRIPE_SECRET_KEY": f"sk_test_{secrets.token_hex(16)}",
            "STRIPE_API_BASE": base,
            "STRIPE_CHECKOUT_ORIGIN": base,
            "STRIPE_WEBHOOK_SECRETS": secret,
        }

    def _wait_until_ready(self) -> None:
        answer: dict[str, Any] = {}

        def ready() -> bool:
            status, told = programs.get_json(f"http://127.0.0.1:{self.port}/health/ready")
            answer.clear()
            answer.update(told)
            return status == 200

        try:
            self._wait(ready, self.children[-1], "The portal")
        except Failed as problem:
            raise Failed(f"{problem}\n/health/ready says: {json.dumps(answer)}") from problem

    def _welcome(self, demo: dict[str, Any]) -> None:
        stripe = f"test card     {TEST_CARDS}"
        if "stripe" not in {child.name for child in self.children}:
            stripe += (
                f"\n  webhooks      stripe listen --forward-to {self.address}/webhooks/stripe"
                "\n                (and say its secret: make run STRIPE_SECRET_KEY=... STRIPE_WEBHOOK_SECRETS=whsec_...)"
            )
        say(
            f"""
{UP}: {self.address}
  customer      {demo["email"]}  password {demo["password"]}
  staff         {demo["staff_email"]}  password {demo["staff_password"]}  at {self.address}/admin/
  {stripe}
  mail          {self.mail} (links in it are shown here)
  logs          {processes.LOGS}

A gateway is replaying traffic for the demo organization. Other shells: .venv/bin/python manage.py ...
Ctrl-C stops everything; what happened is kept. `make reset` forgets it.
"""
        )

    # --- Keeping it up -------------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Starts again what ends by itself, and shows mail. Comes back only by Stopped or Failed."""
        ends: dict[str, list[float]] = {}
        due: dict[str, float] = {}
        while True:
            self._pause_if_asked(0.5)
            now = time.monotonic()
            for child in self.children:
                if child.exit_code is not None and child.name not in due:
                    recent = [end for end in ends.get(child.name, []) if now - end < WITHIN_SECONDS]
                    ends[child.name] = [*recent, now]
                    due[child.name] = now + self._pause_before_restart(child, len(recent))
                if due.get(child.name, now + 1) <= now:
                    del due[child.name]
                    child.start()
            if self.cluster and not self.cluster.runs():
                raise Failed(f"PostgreSQL stopped by itself. Its log: {self.cluster.log}")
            for letter in self.mailbox.new():
                say(f'Mail to {letter.to}: "{letter.subject}"', *(f"  {link}" for link in letter.links))

    def _pause_before_restart(self, child: Child, recent: int) -> float:
        """Seconds until it is started again. The gateway may fail as often as it likes: customers' traffic is not ours."""
        child.kill()
        if child is self.gateway:
            pause = min(2.0**recent, LONGEST_PAUSE)
            if child.exit_code:
                say(f"The gateway ended ({_how(child)}); again in {pause:.0f} s. Its last lines:", child.last_lines(5))
            return pause
        if recent >= RESTARTS:
            raise Failed(
                f"{child.name} keeps ending by itself ({_how(child)}):\n{child.last_lines()}\nAll of it: {child.log}"
            )
        say(f"{child.name} ended by itself ({_how(child)}) and is started again. Its last lines:", child.last_lines(5))
        return float(recent)

    # --- Down ------------------------------------------------------------------------------------------------------------

    def down(self) -> None:
        """Stops everything, last first."""
        began = bool(self.children)
        if began:
            say("Stopping ...")
        self._to_undo.close()
        if began:
            say("Stopped.")

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """The first asks; a second does not wait any more."""
        self._asked_to_stop += 1
        if self._asked_to_stop > 1:
            for child in self.children:
                child.kill()

    def _pause_if_asked(self, seconds: float = 0.0) -> None:
        """Waits, and raises Stopped as soon as somebody asks to stop."""
        end = time.monotonic() + seconds
        while not self._asked_to_stop and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))
        if self._asked_to_stop:
            raise Stopped

    # --- Small parts -------------------------------------------------------------------------------------------------------

    def _start(self, name: str, *command: str) -> Child:
        self._pause_if_asked()
        child = Child(name, list(command), os.environ | self.said | NOT_THE_OWNER)
        self.children.append(child)
        self._to_undo.callback(child.stop)
        child.start()
        return child

    def _wait(self, fulfilled: Any, child: Child, who: str) -> None:
        end = time.monotonic() + READY_SECONDS
        while not fulfilled():
            self._pause_if_asked(0.2)
            for one in {id(child): child, **{id(c): c for c in self.children}}.values():
                if one.exit_code is not None:
                    raise Failed(f"{one.name} ended at once ({_how(one)}):\n{one.last_lines()}")
            if time.monotonic() > end:
                raise Failed(f"{who} did not come up in {READY_SECONDS} s. See {child.log}")

    def _manage(self, *command: str, **more: str) -> str:
        """Runs a `manage.py` command to its end, `more` in its environment, and gives what it printed."""
        self._pause_if_asked()
        answer = subprocess.run(
            [sys.executable, "manage.py", *command],
            env=os.environ | self.said | NOT_THE_OWNER | more,
            cwd=places.ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        self._pause_if_asked()
        if answer.returncode:
            raise Failed(f"manage.py {command[0]} failed:\n{answer.stderr.strip()[-3000:]}")
        return answer.stdout


def _port() -> int:
    said = os.environ.get("PORT") or "8000"
    if not said.isdecimal() or not 1 <= int(said) <= 65534:
        raise Failed(f"PORT={said} is not a port number.")
    return int(said)


def _how(child: Child) -> str:
    code = child.exit_code or 0
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)


def main() -> int:
    local.read_operator()
    try:
        portal = Portal(bare="--bare" in sys.argv)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, portal.on_signal)
        try:
            portal.up()
            portal.watch()
        finally:
            portal.down()
    except Stopped:
        return 0
    except (Failed, places.EmbeddedFailed) as problem:
        print(f"\n{problem}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
