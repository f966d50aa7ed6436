"""Django's `flush`, as the owner of the tables: append-only ones are emptied too, and what migrations put in is put back.

Not in production: there is no development database to make empty.
"""

from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import flush
from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper

from portal import roles

FIRST_ROWS = (
    import_module("billing.migrations.0003_ledger_guards").HOUSE,
    "INSERT INTO limits_clock (id) VALUES (1); INSERT INTO limits_answer (org_id) VALUES (0);",
    import_module("billing.migrations.0021_statement_guards").COUNTERS,
)
"""The rows without which the portal does not work: the house's accounts, the limits' clock, the counters of documents."""

GUARDED = """
SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal AND (tgtype & 32) <> 0
"""
"""Tables with a trigger before TRUNCATE (bit 32)."""


class Command(flush.Command):
    def handle(self, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("In production the books are not emptied.")
        connection = connections[options["database"]]
        with roles.as_owner(connection), transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(GUARDED)
            guarded = [table for (table,) in cursor.fetchall()]
            _guards(cursor, guarded, "DISABLE")
            super().handle(**options)
            _guards(cursor, guarded, "ENABLE")
            cursor.execute("SELECT EXISTS (SELECT 1 FROM wallet)")
            if cursor.fetchone() == (False,):
                for rows in FIRST_ROWS:
                    cursor.execute(rows)


def _guards(cursor: CursorWrapper, tables: list[str], what: str) -> None:
    for table in tables:
        cursor.execute(f"ALTER TABLE {table} {what} TRIGGER USER")
