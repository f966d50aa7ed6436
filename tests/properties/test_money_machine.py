"""One organization's money, thousands of steps: the portal and a model of its rules say the same after each."""

import pytest

from tests import figures as counted
from tests.figures import Record
from tests.properties import driving
from tests.properties.money_back import rules
from tests.properties.steps import COUNTED
from tests.properties.world import Cast

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

PARTS = 4
"""So that several workers can share it."""
ROUNDS = counted.of(3, full=30)
"""Steps that found nothing to do are not counted, so what is missing is made up for; at full figures also rules that no
example drew, a few more examples at a time."""
A_FEW = 2
STEPS = counted.of(600, full=10_000)


@pytest.mark.parametrize("part", range(PARTS))
def test_portal_and_model_say_the_same_after_every_step(part: int, cast: Cast, figures: Record) -> None:
    COUNTED.clear()
    wanted = STEPS // PARTS
    for round_ in range(ROUNDS):
        missing = wanted - driving.steps()
        examples = -(-missing // driving.STEPS_PER_EXAMPLE) if missing > 0 else A_FEW
        if missing > 0 or (counted.FULL and drawn() < rules()):
            driving.drive(cast, examples=examples, part=part + PARTS * round_)
    assert driving.steps() >= wanted
    figures("state_machine", examples=COUNTED["examples"], steps=driving.steps(), disagreements=0)
    if counted.FULL:
        assert drawn() == rules(), "A rule was never drawn."
    if part == 0:
        figures("state_machine", rules=rules())


def drawn() -> int:
    """How many of the rules were done."""
    return len(COUNTED.keys() - {"examples"})
