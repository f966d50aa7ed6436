"""What the safety suites count, and how much they do: printed at the end of a run, and all of it by `make money`.

A suite takes the fixture `figures` and says what it did: `figures("races", rounds=200, anomalies=0)`. The numbers of all
tests and workers are added up by suite. `of(20, full=200)` is how often a suite repeats itself: 20 times in `make test`,
200 in `make money`.
"""

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

FULL = bool(os.environ.get("PURSER_FULL"))
PROPERTY = "figures"
Figures = dict[str, dict[str, float]]
Record = Callable[..., None]
T = TypeVar("T")


def of(reduced: int, *, full: int) -> int:
    """How many rounds, steps or cells: `reduced` in `make test`, `full` in `make money`."""
    return full if FULL else reduced


def some(things: Sequence[T], turn: int, *, reduced: int) -> list[T]:
    """`reduced` of these, and at each `turn` (0, 1, 2, ...) the next ones, so that all come up; all with PURSER_FULL=1."""
    if FULL:
        return list(things)
    return [things[(turn * reduced + step) % len(things)] for step in range(min(reduced, len(things)))]


@pytest.fixture
def figures(record_property: Callable[[str, Any], None]) -> Record:
    """Counts for a suite: `figures("races", rounds=200, anomalies=0)`. Call it after the assertion it tells of."""

    def record(suite: str, **counted: float) -> None:
        record_property(PROPERTY, {suite: counted})

    return record


def added_up(reports: Iterable[Any]) -> Figures:
    """The counts of these test reports by suite, those of other processes too."""
    total: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(int))
    for report in reports:
        for name, value in getattr(report, "user_properties", ()):
            if name == PROPERTY:
                for suite, counted in value.items():
                    for what, number in counted.items():
                        total[suite][what] += number
    return {suite: dict(counted) for suite, counted in sorted(total.items())}


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """After the last test: one line for each suite; all of them into the file that `make money` names."""
    finished = [r for kind in ("passed", "failed") for r in terminalreporter.getreports(kind) if r.when == "call"]
    total = added_up(finished)
    if total:
        amount = "full figures" if FULL else "reduced: `make money` runs the full figures"
        terminalreporter.section(f"money safety ({amount})")
        for suite, counted in total.items():
            terminalreporter.write_line(
                f"{suite}: " + ", ".join(f"{what} {number}" for what, number in counted.items())
            )
    if file := os.environ.get("PURSER_FIGURES"):
        Path(file).write_text(json.dumps(total))
