"""No path of money is forgotten."""

import pytest

from tests.crash import paths
from tests.crash.every import ALL

pytestmark = pytest.mark.money


def test_every_flow_and_task_is_in_a_path() -> None:
    """A new one is red until it has a path, or is known to move no money."""
    covered = frozenset[str]().union(*(path.covers for path in ALL))
    in_none = paths.MOVES_NO_MONEY | paths.TELLS_PEOPLE
    assert covered == paths.everything() - in_none
    assert paths.everything() >= in_none


def test_what_the_clock_starts_is_what_the_recovery_runs() -> None:
    assert set(paths.by_the_clock(nightly=True)) == {
        name for name in paths.everything() if name.startswith("tasks.")
    } - (paths.MOVES_NO_MONEY)


def test_paths_have_names_of_their_own() -> None:
    assert len({path.name for path in ALL}) == len(ALL)
