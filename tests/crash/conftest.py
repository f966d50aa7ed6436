"""The warm process, and the world that each path is walked in."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from orgs.models import User
from sandbox.stripe import Running
from tests.crash.forks import Forks
from tests.crash.world import World
from tests.factories import catalog, paying, usage
from tests.factories import orgs as people

stripe = paying.stripe


@pytest.fixture(scope="session")
def forks_by_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Forks]]:
    """One warm process for each database: there is one."""
    started: dict[str, Forks] = {}
    yield started
    for forks in started.values():
        forks.stop()


@pytest.fixture
def forks(forks_by_url: dict[str, Forks], database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Forks:
    if database_url not in forks_by_url:
        forks_by_url[database_url] = Forks(database_url, tmp_path_factory.mktemp("crash") / "forks.log")
    return forks_by_url[database_url]


@pytest.fixture
def world(transactional_db: None, stripe: Running, settings: Any, alice: User) -> World:
    # A machine under load must not turn an answer into none: that is another path.
    settings.STRIPE_TIMEOUT_SECONDS = 20.0
    usage.days(datetime.now(UTC))
    staff = people.person("sam@purser.example", "Sam Staff")
    staff.is_staff = staff.is_superuser = True
    staff.save()
    return World(stripe, alice, staff, catalog.model())
