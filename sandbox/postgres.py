"""An embedded PostgreSQL: nothing to install, nothing to configure, gone with the folder it lives in.

    with Cluster() as cluster:
        cluster.ensure_database("purser")
        psycopg.connect(cluster.url("purser"))

Several processes may use one cluster at once (`make run`, a command in another shell, parallel test runs): the first to
come starts it, the last to leave stops it. Who is using it is known by locks on a file, which the kernel drops when
a process dies, so a crash leaves no wrong count behind. The server listens on a Unix socket in a folder of its own that
only its user (and root) can enter, which is why it asks for no password.
"""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql

from sandbox import places, postgres_binaries

SOCKET = ".s.PGSQL.5432"
OWNER = "purser_owner"  # owns the databases and may change their tables
APP = "purser_app"  # the application: may do what the owner lets it (portal/rights.py)
WAIT_SECONDS = 60

SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %d ",
}
# Data that nobody misses after a crash of the machine: tests' own. Commits stay synchronous, so races stay what they are.
DISPOSABLE = {"fsync": "off", "full_page_writes": "off", "wal_level": "minimal", "max_wal_senders": "0"}


class PostgresFailed(places.EmbeddedFailed):
    """The server did not do what it was asked; the message carries the end of its log."""


class Cluster:
    """One server with its data folder. `durable=False` is for tests: no fsync, and damaged data is simply made anew."""

    def __init__(self, folder: Path | None = None, *, name: str = "postgres", durable: bool = True) -> None:
        self._account = places.server_account()
        self.folder = places.private_folder(folder, self._account) if folder else places.home(name)
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.socket_folder = places.socket_folder(self.folder, SOCKET)
        self.durable = durable
        self._using: IO[str] | None = None
        self._user_process = 0

    # --- Coming and going ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begins to use the cluster, starting it if nobody else has. Doing so twice changes nothing."""
        if self._using:
            return
        with self._door():
            using = (self.folder / "users.lock").open("w")
            try:
                fcntl.flock(using, fcntl.LOCK_SH)
                if not self.answers():
                    self._launch()
                self._ensure_roles()
            except BaseException:
                using.close()
                raise
            self._using, self._user_process = using, os.getpid()

    def stop(self) -> None:
        """Leaves the cluster; the last user to leave stops it. In a forked child it does nothing: the parent goes on."""
        if self._using is None or self._user_process != os.getpid():
            return
        with self._door():
            try:
                fcntl.flock(self._using, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass  # somebody else still uses it
            else:
                self.halt()
            self._using.close()
            self._using = None

    def halt(self) -> None:
        """Stops the server whoever uses it: connections are cut, what was committed is kept."""
        pid = self._process()
        if pid is None:
            return
        os.kill(pid, signal.SIGINT)  # "fast" shutdown
        end = time.monotonic() + WAIT_SECONDS
        while self._process() == pid:
            if time.monotonic() > end:
                os.kill(pid, signal.SIGQUIT)  # at once; the next start recovers
                end += WAIT_SECONDS
            time.sleep(0.02)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- Using it ---------------------------------------------------------------------------------------------------

    def url(self, database: str, user: str = OWNER) -> str:
        """A connection URL that libpq, psycopg and the portal's DATABASE_URL all understand."""
        return f"postgresql://{quote(user)}@/{quote(database)}?{urlencode({'host': str(self.socket_folder)})}"

    def ensure_database(self, name: str, owner: str = OWNER) -> None:
        """Makes the database unless it is there."""
        with psycopg.connect(self.url("postgres", "postgres"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                return
            try:
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner))
                )
            except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                pass  # another process made it between the question and the act

    def answers(self) -> bool:
        """Does the server take connections right now?"""
        try:
            psycopg.connect(self.url("postgres", "postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def runs(self) -> bool:
        """Is the server's process there? (Cheaper than asking it something.)"""
        return self._process() is not None

    # --- Starting ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _door(self) -> Iterator[None]:
        """One process at a time comes, goes, starts or stops."""
        with (self.folder / "door.lock").open("w") as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            yield

    def _launch(self) -> None:
        major = self._data_version()
        server = postgres_binaries.usable_by(postgres_binaries.find(major), self._account, self.folder)
        if major is None:
            self._initialise(server)
        self._write_settings()
        try:
            self._start_server(server)
        except PostgresFailed:
            if self.durable:
                raise
            places.forget(self.data)
            self._initialise(server)
            self._write_settings()
            self._start_server(server)

    def _initialise(self, server: postgres_binaries.Server) -> None:
        """Makes the data folder, under another name until it is whole, so that an interrupted one is never used."""
        unfinished = self.folder / "data.unfinished"
        places.forget(unfinished)
        answer = places.run_as(
            [
                server.program("initdb"),
                f"--pgdata={unfinished}",
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-locale",
                *([] if self.durable else ["--no-sync"]),
            ],
            self._account,
            cwd=self.folder,
        )
        if answer.returncode:
            raise PostgresFailed(f"initdb failed:\n{answer.stdout.strip()}")
        with (unfinished / "postgresql.conf").open("a") as settings:
            settings.write("include_if_exists 'purser.conf'\n")
        unfinished.rename(self.data)

    def _write_settings(self) -> None:
        chosen = SETTINGS | ({} if self.durable else DISPOSABLE)
        # The value is a list of quoted folders: without the inner quotes a comma in the path would end it.
        chosen["unix_socket_directories"] = '"{}"'.format(str(self.socket_folder).replace('"', '""'))
        lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in chosen.items()]
        file = self.data / "purser.conf"
        file.write_text("".join(lines))
        if self._account:
            os.chown(file, self._account.uid, self._account.gid)

    def _start_server(self, server: postgres_binaries.Server) -> None:
        """Starts the server and waits until it answers. Gets past what a killed one left behind."""
        end = time.monotonic() + WAIT_SECONDS
        while True:
            self._settle_pid_file(end)
            if self.answers():
                return
            began_at = self.log.stat().st_size if self.log.exists() else 0
            pid = self._spawn(server)
            while _command_line(pid) and time.monotonic() < end:
                if self.answers():
                    return
                time.sleep(0.05)
            said = self._log_since(began_at)
            # A killed server's children hold its shared memory until they notice; they do so within seconds.
            if "shared memory block" not in said or time.monotonic() > end:
                raise PostgresFailed(f"PostgreSQL did not start. The end of {self.log}:\n{said[-2000:]}")
            time.sleep(0.2)

    def _spawn(self, server: postgres_binaries.Server) -> int:
        """The new server's process id. It belongs to nobody: neither our end nor a Ctrl-C in our terminal ends it."""
        answer = places.run_as(
            ["/bin/sh", "-c", '"$1" -D "$2" >>"$3" 2>&1 </dev/null & echo $!', "sh", server.program("postgres"),
             str(self.data), str(self.log)],
            self._account,
            cwd=self.folder,
        )  # fmt: skip
        return int(answer.stdout)

    def _settle_pid_file(self, end: float) -> None:
        """A server that is just starting or stopping is waited for. What one that is gone left behind is removed, since
        PostgreSQL itself only looks whether its number is taken, by whatever."""
        while self._process():
            if self.answers() or time.monotonic() > end:
                return
            time.sleep(0.1)
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        (self.socket_folder / f"{SOCKET}.lock").unlink(missing_ok=True)

    def _ensure_roles(self) -> None:
        with psycopg.connect(self.url("postgres", "postgres"), autocommit=True) as connection:
            there = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
            for role, rights in ((OWNER, "LOGIN CREATEDB"), (APP, "LOGIN")):
                if role not in there:
                    connection.execute(sql.SQL("CREATE ROLE {} " + rights).format(sql.Identifier(role)))
            if not self.durable:
                # Tests empty append-only tables between them, for which their triggers have to be put to sleep.
                connection.execute(
                    sql.SQL("GRANT SET ON PARAMETER session_replication_role TO {}").format(sql.Identifier(OWNER))
                )

    # --- Looking ----------------------------------------------------------------------------------------------------

    def _data_version(self) -> int | None:
        try:
            return int((self.data / "PG_VERSION").read_text())
        except FileNotFoundError:
            return None

    def _process(self) -> int | None:
        """The process id of this cluster's server, if it runs."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        return pid if str(self.data) in _command_line(pid) else None

    def _log_since(self, offset: int) -> str:
        try:
            with self.log.open("rb") as log:
                log.seek(offset)
                return log.read().decode(errors="replace").strip()
        except FileNotFoundError:
            return ""


def _command_line(pid: int) -> str:
    """What a process was started as; empty when there is none."""
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return ""
    answer = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)
    return answer.stdout.strip()
