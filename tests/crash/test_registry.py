"""No path of money is forgotten."""

from importlib import import_module
from inspect import isfunction
from pkgutil import iter_modules

import pytest

from billing import flows
from billing.flows import steps
from tests.crash import paths
from tests.crash.every import ALL

pytestmark = pytest.mark.money


def test_every_flow_and_task_is_in_a_path() -> None:
    """A new one is red until it has a path, or is known to move no money."""
    covered = frozenset[str]().union(*(path.covers for path in ALL))
    in_none = paths.MOVES_NO_MONEY | paths.TELLS_PEOPLE
    assert covered == paths.everything() - in_none
    assert paths.everything() >= in_none


def test_every_flow_is_known_by_the_name_of_all_flows() -> None:
    """`flows.__all__` forgets none of what the rooms have."""
    rooms = [import_module(f"{flows.__name__}.{room.name}") for room in iter_modules(flows.__path__)]
    theirs = {
        name
        for room in rooms
        if room is not steps
        for name, value in vars(room).items()
        if isfunction(value) and value.__module__ == room.__name__ and not name.startswith("_")
    }
    assert theirs == set(flows.__all__)


def test_what_the_clock_starts_is_what_the_recovery_runs() -> None:
    assert set(paths.by_the_clock(nightly=True)) == {
        name for name in paths.everything() if name.startswith("tasks.")
    } - (paths.MOVES_NO_MONEY)


def test_paths_have_names_of_their_own() -> None:
    assert len({path.name for path in ALL}) == len(ALL)
