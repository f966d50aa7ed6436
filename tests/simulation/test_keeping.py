"""A seed that failed is kept, and whoever ran it is told how to see it again."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.simulation import __main__ as simulate
from tests.simulation import keeping
from tests.simulation.running import Result

HELD: list[str] = []
FAILED = ["2025-02-03 04:05:06 Acme was charged twice"]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "kept_seeds.txt"
    file.write_text("# Seeds that failed once, one a line.\n7 # charged at 8 in the morning\n")
    monkeypatch.setattr(keeping, "KEPT", file)
    return file


def lived(command: list[str], *, env: dict[str, str], check: bool) -> Any:
    """In place of the seeds: 7 and 8 fail, 9 holds."""
    assert env[simulate.SEEDS] == "7:3"
    for seed, violations in ((7, FAILED), (8, FAILED), (9, HELD)):
        result = Result(seed, 6.5, 10, 3, f"digest of {seed}", violations)
        (Path(env[simulate.RESULTS]) / f"{seed}.json").write_text(json.dumps(asdict(result)))
    Path(env["PURSER_FIGURES"]).write_text(json.dumps({"simulation": {"planted": 9, "caught": 8}}))
    return SimpleNamespace(returncode=1)


def test_a_seed_that_failed_is_kept_once_and_names_its_command(
    kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["simulate", "--seeds", "3", "--first-seed", "7"])
    monkeypatch.setattr(simulate, "subprocess", SimpleNamespace(run=lived))
    assert simulate.main() == 1
    *told, last = capsys.readouterr().out.splitlines()
    assert told == ["seed 7: make simulate SEEDS=1 FIRST_SEED=7", "seed 8: make simulate SEEDS=1 FIRST_SEED=8"]
    summed = json.loads(last)
    assert (summed["seeds"], summed["org_years"], summed["events"], summed["faults"]) == (3, 19.5, 30, 9)
    assert (summed["violations"], summed["planted"], summed["caught"]) == (2, 9, 8)
    assert keeping.kept() == [7, 8]
    assert "7 # charged at 8 in the morning\n8\n" in kept.read_text()


def test_the_seeds_that_are_kept_can_be_read() -> None:
    assert len(keeping.kept()) == len(set(keeping.kept()))
