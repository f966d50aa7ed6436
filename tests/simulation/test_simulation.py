"""Many organizations for thirteen months, with everything that goes wrong: nothing is ever wrong in the books."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from tests import figures as counted
from tests.figures import Record
from tests.simulation import keeping, seeds
from tests.simulation.plants import PLANTS, Plant
from tests.simulation.running import Result, Scale, run
from tests.simulation.trouble import Rates

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

SHORT = Scale(parties=8, days=5)
"""For one seed that is lived through twice."""
ALIKE = 12
"""So many organizations that are alike live in the world a bug is planted into."""
TRIES = 3
"""A bug is planted into the worlds of at most so many seeds, one after the other, until it is caught."""
PLANTED = 22 if seeds.RESULTS in os.environ else counted.of(3, full=len(PLANTS))
"""So many of the bugs: a few in `make test`, those that are seen soon in `make simulate`, all in `make money`."""


def held(result: Result) -> Result:
    """What a seed came to, kept for the sum; raises with the first thing that was wrong, and how to see it again."""
    if folder := os.environ.get(seeds.RESULTS):
        (Path(folder) / f"{result.seed}.json").write_text(json.dumps(asdict(result)))
    print(f"seed {result.seed}: {result.seconds:.0f} s, {dict(sorted(result.counted.items()))}")
    assert not result.violations, f"{seeds.again(result.seed)}\n" + "\n".join(result.violations)
    return result


@pytest.mark.parametrize("seed", seeds.chosen())
def test_thirteen_months_without_a_difference(seed: int, figures: Record) -> None:
    result = held(run(seed, seeds.SCALE))
    figures(
        "simulation", seeds=1, org_years=result.org_years, events=result.events, faults=result.faults, violations=0
    )  # fmt: skip


def test_seeds_that_failed_once_do_not_fail_again() -> None:
    for seed in keeping.kept():
        held(run(seed, seeds.SCALE))


def test_the_same_seed_is_the_same_life() -> None:
    once, again, other = (run(seed, SHORT) for seed in (7, 7, 8))
    assert not once.violations
    assert (once.digest, once.events, once.faults) == (again.digest, again.events, again.faults)
    assert once.digest != other.digest


@pytest.mark.parametrize("plant", PLANTS[:PLANTED], ids=str)
def test_a_planted_bug_is_caught(plant: Plant, figures: Record) -> None:
    for seed in range(1, TRIES + 1):
        result = run(seed, Scale(ALIKE, plant.days, (plant.among,)), rates=Rates(cut=plant.cut), plant=plant.bug)
        if result.violations:
            print(f"caught with seed {seed} after {result.seconds:.0f} s: {result.violations[0][:300]}")
            figures("simulation", planted=1, caught=1)
            return
    pytest.fail(f"{plant} was not noticed")
