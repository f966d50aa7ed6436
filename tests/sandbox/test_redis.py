"""The embedded Redis: closed to others, and nothing that was queued is lost when it ends."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from sandbox.redis import NoRedis, Redis, find


@contextmanager
def running(server: Redis) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(server.command, stdout=subprocess.DEVNULL) as process:
        end = time.monotonic() + 20
        while not server.answers():
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.02)
        yield process
        process.terminate()


def test_what_was_queued_is_there_after_a_restart_and_after_a_kill(tmp_path: Path) -> None:
    with running(server := Redis(tmp_path)), redis.Redis.from_url(server.url) as client:
        client.lpush("queue", "first")
    with running(server := Redis(tmp_path)) as process, redis.Redis.from_url(server.url) as client:
        assert client.lrange("queue", 0, -1) == [b"first"]
        client.lpush("queue", "second")
        process.kill()
    with running(server := Redis(tmp_path)), redis.Redis.from_url(server.url) as client:
        assert client.lrange("queue", 0, -1) == [b"second", b"first"]


def test_it_is_on_loopback_with_a_password_that_no_command_line_shows(tmp_path: Path) -> None:
    server = Redis(tmp_path)
    password = server.url.split("@")[0].removeprefix("redis://:")
    assert password not in " ".join(server.command)
    assert (tmp_path / "redis.conf").stat().st_mode & 0o077 == 0
    with running(server), redis.Redis.from_url(server.url) as client:
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        stranger = redis.Redis.from_url(server.url.replace(password, "wrong"))
        with pytest.raises(redis.AuthenticationError):
            stranger.ping()
        stranger.close()


def test_without_a_server_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(NoRedis, match="or set REDIS_URL"):
        find()
