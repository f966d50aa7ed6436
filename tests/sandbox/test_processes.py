"""Programs under supervision: stopped politely, then firmly, and found again after a supervisor was killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox import processes
from sandbox.processes import Child
from tests.paths import ROOT

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LOGS", tmp_path / "log")
    monkeypatch.setattr(processes, "RECORD", tmp_path / "processes")


@pytest.fixture
def started() -> Iterator[Callable[..., Child]]:
    """Starts a program; whatever is left of it ends with the test."""
    children = []

    def start(*command: str) -> Child:
        child = Child("program", list(command), os.environ)
        children.append(child)
        child.start()
        return child

    yield start
    for child in children:
        child.stop(0.1)


def until(fulfilled: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not fulfilled():
        assert time.monotonic() < end, "it did not come about in 10 s"
        time.sleep(0.01)


def test_what_it_says_is_in_its_log(started: Callable[..., Child]) -> None:
    child = started("sh", "-c", "echo one; echo two >&2; exit 3")
    until(lambda: child.exit_code is not None)
    assert child.exit_code == 3
    assert child.last_lines() == "one\ntwo"
    assert child.last_lines(1) == "two"


def test_a_polite_program_is_asked_once(started: Callable[..., Child]) -> None:
    child = started("sleep", "60")
    assert processes.birth(int(processes.RECORD.read_text().split()[0]))
    assert child.stop()
    assert child.exit_code == -15
    assert child.stop()


def test_a_stubborn_one_is_killed_after_a_while(started: Callable[..., Child]) -> None:
    child = started(sys.executable, "-c", STUBBORN)
    until(lambda: child.last_lines() == "up")
    assert not child.stop(0.1)
    assert child.exit_code == -9


def test_what_a_program_leaves_behind_ends_with_it(started: Callable[..., Child]) -> None:
    child = started("sh", "-c", "sleep 60 & echo $!; exit 0")
    until(lambda: child.exit_code == 0)
    orphan = int(child.last_lines())
    assert processes.birth(orphan)
    child.stop()
    until(lambda: not processes.birth(orphan))


def test_leftovers_of_a_killed_supervisor_are_ended(started: Callable[..., Child]) -> None:
    child = started("sleep", "60")
    assert processes.stop_leftovers() == 1
    until(lambda: child.exit_code == -15)
    assert processes.stop_leftovers() == 0


def test_what_a_supervisor_was_killed_over_before_it_was_written_down_never_begins(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from sandbox import processes

def killed(pid):
    print(pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

processes.LOGS, processes.RECORD = Path({str(tmp_path)!r}) / "log", Path({str(tmp_path)!r}) / "processes"
processes._write_down = killed
processes.Child("program", ["sleep", "60"], os.environ).start()
"""
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    assert said.returncode == -9
    try:
        until(lambda: not processes.birth(int(said.stdout)))
    finally:
        processes._signal_group(int(said.stdout), signal.SIGKILL)


def test_a_stranger_with_a_number_from_the_record_is_let_alone(started: Callable[..., Child]) -> None:
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        processes.RECORD.write_text(f"{stranger.pid} 12345\n")
        assert processes.stop_leftovers() == 0
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_new_run_begins_with_empty_logs(started: Callable[..., Child]) -> None:
    child = started("echo", "old")
    until(lambda: child.exit_code == 0)
    processes.begin_record()
    assert child.last_lines() == ""
    assert not processes.RECORD.exists()
