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


FORGET_DAYS = """
DO $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    part regclass;
BEGIN
    FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'usage_event'::regclass
        AND inhrelid::regclass::text NOT IN (
            SELECT to_char(today + n, '"usage_event_"YYYYMMDD') FROM generate_series(-1, 1) n)
    LOOP
        EXECUTE 'DROP TABLE ' || part;
    END LOOP;
END $$
"""
"""Of the partitions of events only those around today stay. Each one more makes every question about events dearer to plan;
a test that has usage on other days makes room for them (`tests/factories/usage.py`)."""
KEPT = "'django_migrations', 'django_content_type', 'auth_permission'"
EMPTY = f"""
DO $$
DECLARE
    all_ text; filled text; largest bigint;
BEGIN
    SELECT string_agg(oid::regclass::text, ', ') INTO all_ FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname NOT IN ({KEPT});
    -- Whoever still writes is waited for.
    EXECUTE 'LOCK TABLE ' || all_ || ' IN ACCESS EXCLUSIVE MODE';
    SELECT string_agg('DELETE FROM ' || oid::regclass, '; '), max(pg_total_relation_size(oid))
    INTO filled, largest FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname NOT IN ({KEPT})
        AND pg_relation_size(oid) > 0;
    IF largest > 8000000 THEN
        EXECUTE 'TRUNCATE ' || all_;
    ELSIF filled IS NOT NULL THEN
        EXECUTE filled;
    END IF;
END $$
"""
"""A few rows are deleted, since TRUNCATE makes new files for every table and index; where much was written it is quicker."""


def empty_every_table() -> None:
    """Between transactional tests: nobody else may TRUNCATE, and append-only tables refuse the owner too."""
    owner = _staying()
    owner.execute("SET session_replication_role = replica")
    owner.execute(FORGET_DAYS)
    owner.execute(EMPTY)
    owner.execute("SET session_replication_role = origin")
    for rows in FIRST_ROWS:
        owner.execute(rows)


def forget_days() -> None:
    """In a new test database: see `FORGET_DAYS`."""
    _staying().execute(FORGET_DAYS)


_stays: "list[psycopg.Connection[Any]]" = []


def _staying() -> "psycopg.Connection[Any]":
    """Connected once for the whole run: reading the catalog anew costs a new connection more than the emptying itself."""
    if not _stays:
        _stays.append(psycopg.connect(url(), autocommit=True))
    return _stays[0]


@contextmanager
def beside_the_database(creation: DatabaseCreation) -> Iterator[CursorWrapper]:
    """Where the test database is made and dropped from: by its owner, so that everything in it is the owner's, and when
    nobody is in it."""
    while _stays:
        _stays.pop().close()
    with roles.as_owner(connection), creation.connection._nodb_cursor() as cursor:
        yield cursor


def _owner() -> dict[str, Any]:
    return {name: settings.DATABASE_OWNER[name] for name in roles.LOGIN}
