"""The owner of the tables, for what the application cannot do: make the test database, empty it, plant corruptions."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from django.conf import settings
from django.db import connection, connections
from django.db.backends.postgresql.creation import DatabaseCreation
from django.db.backends.utils import CursorWrapper

from portal import roles
from portal.management.commands.flush import FIRST_ROWS


def url(login: dict[str, Any] | None = None) -> str:
    """The test database as a URL for libpq, by default with the owner's login."""
    login = {**connections.settings["default"], **(login or _owner())}
    user = quote(login["USER"]) + (f":{quote(login['PASSWORD'])}" if login["PASSWORD"] else "")
    options = {"host": login["HOST"], "port": login["PORT"]}
    given = urlencode({name: value for name, value in options.items() if value})
    return f"postgresql://{user}@/{quote(login['NAME'])}?{given}"


@contextmanager
def connected() -> Iterator["psycopg.Connection[Any]"]:
    """A connection of the owner's own, beside the test's; each statement is its own transaction."""
    with psycopg.connect(url(), autocommit=True) as owner:
        yield owner


def empty_every_table() -> None:
    """Between transactional tests: nobody else may TRUNCATE, and append-only tables refuse the owner too."""
    with connected() as owner:
        owner.execute("SET session_replication_role = replica")
        tables = owner.execute(
            "SELECT string_agg(quote_ident(relname), ', ') FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relkind IN ('r', 'p') AND NOT relispartition "
            "AND relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')"
        ).fetchall()[0][0]
        owner.execute(f"TRUNCATE {tables}")
        owner.execute("SET session_replication_role = origin")
        for rows in FIRST_ROWS:
            owner.execute(rows)


@contextmanager
def beside_the_database(creation: DatabaseCreation) -> Iterator[CursorWrapper]:
    """Where the test database is made and dropped from: by its owner, so that everything in it is the owner's."""
    with roles.as_owner(connection), creation.connection._nodb_cursor() as cursor:
        yield cursor


def _owner() -> dict[str, Any]:
    return {name: settings.DATABASE_OWNER[name] for name in roles.LOGIN}
