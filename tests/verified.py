"""What `manage.py verify_ledger` says of the books a test made, within the test's own transaction."""

from collections.abc import Collection
from datetime import UTC, datetime

from django.db import connection

from billing.ledger.audit import Difference, Scope
from billing.verifying import books, waiting

LAST_HAPPENING = """
SELECT greatest((SELECT max(posted_at) FROM transfer), (SELECT max(at) FROM sweep_run),
                (SELECT max(accepted_at) FROM usage_event), (SELECT max(created_at) FROM payment_intent))
"""
PATIENCE = {check.name for check in waiting.CHECKS}
"""Tests jump ahead without the tasks that would have run meanwhile."""


def differences(*, now: datetime | None = None, without: Collection[str] = PATIENCE) -> list[Difference]:
    """What differs as of `now`, by default the last thing that happened; what merely waits is left out unless asked."""
    return [found for found in books.verify(Scope(now or last_happening())).differences if found.check not in without]


def last_happening() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute(LAST_HAPPENING)
        at: datetime | None = cursor.fetchone()[0]
    return at or datetime.now(UTC)
