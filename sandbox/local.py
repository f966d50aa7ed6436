"""What a command in a shell of its own needs and nobody has set up: the database, and a Stripe.

`manage.py` calls this first. What the operator says (environment, `.env`) is taken as it is. Else, while `make run` is up,
its surroundings are used: it wrote them to `.local/run.env`. Else the embedded database (and for a command that talks to the
portal, the portal) is started for this command alone, and stopped with it.
"""

import atexit
import fcntl
import hashlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import environ
import psycopg
from psycopg import sql

from sandbox import places
from sandbox.postgres import APP, Cluster
from sandbox.redis import free_port

DATABASE = "purser"
STRIPE_STATE = places.LOCAL / "stripe.sqlite3"
RUN_ENV = places.LOCAL / "run.env"

# These say something about the code only.
WITHOUT_DATABASE = {
    "check", "collectstatic", "compilemessages", "diffsettings", "findstatic", "help", "makemessages", "makemigrations",
    "sendtestemail", "startapp", "startproject", "version",
}  # fmt: skip
# These talk to a running portal, unless they are told which.
WITH_PORTAL = {"replay_trace"}
# These are about the tables themselves and find them as they are.
WITHOUT_TABLES = {"dbshell", "flush", "inspectdb", "migrate", "showmigrations", "sqlflush", "sqlmigrate"}

# These change tables, which the application's login may not: they get the owner's too.
OF_THE_OWNER = {"flush", "migrate"}

_borrowed = ExitStack()
atexit.register(_borrowed.close)


def provide_database(argv: list[str]) -> None:
    """Sets DATABASE_URL for this `manage.py` command, unless it has one or needs none. Ends the process where it cannot."""
    read_operator()
    running = running_portal()
    command = argv[1] if len(argv) > 1 else "help"
    if "DATABASE_URL" in os.environ or not _needs_database(command, argv):
        return
    try:
        if command in WITH_PORTAL and not running and "PUBLIC_URL" not in os.environ and "--url" not in argv:
            _borrow_portal()
            return  # the settings read what it wrote
        _borrow_database(command, running)
    except places.EmbeddedFailed as problem:
        raise SystemExit(f"No database for `manage.py {command}`. {problem}") from problem


def _borrow_database(command: str, running: dict[str, str] | None) -> None:
    if running and running.get("DATABASE_URL") != Cluster().url(DATABASE, APP):
        return  # `make run` uses a database elsewhere; the settings read where from the same file
    cluster = Cluster()
    cluster.start()
    _borrowed.callback(cluster.stop)
    cluster.ensure_database(DATABASE)
    os.environ |= logins(cluster) if command in OF_THE_OWNER else {"DATABASE_URL": cluster.url(DATABASE, APP)}
    if not running and command not in WITHOUT_TABLES:
        prepare(cluster)


def logins(cluster: Cluster) -> dict[str, str]:
    """Both URLs of the portal's database there: the application's, and the owner's."""
    return {"DATABASE_URL": cluster.url(DATABASE, APP), "DATABASE_OWNER_URL": cluster.url(DATABASE)}


def _borrow_portal() -> None:
    """Starts a portal without demo for this command. Raises EmbeddedFailed with what it said when it does not come up."""
    print("No portal is up: starting one for this command ...", file=sys.stderr, flush=True)
    places.LOCAL.mkdir(exist_ok=True)
    log = places.LOCAL / "bare-run.txt"
    with log.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.run", "--bare"],
            env=os.environ | {"PORT": str(free_port())},
            cwd=places.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the command; the portal goes when the command has gone
        )
    _borrowed.callback(process.wait)
    _borrowed.callback(process.terminate)
    while "Purser is up" not in log.read_text():
        if process.poll() is not None:
            raise places.EmbeddedFailed(log.read_text().strip())
        time.sleep(0.1)


def _needs_database(command: str, argv: list[str]) -> bool:
    if {"-h", "--help", "--version"} & set(argv):
        return False
    if command == "check":
        return "--database" in argv
    return command not in WITHOUT_DATABASE


def read_operator() -> None:
    """Takes `.env` into the environment, where the environment says nothing itself."""
    file = places.ROOT / ".env"
    if file.is_file() and os.environ.get("PURSER_ENV_FILES") not in {"none", "run"}:
        environ.Env.read_env(file)


@contextmanager
def provide_stripe() -> Iterator[str]:
    """The address of a Stripe sandbox, for a command that pays by itself: the one the settings name (that of `make run`),
    else one for this command alone, with the same books. Real Stripe has no such door, so with its key this ends here."""
    from django.conf import settings
    from django.test import override_settings

    from sandbox.stripe import running

    if settings.STRIPE_API_BASE != settings.STRIPE_DEFAULT_API_BASE:
        yield settings.STRIPE_API_BASE
        return
    if settings.STRIPE_SECRET_KEY:
        raise SystemExit(
            "STRIPE_SECRET_KEY names real Stripe, where no command can pay. Leave it unset for the sandbox."
        )
    STRIPE_STATE.parent.mkdir(exist_ok=True)
    with running(state=STRIPE_STATE) as sandbox:
        address = sandbox.base_url
        with override_settings(
            STRIPE_SECRET_KEY=f"sk_test_{secrets.token_hex(16)}",
            STRIPE_API_BASE=address,
            STRIPE_CHECKOUT_ORIGIN=address,
        ):
            yield address


# --- What `make run` has up ---------------------------------------------------------------------------------------------


def write_run_env(values: dict[str, str]) -> None:
    """Says to other shells what `make run` has up. Only its user may read it, since it holds the sandbox's keys."""
    unfinished = RUN_ENV.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in ({"PURSER_RUN_PID": str(os.getpid())} | values).items())
    unfinished.rename(RUN_ENV)


def running_portal() -> dict[str, str] | None:
    """What a living `make run` wrote; what a killed one left is removed, so that the settings do not read it."""
    try:
        lines = RUN_ENV.read_text().splitlines()
    except (FileNotFoundError, PermissionError):
        return None
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    if _alive(int(values.get("PURSER_RUN_PID", "0"))):
        return values
    RUN_ENV.unlink(missing_ok=True)
    return None


def _alive(pid: int) -> bool:
    """Is that process a supervisor? (A number alone may by now be another program's.)"""
    file = Path("/proc") / str(pid) / "cmdline"
    try:
        return b"sandbox.run" in file.read_bytes()
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
    answer = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)
    return "sandbox.run" in answer.stdout


# --- Tables and catalog ---------------------------------------------------------------------------------------------------


def prepare(cluster: Cluster) -> None:
    """Brings the embedded database's tables and catalog up to date, unless it is. The database itself remembers (as
    its comment) for which migrations that was last done."""
    wanted = _fingerprint()
    with (places.LOCAL / "prepare.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with psycopg.connect(cluster.url(DATABASE), autocommit=True) as connection:
            found = connection.execute(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
            ).fetchone()
            if found == (wanted,):
                return
            print("Preparing the embedded database: tables and catalog ...", file=sys.stderr, flush=True)
            for command in (["migrate", "--verbosity=0"], ["import_catalog", "--verbosity=0"]):
                manage(command, logins(cluster))
            connection.execute(
                sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(DATABASE), sql.Literal(wanted))
            )


def manage(command: list[str], database: dict[str, str]) -> None:
    """Runs one `manage.py` command, silent unless it fails. Raises SystemExit with what it said."""
    answer = subprocess.run(
        [sys.executable, places.ROOT / "manage.py", *command],
        env=os.environ | database,
        cwd=places.ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise SystemExit(f"manage.py {command[0]} failed:\n{answer.stdout.strip()}")


def _fingerprint() -> str:
    """Changes whenever a migration, ours or a library's, does, and when the application's rights or the catalog do."""
    others = [
        places.ROOT / name for name in ("requirements.lock", "portal/rights.py", "billing/catalog/first_catalog.toml")
    ]
    files = [*others, *sorted(places.ROOT.glob("*/migrations/*.py"))]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + file.read_bytes())
    return f"prepared {digest.hexdigest()}"
