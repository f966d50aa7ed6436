"""The soak itself, for real and short: it ends clean, says what happened, and leaves nothing behind, interrupted or not."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import local, processes
from sandbox.postgres import Cluster
from tests import figures as counted
from tests.paths import ROOT, operator_variables

pytestmark = [pytest.mark.money, pytest.mark.xdist_group("soak")]  # the tables are made once for both

MINUTES = counted.of(1, full=6) / 6
PATIENCE_SECONDS = 600


@pytest.fixture(scope="module")
def tables() -> Iterator[list[str]]:
    """What spares a soak the making of its tables, a third of the time it is up; by `make money` it makes its own."""
    if counted.FULL:
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        with Cluster(Path(folder) / "cluster") as cluster:
            cluster.ensure_database(local.DATABASE)
            local.prepare(cluster)
        yield ["--tables", str(cluster.data)]


def soak(folder: Path, *more: str) -> "subprocess.Popen[str]":
    """`make soak`, in a folder of its own."""
    unsaid = operator_variables() | {"PURSER_ENV_FILES", "DJANGO_SETTINGS_MODULE"}
    environment = {name: value for name, value in os.environ.items() if name not in unsaid}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.soak", *more],
        cwd=ROOT,
        env=environment | {"PURSER_LOCAL": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_after_a_soak_nothing_differs(tmp_path: Path, tables: list[str], figures: counted.Record) -> None:
    folder = tmp_path / "soak"
    often = ["--kill-every", "2", "--restart-every", "6"]
    running = soak(folder, *tables, *often, "--minutes", str(MINUTES), "--seed", "7")
    said, _ = running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 0, said

    last = json.loads(said.splitlines()[-1])
    assert list(last) == ["kills", "faults", "charges", "grants", "events", "differences"]
    assert last["differences"] == 0
    assert min(value for name, value in last.items() if name != "differences") > 0
    assert "postgresql (fast)" in said
    assert not folder.exists()
    figures("soak", **last)


def test_interrupted_it_leaves_nothing_running(tmp_path: Path, tables: list[str]) -> None:
    folder = tmp_path / "soak"
    running = soak(folder, *tables, "--minutes", "5", "--kill-every", "1")
    assert running.stdout is not None
    for line in running.stdout:
        if "trouble begins" in line:
            break
    born = [line.split() for line in (folder / "processes").read_text().splitlines()]
    assert born
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=PATIENCE_SECONDS)
    assert said.splitlines()[-1] == "Stopped."
    assert running.returncode == 130
    assert [pid for pid, birth in born if processes.birth(int(pid)) == birth] == []
    assert str(folder) not in every_command_line()
    assert not folder.exists()


def every_command_line() -> str:
    """Of all processes: what was started again after the record was read names its folder too."""
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
