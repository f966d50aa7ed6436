"""Which seeds are lived through, on which scale, and those that failed once."""

import os
from pathlib import Path

from tests import figures as counted
from tests.simulation.running import Scale

SEEDS = "PURSER_SIMULATION_SEEDS"
"""`1:20` is twenty seeds from 1 on."""
RESULTS = "PURSER_SIMULATION_RESULTS"
"""A folder: what each seed came to is written there."""
KEPT = Path(__file__).with_name("kept_seeds.txt")
SCALE = Scale(parties=6) if counted.FULL else Scale(parties=30, days=122)
"""Which six a seed has differs from seed to seed; in `make test` all live, and for four months only."""


def chosen() -> list[int]:
    first, number = (int(part) for part in os.environ.get(SEEDS, f"1:{counted.of(2, full=4)}").split(":"))
    return list(range(first, first + number))


def again(seed: int) -> str:
    """The command that shows it once more."""
    if counted.FULL:
        return f"make simulate SEEDS=1 FIRST_SEED={seed}"
    return f"{SEEDS}={seed}:1 .venv/bin/python -m pytest tests/simulation -k thirteen_months"


def kept() -> list[int]:
    """One seed a line; what stands behind a # is for people."""
    lines = (line.split("#")[0].strip() for line in KEPT.read_text().splitlines())
    return [int(line) for line in lines if line]
