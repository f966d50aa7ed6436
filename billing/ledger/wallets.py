"""The one lock. Everything that moves an organization's money takes its wallet's row first, in a statement of its own."""

from collections.abc import Iterable

from django.db import connection


def lock_free(org_ids: Iterable[int]) -> list[int]:
    """Lock those of these wallets that nobody else holds, without waiting; answers them, ascending."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT org_id FROM wallet WHERE org_id = ANY(%s) ORDER BY org_id FOR UPDATE SKIP LOCKED",
            [sorted(set(org_ids))],
        )
        return [org_id for (org_id,) in cursor.fetchall()]


def lock(org_ids: Iterable[int]) -> list[int]:
    """Lock these wallets in ascending order until the transaction ends; answers those that exist.

    Read only in later statements: locking and reading in one would see what was there before the wait.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT org_id FROM wallet WHERE org_id = ANY(%s) ORDER BY org_id FOR UPDATE", [sorted(set(org_ids))]
        )
        return [org_id for (org_id,) in cursor.fetchall()]
