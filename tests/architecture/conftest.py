import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction

from billing.limits import reading, resolved
from billing.metering import gateways
from tests.architecture import visits
from tests.architecture import world as worlds
from tests.architecture.visits import Visit


@pytest.fixture(scope="module")
def one_world(django_db_setup: None, django_db_blocker: Any) -> Iterator[worlds.World]:
    """Two organizations and the whole cast: most of a second, so it is made once for the tests of a module."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield worlds.made()
        transaction.set_rollback(True)


@pytest.fixture
def world(one_world: worlds.World, db: None) -> Iterator[worlds.World]:
    """The world as it was made, whatever the test before has done to it, and browsers that nobody has used."""
    with _alone():
        yield replace(one_world, browsers={})


@pytest.fixture(scope="module")
def walk(one_world: worlds.World) -> dict[str, list[Visit]]:
    """Every answer of the walk through the portal, by the part that gave it."""
    with _alone():
        return {
            "organizations": list(visits.of_organizations(one_world)),
            "people": list(visits.of_people(one_world)),
            "staff": list(visits.of_the_staffs_site(one_world)),
        }


@contextmanager
def _alone() -> Iterator[None]:
    """Nothing is kept in this process from or for other tests, and of thousands of requests none is told."""
    _forget()
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
    _forget()


def _forget() -> None:
    # The walk begins before `nothing_is_cached`.
    cache.clear()
    reading.forget()
    resolved.forget()
    gateways.forget()
