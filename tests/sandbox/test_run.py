"""`make run`, for real: up from nothing, kept up, killed, up again with all it knew, and down without a trace."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox import processes
from sandbox.redis import free_port
from tests import figures as counted
from tests.paths import ROOT

PATIENCE_SECONDS = 240


@dataclass
class Shell:
    """A terminal in a checkout of its own, with an empty environment."""

    local: Path
    port: int

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in {"HOME", "LANG", "PATH", "POSTGRES_BIN"}}
        ours = {"PURSER_LOCAL": str(self.local), "PORT": str(self.port), "PURSER_ENV_FILES": "run"}
        return kept | ours | {"DEMO_DAYS": str(counted.of(2, full=14))}

    def run(self, **more: str) -> "subprocess.Popen[str]":
        """`make run`, as make runs it."""
        return subprocess.Popen(
            [sys.executable, "-m", "sandbox.run"],
            cwd=ROOT,
            env=self.environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def begin(self, *command: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def manage(self, *command: str) -> str:
        said, wrong = (process := self.begin(*command)).communicate()
        assert process.returncode == 0, wrong
        return said

    def health(self) -> dict[str, object]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=10) as answer:
            found = json.load(answer)
        assert isinstance(found, dict)
        return found


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path / ".local", free_port())
    yield shell
    subprocess.run([sys.executable, "-m", "sandbox.reset"], cwd=ROOT, env=shell.environment, check=True)


def until(fulfilled: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not fulfilled():
        assert time.monotonic() < end, f"it did not come about in {PATIENCE_SECONDS} s"
        time.sleep(0.1)


def read_until(process: "subprocess.Popen[str]", words: str) -> str:
    """What it says up to and with the line that has these words."""
    said = ""
    assert process.stdout is not None
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"it ended without saying {words!r}:\n{said}")


def recorded(shell: Shell) -> list[int]:
    return [int(line.split()[0]) for line in (shell.local / "processes").read_text().splitlines()]


def test_from_nothing_through_a_kill_to_a_clean_end(shell: Shell) -> None:
    first = shell.run()
    said = read_until(first, "Ctrl-C stops everything")
    assert said.count("Preparing the embedded database") == 1
    assert f"http://127.0.0.1:{shell.port}" in said
    assert "4242 4242 4242 4242" in said
    assert shell.health()["status"] == "ready"
    password = next(line for line in said.splitlines() if "customer" in line).split()[-1]

    # Another shell, while it is up: the same database, and no second portal beside it.
    assert json.loads(shell.manage("seed_demo"))["password"] == password
    second = shell.run()
    assert "already up" in second.communicate()[0]
    assert second.returncode == 1

    # What serves people does not know the login that owns the tables.
    for pid in recorded(shell):
        told = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        assert not [name for name in told if name.startswith(b"DATABASE_OWNER_URL=") and name[19:]]
    assert "purser_owner" not in (shell.local / "run.env").read_text()

    # A part that dies is started again.
    worker = next(pid for pid in recorded(shell) if b"celery" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(worker, signal.SIGKILL)
    assert "worker ended by itself (killed by SIGKILL)" in read_until(first, "worker ended")

    # The supervisor is killed: what it had started goes on until somebody comes.
    first.kill()
    first.communicate()
    left = [pid for pid in recorded(shell) if processes.birth(pid)]
    assert left

    again = shell.run()
    said = read_until(again, "Ctrl-C stops everything")
    assert password in said
    assert "Preparing" not in said, "the tables are there already"
    assert not [pid for pid in left if processes.birth(pid)]
    everything = recorded(shell)

    again.send_signal(signal.SIGINT)
    rest, _ = again.communicate(timeout=PATIENCE_SECONDS)
    assert rest.endswith("Stopping ...\nStopped.\n")
    assert again.returncode == 0
    assert not [pid for pid in everything if processes.birth(pid)]
    assert not (shell.local / "run.env").exists()

    two_commands_at_once_find_what_there_was(shell, password)
    a_command_that_needs_a_portal_brings_one_along(shell)


def two_commands_at_once_find_what_there_was(shell: Shell, password: str) -> None:
    """Without a portal, each brings the database up for itself: it is one database, and prepared already."""
    both = [shell.begin(*command) for command in (("seed_demo",), ("seed_demo", "--slug", "other", "--credit", "1"))]
    said = [process.communicate(timeout=PATIENCE_SECONDS) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert json.loads(said[0][0])["password"] == password
    assert json.loads(said[1][0])["organization"] == "other"
    assert "Preparing" not in said[0][1] + said[1][1]


def a_command_that_needs_a_portal_brings_one_along(shell: Shell) -> None:
    trace = shell.local / "trace.csv"
    trace.write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:15:46.6805900,4808,10\n"
        "2023-11-16 18:15:50.9951690,3180,8\n"
    )
    replay = ("replay_trace", str(trace), "--org", "other", "--model", "gpt-oss-120b")
    report = json.loads(shell.manage(*replay).splitlines()[-1])
    assert (report["accepted"], report["input_tokens"], report["output_tokens"]) == (2, 7988, 18)
    assert report["cost_usd"] == "0.0028093"  # 7,988 x 0.35 and 18 x 0.75 USD per million
    assert not (shell.local / "run.env").exists()
    assert not (shell.local / "processes").exists()


def test_asked_to_stop_while_it_comes_up_it_stops(shell: Shell) -> None:
    process = shell.run()
    read_until(process, "Redis ...")
    process.terminate()
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    assert not (shell.local / "processes").exists()
    assert not (shell.local / "run.env").exists()


def test_a_taken_port_is_said_so(shell: Shell) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", shell.port))
        other.listen()
        said, _ = (process := shell.run()).communicate()
    assert process.returncode == 1
    assert f"Port {shell.port} cannot be used" in said
    assert "make run PORT=" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [("PORT", "http", "PORT=http is not a port number"), ("STRIPE_SECRET_KEY", "sk_live_51", "is a live key")],
)
def test_what_cannot_work_is_refused_in_words(shell: Shell, variable: str, value: str, words: str) -> None:
    said, _ = (process := shell.run(**{variable: value})).communicate()
    assert process.returncode == 1
    assert words in said
    assert "Traceback" not in said
    assert "sk_live_51" not in said
