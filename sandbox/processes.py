"""Programs that `make run` keeps up: each in a process group of its own with its own log, stopped politely, then firmly.

What runs is written down, so that a supervisor that was killed leaves nothing behind that the next one cannot find.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox import places

LOGS = places.LOCAL / "log"
RECORD = places.LOCAL / "processes"
PATIENCE_SECONDS = 20.0
WRITTEN_DOWN_FIRST = ["/bin/sh", "-c", 'read begin && exec "$@" </dev/null', "sh"]
"""Becomes the program at our word. If we are killed before that, over a pid that is in no record, it ends instead."""


@dataclass
class Child:
    """One program. `command` and `environment` are kept, so that it can be started again."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def log(self) -> Path:
        return LOGS / f"{self.name}.log"

    def start(self) -> None:
        LOGS.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*WRITTEN_DOWN_FIRST, *self.command],
                env=dict(self.environment),
                cwd=places.ROOT,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the supervisor; it stops the others in order
            )
        _write_down(self._process.pid)
        assert self._process.stdin is not None
        try:
            with self._process.stdin as door:
                door.write(b"begin\n")
        except BrokenPipeError:
            pass  # killed already

    @property
    def pid(self) -> int | None:
        """Of the program itself; None before its first start."""
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """None while it runs. Negative: the signal that killed it."""
        return self._process.poll() if self._process else None

    def stop(self, patience: float = PATIENCE_SECONDS) -> bool:
        """TERM to the program, KILL to its whole group after `patience` seconds. False when it had to be killed."""
        if self._process is None:
            return True
        polite = True
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                polite = False
        self.kill()
        self._process.wait()
        return polite

    def kill(self) -> None:
        """Ends the whole group at once: also what the program itself left behind."""
        if self._process:
            _signal_group(self._process.pid, signal.SIGKILL)

    def last_lines(self, count: int = 15) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])
        except FileNotFoundError:
            return ""


# --- What a killed supervisor left running ----------------------------------------------------------------------------


def begin_record() -> None:
    """Ends what is left of an earlier run, then begins a new page, and empty logs. Only one supervisor at a time."""
    stop_leftovers()
    LOGS.mkdir(parents=True, exist_ok=True)
    for log in LOGS.glob("*.log"):
        log.unlink()


def stop_leftovers() -> int:
    """Ends every process group still alive from the record; how many there were."""
    try:
        lines = RECORD.read_text().splitlines()
    except FileNotFoundError:
        return 0
    left = [int(pid) for pid, _, born in (line.partition(" ") for line in lines) if born and birth(int(pid)) == born]
    for pid in left:
        _signal_group(pid, signal.SIGTERM)
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end and any(birth(pid) for pid in left):
        time.sleep(0.1)
    for pid in left:
        _signal_group(pid, signal.SIGKILL)
    RECORD.unlink()
    return len(left)


def end_record() -> None:
    RECORD.unlink(missing_ok=True)


def birth(pid: int) -> str:
    """When a process began, in the system's own words; empty when there is none. A number is used again, this is not."""
    try:
        text = (Path("/proc") / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self").exists():
            return ""
    else:
        fields = text.rpartition(")")[2].split()  # the name in brackets may hold blanks
        return "" if fields[0] == "Z" else fields[19]
    answer = subprocess.run(["ps", "-p", str(pid), "-o", "lstart="], capture_output=True, text=True, check=False)
    return answer.stdout.strip()


def _write_down(pid: int) -> None:
    with RECORD.open("a") as record:
        record.write(f"{pid} {birth(pid)}\n")


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass  # gone
