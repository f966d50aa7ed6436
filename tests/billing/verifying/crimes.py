"""A corruption is planted, looked for, and undone, so that one past does for all of them."""

from datetime import datetime

from django.db import connection, transaction

from billing.ledger.audit import Scope
from billing.verifying import books

NOBODYS = {"inbox_stuck", "document_numbers"}
"""A message from outside is nobody's before it is understood; the house numbers its documents for all."""


def commit_crime(sql: str, org_id: int) -> int:
    """As the owner, without a trigger and without a foreign key; answers how many rows it changed last."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, {"org": org_id})
        changed: int = cursor.rowcount
        cursor.execute("SET LOCAL session_replication_role = origin")
    return changed


def assert_found(name: str, sql: str, found_by: set[str], org_id: int, *, now: datetime) -> None:
    """By all the books, and by those of its organization alone, which find nothing else."""
    with transaction.atomic():
        assert commit_crime(sql, org_id) > 0, name
        found, alone = (
            {difference.check for difference in books.verify(scope).differences}
            for scope in (Scope(now), Scope(now, org_id))
        )
        transaction.set_rollback(True)
    assert found_by <= found, name
    assert found_by - NOBODYS <= alone <= found, name
