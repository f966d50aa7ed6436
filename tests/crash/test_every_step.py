"""Every path, killed at every step: nothing is lost, nothing is doubled, and it ends as if nothing had happened."""

import pytest

from tests import verified
from tests.crash.every import ALL
from tests.crash.forks import Forks
from tests.crash.paths import Path
from tests.crash.recovery import INSTANTS
from tests.crash.walking import Walker
from tests.crash.world import World
from tests.figures import FULL, Record

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

ONE_OF = 3
"""`make test` kills at every third step of each path, beginning at another one for each path."""


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name.replace(" ", "_"))
def test_killed_at_every_step(path: Path, world: World, forks: Forks, figures: Record) -> None:
    walker = Walker(path, world, forks)
    whole = walker.whole()
    assert not whole.found, whole.found
    assert set(whole.walked.reached) == path.covers
    ends = {True: [whole.picture], False: [whole.picture]}
    if False in path.ways:
        never = walker.never()
        assert not never.found, never.found
        # What nobody has to ask for, the clock alone brings to the same end. What a person asked for once is done, or not.
        assert path.again is not None or never.picture == whole.picture
        ends[False].append(never.picture)
    steps = whole.walked.steps
    chosen = [
        (step, again)
        for number, (step, again) in enumerate(
            (step, again) for again in path.ways for step in range(1, len(steps) + 1)
        )
        if FULL or (number + ALL.index(path)) % ONE_OF == 0
    ]
    for step, again in chosen:
        walk = walker.killed(step, again=again)
        where = f"killed {steps[step - 1]} (step {step} of {len(steps)}), {'' if again else 'not '}asked for again"
        assert walk.walked.steps == steps[:step], where
        assert not walk.found, f"{where}: {walk.found}"
        assert walk.picture in ends[again], f"{where}: {walk.picture}, not {ends[again]}"
    assert verified.differences(now=world.start + (*INSTANTS, *path.later)[-1], without=()) == []
    figures("crash", paths=1, steps=len(steps), killed=len(chosen), lost=0, double=0)
