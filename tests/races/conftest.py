"""The arena of a race, the world it takes place in, and that no race goes without its control."""

from collections.abc import Iterator

import pytest

from tests import figures as counted
from tests.factories.paying import stripe
from tests.races.arena import Arena
from tests.races.crew import Crew
from tests.races.scenes import World

__all__ = ["stripe"]


@pytest.fixture(scope="session")
def crew(django_db_setup: None) -> Iterator[Crew]:
    """Its connections are closed before the database goes."""
    crew = Crew()
    yield crew
    crew.leave()


@pytest.fixture
def arena(crew: Crew, figures: counted.Record) -> Iterator[Arena]:
    arena = Arena(crew, figures)
    yield arena
    assert arena.controls or not arena.rounds, "A race has its control."


@pytest.fixture
def world(transactional_db: None) -> World:
    return World.made()
