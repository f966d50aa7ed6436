"""The daily partitions of usage events: made ahead, dropped after retention (A34)."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

BEHIND = 37
AHEAD = 8
"""Days. Usage is accepted from 35 days ago to 5 minutes ahead, and a version-7 id may lie a day off."""

MINUTES_KEPT = timedelta(days=36)
"""The finest rollup is for as long as usage may still arrive."""


def make(now: datetime) -> int:
    """Makes what is missing from 37 days behind to 8 ahead, drops what is past retention; how many were made."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT usage_partitions_make(%s::date, %s::int)",
            [(now - timedelta(days=BEHIND)).date(), BEHIND + AHEAD + 1],
        )
        (made,) = cursor.fetchone()
        first_kept = (now - timedelta(days=settings.USAGE_RETENTION_DAYS)).date()
        cursor.execute("SELECT usage_partitions_drop(%s::date)", [first_kept])
        cursor.execute("DELETE FROM usage_minute WHERE minute < %s", [now - MINUTES_KEPT])
        cursor.execute("DELETE FROM usage_seen WHERE ts < %s", [now - timedelta(days=settings.USAGE_RETENTION_DAYS)])
        return int(made)
