"""What a contract was accepted for, from a day on. Its cover comes with its first payment; the time is reserved before that.

Contracts lie above this room, so their table is asked by name, as `coverage_reserved_by_contract` does, which refuses a plan
that is dated into that time. Whoever sells, renews or keeps a plan asks here first: what the wall refuses when the money is
there already could never be booked.
"""

from collections.abc import Collection
from datetime import datetime

from django.db import connection


def to_a_contract(org_id: int, model_ids: Collection[int], *, after: datetime) -> bool:
    """Whether one of these models is reserved at some time after this instant."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT EXISTS (SELECT FROM contract_model WHERE org_id = %s AND model_id = ANY(%s) AND live
                AND until::timestamp AT TIME ZONE 'UTC' > %s)
            """,
            [org_id, list(model_ids), after],
        )
        row: tuple[bool] = cursor.fetchone()
        return row[0]
