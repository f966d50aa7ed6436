"""What changed since a cursor, for one gateway: the keys it has resolved, newest state only, at least once (A37).

Versions are numbered under one row lock that is held to the commit, so the order of numbers is the order of commits:
whoever sees version 7 has seen everything up to 7, and `version > cursor` misses nothing.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection

from billing.limits import reading
from billing.limits.answers import Answer

CURSOR_LASTS = timedelta(hours=24)
PAGE = 500

CLOCK = """
SELECT c.v, z.version FROM limits_clock c CROSS JOIN limits_answer z WHERE c.id = 1 AND z.org_id = 0
"""
NEWS = """
SELECT a.version, k.id
FROM limits_answer a
JOIN api_key k ON k.org_id = a.org_id
JOIN limits_resolved r ON r.key_id = k.id AND r.gateway_id = %(gateway)s
WHERE a.version >= %(version)s AND (a.version, k.id) > (%(version)s, %(key)s) AND a.org_id > 0
ORDER BY a.version, k.id
LIMIT %(limit)s
"""
WHOLE_VERSION = 2**62
"""As the key of a cursor: everything of that version has been told."""
SHAPE = re.compile(r"(\d{1,18})\.(\d{1,19})\.(\d{1,11})", re.ASCII)


class CursorMalformed(ValueError):
    """This is no cursor that was handed out here."""


class CursorExpired(ValueError):
    """The cursor is older than 24 hours, or from before the database was put back: drop all answers and start anew."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a gateway has read: all of the versions before `version`, and of that one the keys up to `key_id`."""

    version: int
    key_id: int
    issued_at: datetime

    def __str__(self) -> str:
        said = f"{self.version}.{self.key_id}.{int(self.issued_at.timestamp())}"
        return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Page:
    """`more`: ask again at once. `everything`: the catalog changed, no kept answer holds."""

    changes: list[Answer]
    cursor: Cursor
    more: bool
    everything: bool


def parse(text: str) -> Cursor:
    try:
        said = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True).decode(
            "ascii"
        )
    except (binascii.Error, UnicodeError) as wrong:
        raise CursorMalformed("This is no cursor.") from wrong
    found = SHAPE.fullmatch(said)
    if found is None or int(found[2]) > WHOLE_VERSION:
        raise CursorMalformed("This is no cursor.")
    return Cursor(int(found[1]), int(found[2]), datetime.fromtimestamp(int(found[3]), UTC))


def start(*, now: datetime) -> Page:
    """Where a gateway without any answer begins: nothing to tell, everything later comes after this cursor."""
    clock, _ = _clock()
    return Page([], Cursor(clock, WHOLE_VERSION, now), more=False, everything=False)


def since(cursor: Cursor, gateway_id: int, *, now: datetime, limit: int = PAGE) -> Page:
    """The changes after `cursor`, at most `limit` keys, each with its full answer of now. Raises `CursorExpired`."""
    # The clock is read before the news: whatever commits in between is told now and once more, never not at all.
    clock, catalog_version = _clock()
    if now - cursor.issued_at > CURSOR_LASTS or cursor.version > clock:
        raise CursorExpired("This cursor is older than 24 hours. Drop all kept answers and start without one.")
    with connection.cursor() as db:
        place = {"gateway": gateway_id, "version": cursor.version, "key": cursor.key_id, "limit": limit + 1}
        db.execute(NEWS, place)
        news: list[tuple[int, int]] = db.fetchall()
    told, more = news[:limit], len(news) > limit
    answers = reading.of_keys([key_id for _, key_id in told], now=now) if told else {}
    reached = Cursor(*told[-1], issued_at=now) if more else Cursor(clock, WHOLE_VERSION, now)
    changes = [answers[key_id].answer for _, key_id in told]
    return Page(changes, reached, more, everything=catalog_version > cursor.version)


def _clock() -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(CLOCK)
        clock, catalog_version = cursor.fetchone()
        return clock, catalog_version
