"""Every path, killed at every step: nothing is lost, nothing is doubled, and it ends as if nothing had happened."""

import pytest

from tests import verified
from tests.crash import oracles
from tests.crash.every import ALL
from tests.crash.forks import Forks
from tests.crash.paths import Path
from tests.crash.walking import Walker
from tests.crash.world import World
from tests.figures import FULL, Record, of

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

ONE_OF = 20
"""`make test` kills at every twentieth step of each path, beginning at another one for each path."""
DAYS_ONE_OF = of(3, full=1)
"""After every third path days go by in `make test`, in full after each."""


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name.replace(" ", "_"))
def test_killed_at_every_step(path: Path, world: World, forks: Forks, figures: Record) -> None:
    walker = Walker(path, world, forks)
    whole = walker.whole()
    assert not whole.found, whole.found
    assert set(whole.walked.reached) == path.covers
    walks = [(whole, [whole.picture])]
    # What a person asked for, and does not ask for again, is either done or never was.
    may_end = {True: [whole.picture], False: [whole.picture]}
    steps = whole.walked.steps
    kills = chosen(path, len(steps))
    if any(not again for _, again in kills) and (path.again or path.gives_up):
        never = walker.never()
        assert not never.found, never.found
        may_end[False].append(never.picture)
    for step, again in kills:
        walk = walker.killed(step, again=again)
        where = f"killed {steps[step - 1]} (step {step} of {len(steps)}), {'' if again else 'not '}asked for again"
        assert walk.walked.steps == steps[:step], where
        assert not walk.found, f"{where}: {walk.found}"
        assert walk.picture in may_end[again], f"{where}: {walk.picture}, not {may_end[again]}"
        walks.append((walk, may_end[again]))
    later = walker.long_after() if ALL.index(path) % DAYS_ONE_OF == 0 else walker.latest
    assert later is not None
    assert verified.differences(now=later, without=()) == []
    assert all(oracles.picture(walk.org_id) in ends for walk, ends in walks)
    figures("crash", paths=1, steps=len(steps), killed=len(kills), lost=0, double=0)


def chosen(path: Path, steps: int) -> list[tuple[int, bool]]:
    """The steps to be killed at, each with whether it is asked for again."""
    every = [(step, again) for again in path.ways for step in range(1, steps + 1)]
    return every if FULL else every[ALL.index(path) % min(ONE_OF, len(every)) :: ONE_OF]
