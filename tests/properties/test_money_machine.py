"""One organization's money, thousands of steps: the portal and a model of its rules say the same after each."""

import pytest

from tests import figures as counted
from tests.figures import Record
from tests.properties import driving
from tests.properties.plans import rules
from tests.properties.steps import COUNTED
from tests.properties.world import Cast

pytestmark = [
    pytest.mark.money,
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("state machine"),  # what all parts have drawn is added up
]

PARTS = 4
ROUNDS = 3
"""Steps that found nothing to do are not counted, so what is missing is made up for."""
STEPS = counted.of(400, full=10_000)
DRAWN: set[str] = set()


@pytest.mark.parametrize("part", range(PARTS))
def test_portal_and_model_say_the_same_after_every_step(part: int, cast: Cast, figures: Record) -> None:
    COUNTED.clear()
    wanted = STEPS // PARTS
    for round_ in range(ROUNDS):
        missing = wanted - driving.steps()
        if missing > 0:
            driving.drive(cast, examples=-(-missing // driving.STEPS_PER_EXAMPLE), part=part + PARTS * round_)
    assert driving.steps() >= wanted
    DRAWN.update(COUNTED.keys() - {"examples"})
    figures("state_machine", examples=COUNTED["examples"], steps=driving.steps(), disagreements=0)


@pytest.mark.skipif(not counted.FULL, reason="a few hundred steps do not draw every rule")
def test_every_rule_was_drawn(figures: Record) -> None:
    assert rules() - DRAWN == set()
    figures("state_machine", rules=len(rules()))
