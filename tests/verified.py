"""What `manage.py verify_ledger` says of the books a test made, within the test's own transaction."""

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

import psycopg
from django.db import connection

from billing.ledger import chains
from billing.ledger.audit import Check, Difference, Scope
from billing.verifying import books, waiting

LAST_HAPPENING = """
SELECT greatest((SELECT max(posted_at) FROM transfer), (SELECT max(at) FROM sweep_run),
                (SELECT max(accepted_at) FROM usage_event), (SELECT max(created_at) FROM payment_intent),
                (SELECT max(ended_at) FROM subscription), (SELECT max(greatest(made_at, withdrawn_at)) FROM plan_change),
                (SELECT max(made_at) FROM plan_charge))
"""
PATIENCE = {check.name for check in waiting.CHECKS}
"""Tests jump ahead without the tasks that would have run meanwhile."""

TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')"


def differences(*, now: datetime | None = None, without: Collection[str] = PATIENCE) -> list[Difference]:
    """What differs as of `now`, by default the last thing that happened; what merely waits is left out unless asked.

    A check is not made where every table that it names is empty: of nothing it has nothing to say (`test_clean_books`).
    """
    scope, named, filled = Scope(now or last_happening()), _named(), _filled()
    checks = [
        check for check in books.CHECKS
        if check.name not in without and (not named[check.name] or named[check.name] & filled)
    ]  # fmt: skip
    return [found for found in (*_ask(checks, scope), *chains.Rehash(scope)) if found.check not in without]


def within(scope: Scope) -> list[Difference]:
    """All that `books.verify` finds, without a snapshot of its own."""
    return [*_ask(books.CHECKS, scope), *chains.Rehash(scope)]


@cache
def _named() -> dict[str, set[str]]:
    """The tables that each check names."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        tables = {name for (name,) in cursor.fetchall()}
    return {check.name: set(re.findall(r"\w+", check.sql)) & tables for check in books.CHECKS}


def _filled() -> set[str]:
    """Those of them in which there is anything."""
    with _planned_once() as cursor:
        asked = (
            f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in sorted(set().union(*_named().values()))
        )
        return {name for (name,) in cursor.execute(" UNION ALL ".join(asked), prepare=True)}


def last_happening() -> datetime:
    with _planned_once() as cursor:
        (at,) = cursor.execute(LAST_HAPPENING, prepare=True).fetchone() or (None,)
    return at or datetime.now(UTC)


def _ask(checks: Iterable[Check], scope: Scope) -> Iterator[Difference]:
    """As `audit.ask`, of the same queries."""
    with _planned_once() as cursor:
        for check in checks:
            cursor.execute(check.sql, scope.values(), prepare=True)
            names = [column.name for column in cursor.description or ()]
            for row in cursor.fetchall():
                yield Difference(check.name, row[0], dict(zip(names[1:], row[1:])))


@contextmanager
def _planned_once() -> Iterator["psycopg.Cursor[Any]"]:
    """A cursor within the test's transaction whose statements PostgreSQL plans once and not after every test: with next to
    no rows, planning is most of what a check costs."""
    connection.ensure_connection()
    under = connection.connection
    django_prepares, under.prepare_threshold, under.prepared_max = under.prepare_threshold, 0, 1000
    try:
        with psycopg.Cursor(under) as cursor:
            yield cursor
    finally:
        under.prepare_threshold = django_prepares
