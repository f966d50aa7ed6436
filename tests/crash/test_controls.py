"""This suite can fail: with a guard taken out, it finds money that is lost or doubled by a crash, and by a crash only."""

import pytest

from tests.crash.every import BY_NAME
from tests.crash.forks import Forks
from tests.crash.walking import Walker
from tests.crash.world import World

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

FINDS = {
    "usage is taken before it is charged": ("charge usage", "lost"),
}
"""Fault -> the path on which it shows, and what it does there."""


@pytest.mark.parametrize("plant", FINDS, ids=lambda name: name.replace(" ", "_"))
def test_a_guard_less_is_found(plant: str, world: World, forks: Forks) -> None:
    name, harm = FINDS[plant]
    walker = Walker(BY_NAME[name], world, forks, plant)
    whole = walker.whole()
    assert not whole.found, "without a crash nobody notices"
    steps = range(1, len(whole.walked.steps) + 1)
    harmed = (getattr(walker.killed(step, again=True).found, harm) for step in steps)
    assert any(harmed)
