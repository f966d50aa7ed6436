"""Where the embedded servers keep their things, and as whom they run.

PostgreSQL refuses to run as root. For root it therefore runs as an account without rights, and its folders must lie where
that account may go: `.local/` if it can be entered, else a folder of this checkout's own under `/var/tmp`. Nobody else may
look into either.
"""

import hashlib
import os
import pwd
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# All state of this checkout. (Tests of `make run` itself name another, so as not to disturb the developer's.)
LOCAL = Path(os.environ.get("PURSER_LOCAL", ROOT / ".local"))
FINGERPRINT = hashlib.sha256(os.fsencode(LOCAL)).hexdigest()[:12]
ELSEWHERE = Path("/var/tmp") / f"purser-{FINGERPRINT}"

# A Unix socket's whole path has to fit the kernel's 108 bytes (104 on macOS), with its closing zero.
LONGEST_SOCKET_PATH = 100


class EmbeddedFailed(Exception):
    """An embedded server cannot be had. The message is for the person at the keyboard: it says what to do."""


class PlaceRefused(EmbeddedFailed):
    """A folder or an account is not ours to use."""


@dataclass(frozen=True)
class Account:
    """Whom a server runs as."""

    name: str
    uid: int
    gid: int


@cache
def server_account() -> Account | None:
    """The account for servers that refuse root; None when we are not root and servers simply run as us."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise PlaceRefused(
        "Running as root, and there is neither a user 'postgres' nor 'nobody': set DATABASE_URL instead."
    )


def run_as(command: list[str], account: Account | None, *, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a command as the account (as ourselves for None), in a session of its own and with a bare environment. What it
    says comes back as text."""
    try:
        return subprocess.run(
            command,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", "HOME": str(cwd or "/")},
            cwd=cwd or "/",
            umask=0o077,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except (PermissionError, subprocess.SubprocessError) as problem:
        if account is None or not os.access(command[0], os.X_OK):
            raise
        raise PlaceRefused(
            f"Running as root without the right to become the user '{account.name}' ({problem}): set DATABASE_URL."
        ) from problem


def may_enter(folder: Path, account: Account | None) -> bool:
    """Can that account reach this folder? (Its parents may be closed: a clone under /root is.)"""
    return run_as(["/bin/sh", "-c", 'cd "$1" && test -x .', "sh", str(folder)], account).returncode == 0


def may_execute(file: Path, account: Account | None) -> bool:
    return run_as(["/bin/sh", "-c", 'test -r "$1" && test -x "$1"', "sh", str(file)], account).returncode == 0


def private_folder(folder: Path, account: Account | None) -> Path:
    """Makes the folder, owned by the account and closed to others; refuses one that somebody else put there first."""
    owner = account.uid if account else os.geteuid()
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        pass
    else:
        if account:
            os.chown(folder, account.uid, account.gid)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
        raise PlaceRefused(
            f"{folder} was made by another user. Work as that user, or remove it (`make reset` as that user or root)."
        )
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder


def home(name: str) -> Path:
    """The private folder of one embedded server, made if need be."""
    account = server_account()
    try:
        LOCAL.mkdir(exist_ok=True)
    except PermissionError as problem:
        raise PlaceRefused(f"{LOCAL} cannot be made: {ROOT} is not writable for you.") from problem
    if account is None or may_enter(LOCAL, account):
        return private_folder(LOCAL / name, account)
    return private_folder(private_folder(ELSEWHERE, account) / name, account)


def socket_folder(folder: Path, socket_name: str) -> Path:
    """A folder for a server's Unix socket: the given one, or a short one under /tmp when the path would be too long or
    holds a character that means something else in a connection string (a comma parts hosts)."""
    plain = re.fullmatch(r"[A-Za-z0-9/._+~@-]+", str(folder)) is not None
    if plain and len(os.fsencode(folder / socket_name)) <= LONGEST_SOCKET_PATH:
        return folder
    short = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return private_folder(Path("/tmp") / f"purser-{short}", server_account())


def forget(folder: Path) -> None:
    """Removes a folder and all in it, if it is there."""
    if folder.is_symlink() or folder.exists():
        shutil.rmtree(folder)
