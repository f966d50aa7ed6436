"""Which gateway has proved to hold which key, and when a key was last used.

A public id stands in pages, logs and e-mails, so asking by it is only for a gateway that resolved the key's hash before
(A4). The pair is written once; this process remembers the pairs it has seen.
"""

from datetime import datetime, timedelta

from django.db import connection

USED_EVERY = timedelta(minutes=1)
"""`last_used_at` of a key is at most this much behind."""
MOST_REMEMBERED = 100_000

REMEMBER = """
INSERT INTO limits_resolved (gateway_id, key_id, at) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
"""
IS_RESOLVED = """
SELECT 1 FROM limits_resolved r JOIN api_key k ON k.id = r.key_id WHERE r.gateway_id = %s AND k.public_id = %s
"""
USED = (
    "UPDATE api_key SET last_used_at = %(now)s WHERE id = %(key)s AND coalesce(last_used_at, '-infinity') < %(before)s"
)

_by_key: set[tuple[int, int]] = set()
_by_public_id: set[tuple[int, str]] = set()
_used_at: dict[int, datetime] = {}


def remember(gateway_id: int, key_id: int, public_id: str, *, now: datetime) -> None:
    """From now on this gateway may refresh the key's answer by its public id, and hears of its changes."""
    if (gateway_id, key_id) in _by_key:
        return
    with connection.cursor() as cursor:
        cursor.execute(REMEMBER, [gateway_id, key_id, now])
    if len(_by_key) >= MOST_REMEMBERED:
        forget()
    _by_key.add((gateway_id, key_id))
    _by_public_id.add((gateway_id, public_id))


def is_resolved(gateway_id: int, public_id: str) -> bool:
    if (gateway_id, public_id) in _by_public_id:
        return True
    with connection.cursor() as cursor:
        cursor.execute(IS_RESOLVED, [gateway_id, public_id])
        found = cursor.fetchone() is not None
    if found:
        if len(_by_public_id) >= MOST_REMEMBERED:
            forget()
        _by_public_id.add((gateway_id, public_id))
    return found


def used(key_id: int, last_used_at: datetime | None, *, now: datetime) -> None:
    """A gateway asked for this key, so somebody uses it. Written at most once a minute."""
    written = _used_at.get(key_id, last_used_at)
    if written is None or written < now - USED_EVERY:
        if len(_used_at) >= MOST_REMEMBERED:
            forget()
        _used_at[key_id] = now
        with connection.cursor() as cursor:
            cursor.execute(USED, {"key": key_id, "now": now, "before": now - USED_EVERY})


def forget() -> None:
    """Drop what this process remembers."""
    _by_key.clear()
    _by_public_id.clear()
    _used_at.clear()
