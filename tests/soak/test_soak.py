"""The soak itself, for real and short: it ends clean, says what happened, and leaves nothing behind, interrupted or not."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import processes
from tests import figures as counted
from tests.paths import ROOT, operator_variables

pytestmark = pytest.mark.money

MINUTES = counted.of(1, full=3) / 3
PATIENCE_SECONDS = 600


def soak(local: Path, *more: str) -> "subprocess.Popen[str]":
    """`make soak`, in a folder of its own."""
    unsaid = operator_variables() | {"PURSER_ENV_FILES", "DJANGO_SETTINGS_MODULE"}
    environment = {name: value for name, value in os.environ.items() if name not in unsaid}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.soak", *more],
        cwd=ROOT,
        env=environment | {"PURSER_LOCAL": str(local)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_after_a_soak_nothing_differs(tmp_path: Path, figures: counted.Record) -> None:
    local = tmp_path / "soak"
    running = soak(local, "--minutes", str(MINUTES), "--seed", "7", "--kill-every", "3", "--restart-every", "10")
    said, _ = running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 0, said

    last = json.loads(said.splitlines()[-1])
    assert list(last) == ["kills", "faults", "charges", "grants", "events", "differences"]
    assert last["differences"] == 0
    assert min(value for name, value in last.items() if name != "differences") > 0
    assert "postgresql (fast)" in said
    assert not local.exists()
    figures("soak", **last)


def test_interrupted_it_leaves_nothing_running(tmp_path: Path) -> None:
    local = tmp_path / "soak"
    running = soak(local, "--minutes", "5")
    assert running.stdout is not None
    for line in running.stdout:
        if line.startswith("Tables and catalog"):
            break
    born = [line.split() for line in (local / "processes").read_text().splitlines()]
    assert born
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=PATIENCE_SECONDS)
    assert said.splitlines()[-1] == "Stopped."
    assert running.returncode == 130
    assert [pid for pid, birth in born if processes.birth(int(pid)) == birth] == []
    assert not local.exists()
