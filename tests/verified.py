"""What `manage.py verify_ledger` says of the books a test made, within the test's own transaction."""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from functools import cache

from django.db import connection

from billing.ledger import audit, chains
from billing.ledger.audit import Difference, Scope
from billing.verifying import books, waiting

HAPPENINGS = {
    "transfer": "posted_at",
    "sweep_run": "at",
    "usage_event": "accepted_at",
    "payment_intent": "created_at",
    "subscription": "ended_at",
    "plan_change": "greatest(made_at, withdrawn_at)",
    "plan_charge": "made_at",
}
"""When something happened, by table."""
PATIENCE = {check.name for check in waiting.CHECKS}
"""Tests jump ahead without the tasks that would have run meanwhile."""

TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')"


def differences(*, now: datetime | None = None, without: Collection[str] = PATIENCE) -> list[Difference]:
    """What differs as of `now`, by default the last thing that happened; what merely waits is left out unless asked.

    A check is not made where every table that it names is empty: of nothing it has nothing to say (`test_clean_books`).
    """
    named, filled = _named(), _filled()
    scope = Scope(now or last_happening(filled))
    checks = [
        check for check in books.CHECKS
        if check.name not in without and (not named[check.name] or named[check.name] & filled)
    ]  # fmt: skip
    return [found for found in (*audit.ask(checks, scope), *chains.Rehash(scope)) if found.check not in without]


@cache
def _named() -> dict[str, set[str]]:
    """The tables that each check names."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        tables = {name for (name,) in cursor.fetchall()}
    return {check.name: set(re.findall(r"\w+", check.sql)) & tables for check in books.CHECKS}


def _filled() -> set[str]:
    """Those of them, and of `HAPPENINGS`, in which there is anything."""
    with connection.cursor() as cursor:
        names = sorted(set(HAPPENINGS).union(*_named().values()))
        asked = (f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in names)
        cursor.execute(" UNION ALL ".join(asked))
        return {name for (name,) in cursor.fetchall()}


def last_happening(filled: Collection[str] = tuple(HAPPENINGS)) -> datetime:
    """The newest moment in these tables; now, where nothing ever happened."""
    asked = [f"(SELECT max({moment}) FROM {table})" for table, moment in HAPPENINGS.items() if table in filled]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT greatest({', '.join(['NULL::timestamptz', *asked])})")
        at: datetime | None = cursor.fetchone()[0]
    return at or datetime.now(UTC)
