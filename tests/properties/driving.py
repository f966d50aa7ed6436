"""Driving the machine: so many examples of so many steps, the same ones on every machine."""

import logging
import os

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.properties.plans import PlanMachine
from tests.properties.steps import COUNTED
from tests.properties.world import Cast

STEPS_PER_EXAMPLE = 50
EXPLORING = "PURSER_EXPLORE" in os.environ
PHASES = tuple(Phase) if EXPLORING else (Phase.explicit, Phase.generate)
"""Making a failing history short takes minutes: PURSER_EXPLORE=1 does it."""


def drive(cast: Cast, *, examples: int, part: int = 0) -> None:
    """Raises AssertionError with the history of a difference. `part`: other examples than those of another part."""
    logging.disable(logging.CRITICAL)  # whatever is wrong is seen in what is compared; to write it all down takes time
    machine = type("PlanMachine", (PlanMachine,), {"cast": cast})
    try:
        run_state_machine_as_test(
            machine if EXPLORING else seed(part)(machine),
            settings=settings(
                max_examples=examples, stateful_step_count=STEPS_PER_EXAMPLE, deadline=None, phases=PHASES,
                derandomize=False, database=None, report_multiple_bugs=False, suppress_health_check=list(HealthCheck),
            ),
            _min_steps=STEPS_PER_EXAMPLE - 1,
        )  # fmt: skip
    finally:
        logging.disable(logging.NOTSET)


def steps() -> int:
    """Steps done since they were last counted from nothing."""
    return COUNTED.total() - COUNTED["examples"]


def first_difference(cast: Cast, *, examples: int) -> BaseException | None:
    """What the machine says of the first example on which portal and model differ; None when there is none."""
    before = COUNTED["examples"]
    try:
        drive(cast, examples=examples)
    except AssertionError as difference:
        print(f"found in {COUNTED['examples'] - before} examples")
        return difference
    return None
