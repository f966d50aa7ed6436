"""A module that outgrows a head is split."""

from pathlib import Path

import pytest

from tests.paths import ROOT

LONGEST = 400
ROOMS = ("billing", "orgs", "portal", "sandbox", "tests")


def modules(room: str) -> list[Path]:
    """Every module of a room, except migrations, which are written once and never read on."""
    return [path for path in sorted((ROOT / room).rglob("*.py")) if "migrations" not in path.parts]


@pytest.mark.parametrize("room", ROOMS)
def test_no_module_is_longer_than_a_head_can_hold(room: str) -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in modules(room)}
    assert lengths
    assert {str(path): length for path, length in lengths.items() if length > LONGEST} == {}
