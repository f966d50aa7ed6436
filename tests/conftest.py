"""What every test may ask for: a database, a browser, and the cast."""

import os
from collections.abc import Iterator
from typing import Any
from zlib import crc32

import hypothesis
import pytest
import pytest_django.fixtures
from django.conf import settings
from django.core.cache import cache
from django.db import connection, connections
from django.db.backends.postgresql.creation import DatabaseCreation
from django.test import Client, TransactionTestCase

from orgs.models import Organization, Role, User
from portal import roles
from sandbox import chromium
from sandbox.postgres import APP, OWNER, Cluster
from tests import figures as counted
from tests import garbage, owners, verified
from tests.factories import orgs as people

figures = counted.figures
pytest_terminal_summary = counted.pytest_terminal_summary

LONGEST = (
    "tests/soak/test_soak.py",
    "tests/sandbox/test_run.py",
    "tests/simulation",
    "tests/architecture/test_routes.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests that take longest come first: at the end no worker waits for another one."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_collection_finish() -> None:
    garbage.keep_what_is_loaded()


# The same examples on every machine, so that red means changed code; PURSER_EXPLORE=1 looks for new ones.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.register_profile("explore", deadline=None)
hypothesis.settings.load_profile("explore" if os.environ.get("PURSER_EXPLORE") else "steady")

# --- The database: one server for all test runs of this checkout at once, a database for each ------------------------------


@pytest.fixture(scope="session")
def database_server() -> Iterator[None]:
    """PostgreSQL: the one of DATABASE_URL, else an embedded one (see `sandbox/postgres.py`), up until the last run ends.

    The tests are the application, as it is in earnest. Their database is made by its owner (DATABASE_OWNER_URL), who may
    set `session_replication_role` here.
    """
    if os.environ.get("DATABASE_URL"):
        assert os.environ.get("DATABASE_OWNER_URL"), "Tests on a server of your own need DATABASE_OWNER_URL too."
        yield
        return
    with Cluster(name="test-postgres", durable=False) as cluster:
        default = connections.settings["default"]
        default["HOST"], default["USER"] = str(cluster.socket_folder), APP
        settings.DATABASE_OWNER = {**default, "USER": OWNER}
        yield
        connections.close_all()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(database_server: None) -> Iterator[None]:
    """The name of this run's database. PURSER_TEST_DB tells runs apart that go on at once; each xdist worker has its own."""
    parts = ["test_purser", os.environ.get("PURSER_TEST_DB"), os.environ.get("PYTEST_XDIST_WORKER")]
    connections.settings["default"]["TEST"]["NAME"] = "_".join(part for part in parts if part)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseCreation, "_nodb_cursor", owners.beside_the_database)
        # Else there is none for tests of which none is marked `django_db`: those of a module may share what they look at.
        patch.setattr(pytest_django.fixtures, "_get_databases_for_setup", lambda tests: ({"default"}, set()))
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """As the migrations make it, but for the partitions of events, of which few are needed here."""
    with django_db_blocker.unblock():
        owners.forget_days()


@pytest.fixture
def database_url(db: None) -> str:
    """The test database as a URL, for processes of their own (crash and race tests), as the application."""
    return owners.url(connections.settings["default"])


@pytest.fixture(scope="class")
def as_owner(django_db_setup: None) -> Iterator[None]:
    """This test, or this class of tests, is connected as the owner of the tables: to do what the application cannot."""
    with roles.as_owner(connection):
        yield


@pytest.fixture(scope="session", autouse=True)
def transactional_tests_clean_up_after_themselves() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda test: owners.empty_every_table())
        yield


# --- The books ------------------------------------------------------------------------------------------------------------


ONE_OF = counted.of(5, full=1)
"""After so many tests of money the books are asked once in `make test`, always after the same ones; in full after each."""


@pytest.fixture
def books_are_right(request: pytest.FixtureRequest) -> Iterator[None]:
    """After the test every promise of the books holds, as `manage.py verify_ledger` asks. Autouse it where money moves.

    Mark `books_differ("name", ...)` where a test breaks a promise on purpose, or leaves out a part that it needs.
    """
    databases = {"db", "transactional_db", "live_server"} & set(request.fixturenames)
    if not databases and request.node.get_closest_marker("django_db") is None:
        yield
        return
    request.getfixturevalue("db")
    yield
    if crc32(request.node.nodeid.encode()) % ONE_OF == 0 and not connection.needs_rollback:
        marks = request.node.iter_markers("books_differ")
        assert verified.differences(without=verified.PATIENCE | {name for mark in marks for name in mark.args}) == []


# --- The browser ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The Chromium of `make test`. Missing, it is an error: a browser test is never skipped."""
    # Playwright keeps an event loop in this thread; Django takes that for asynchronous code and would refuse to query.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    return {**browser_type_launch_args, "executable_path": str(chromium.find()), "args": chromium.launch_arguments()}


# --- The cast -------------------------------------------------------------------------------------------------------------
# Alice owns the Team Acme Research, Bob is a member of it (his role: parametrize `bob_role`), Charlie is a stranger.
# Each has a Personal organization; the clients are browsers in which they are signed in.


@pytest.fixture(autouse=True)
def nothing_is_cached() -> None:
    """allauth counts attempts in the cache: one test's sign-ins are not the next one's."""
    cache.clear()


@pytest.fixture
def alice(db: None) -> User:
    return people.person("alice@example.com", "Alice Archer")


@pytest.fixture
def alice_personal(alice: User) -> Organization:
    return people.personal(alice)


@pytest.fixture
def acme(alice: User) -> Organization:
    return people.team(alice, "Acme Research", slug="acme")


@pytest.fixture
def bob_role() -> str:
    return Role.DEVELOPER


@pytest.fixture
def bob(acme: Organization, bob_role: str) -> User:
    user = people.person("bob@example.com", "Bob Baker")
    people.member(acme, user, bob_role)
    return user


@pytest.fixture
def charlie(db: None) -> User:
    return people.person("charlie@example.com", "Charlie Cole")


@pytest.fixture
def charlie_personal(charlie: User) -> Organization:
    return people.personal(charlie)


@pytest.fixture
def alice_client(alice: User) -> Client:
    return people.signed_in(alice)


@pytest.fixture
def bob_client(bob: User) -> Client:
    return people.signed_in(bob)


@pytest.fixture
def charlie_client(charlie: User) -> Client:
    return people.signed_in(charlie)
