"""Which seeds are lived through, and on which scale."""

import os

from tests import figures as counted
from tests.simulation.running import Scale

SEEDS = "PURSER_SIMULATION_SEEDS"
"""`1:20` is twenty seeds from 1 on."""
RESULTS = "PURSER_SIMULATION_RESULTS"
"""A folder: what each seed came to is written there."""
SCALE = Scale(parties=5, pace=0.8, rounds=0.35) if counted.FULL else Scale(parties=21, days=62, pace=0.5, rounds=0.3)
"""Which five a seed has differs from seed to seed; in `make test` one of each kind lives, less busily and for two months."""


def chosen() -> list[int]:
    first, number = (int(part) for part in os.environ.get(SEEDS, f"1:{counted.of(1, full=4)}").split(":"))
    return list(range(first, first + number))


def again(seed: int) -> str:
    """The command that shows it once more."""
    if counted.FULL:
        return f"make simulate SEEDS=1 FIRST_SEED={seed}"
    return f"{SEEDS}={seed}:1 .venv/bin/python -m pytest tests/simulation -k thirteen_months"
