"""This suite can fail: with a guard taken out, it finds money that is lost or doubled by a crash, and by a crash only."""

import pytest

from tests.crash.every import BY_NAME
from tests.crash.forks import Forks
from tests.crash.plants import PLANTS
from tests.crash.walking import Walker
from tests.crash.world import World
from tests.figures import of

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("name", [*PLANTS][:: of(2, full=1)], ids=lambda name: name.replace(" ", "_"))
def test_a_guard_less_is_found(name: str, world: World, forks: Forks) -> None:
    """Of the guards every second one in `make test`: one that loses and two that double."""
    plant = PLANTS[name]
    walker = Walker(BY_NAME[plant.path], world, forks, name)
    whole = walker.whole()
    assert not whole.found, "without a crash nobody notices"
    # Before a step nothing new has happened, so each harm shows after one.
    after = (number for number, step in enumerate(whole.walked.steps, start=1) if step.startswith("after"))
    assert any(getattr(walker.killed(step, again=True).found, plant.harm) for step in after)
