"""What `manage.py verify_ledger` says of the books a test made, within the test's own transaction."""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from functools import cache

from django.db import connection

from billing.ledger import audit, chains
from billing.ledger.audit import Difference, Scope
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
    return [found for found in (*audit.ask(checks, scope), *chains.Rehash(scope)) if found.check not in without]


@cache
def _named() -> dict[str, set[str]]:
    """The tables that each check names."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        tables = {name for (name,) in cursor.fetchall()}
    return {check.name: set(re.findall(r"\w+", check.sql)) & tables for check in books.CHECKS}


def _filled() -> set[str]:
    """Those of them in which there is anything."""
    with connection.cursor() as cursor:
        asked = (
            f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in sorted(set().union(*_named().values()))
        )
        cursor.execute(" UNION ALL ".join(asked))
        return {name for (name,) in cursor.fetchall()}


def last_happening() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute(LAST_HAPPENING)
        at: datetime | None = cursor.fetchone()[0]
    return at or datetime.now(UTC)
