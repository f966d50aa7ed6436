"""Says that an answer changed: who pays from now on, a new version, a hint to whoever listens.

A version moves only when the answer does. What is compared: whether there is credit, whether a disputed payment or an unpaid
month closes it, what plans cover and until when, which caps and allowances are used up, and how contracts stand; keys and
the catalog say so themselves (triggers). What changes by the clock alone needs no version: answers carry the instant until
which they hold (A37).
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from billing import periods
from billing.catalog import current
from billing.coverage import base
from billing.coverage.models import Payer
from billing.ledger import wallets
from billing.ledger.balances import HELD
from billing.limits import entitlements, reading
from billing.limits.entitlements import Picture
from billing.money import ZERO

STANDING = f"""
SELECT w.org_id, o.kind = 'personal', b.payer, w.posted - w.accrued - ({HELD}) > 0,
    (SELECT array_agg(k.id ORDER BY k.id) FROM api_key k JOIN key_spend s ON s.key_id = k.id AND s.month = %(month)s::date
     WHERE k.org_id = w.org_id AND k.revoked_at IS NULL AND s.spent >= k.cap_usd),
    CASE WHEN b.covered THEN ({reading.SPANS}) END,
    ({reading.OWES}), ({reading.DISPUTED}), ({reading.UNPAID}), CASE WHEN b.covered THEN ({reading.STOPPED}) END,
    coalesce(a.open, false), coalesce(a.digest, '')
FROM wallet w
JOIN organization o ON o.id = w.org_id
JOIN payer_base b ON b.org_id = w.org_id
LEFT JOIN limits_answer a ON a.org_id = w.org_id
WHERE w.org_id = ANY(%(orgs)s)
ORDER BY w.org_id
"""
TELL = """
UPDATE limits_answer a SET open = t.open, digest = t.digest
FROM unnest(%s::bigint[], %s::boolean[], %s::text[]) AS t (org_id, open, digest)
WHERE a.org_id = t.org_id
"""


class Standing(NamedTuple):
    """How an organization stands now, beside what was last told of it."""

    org_id: int
    personal: bool
    base: Payer
    open: bool
    digest: str
    told_open: bool
    told_digest: str

    @property
    def is_news(self) -> bool:
        return (self.open, self.digest) != (self.told_open, self.told_digest)


def publish(org_ids: Iterable[int], *, now: datetime) -> list[int]:
    """Recompute these organizations after their money moved; answers those whose answer changed.

    The last thing before a commit: it takes the limits clock, and who holds that must not wait for anything else. The
    organizations' wallets are locked (again, which costs nothing, when the caller holds them).
    """
    locked = wallets.lock(org_ids)
    standings = _standings(locked, now)
    for standing in standings:
        if standing.personal and standing.base != Payer.MARKETPLACE:
            base.flip(standing.org_id, Payer.CREDITS if standing.open else Payer.FREE, at=now)
    news = [standing for standing in standings if standing.is_news]
    if news:
        ids = [standing.org_id for standing in news]
        with connection.cursor() as cursor:
            # The clock first, then the rows: the trigger of new keys takes them in this order too.
            cursor.execute("SELECT limits_touch(%s::bigint[])", [ids])
            cursor.execute(TELL, [ids, [standing.open for standing in news], [standing.digest for standing in news]])
    return [standing.org_id for standing in news]


def _standings(org_ids: list[int], now: datetime) -> list[Standing]:
    with connection.cursor() as cursor:
        cursor.execute(
            STANDING, {"orgs": org_ids, "now": now, "day": periods.floor_day(now), "month": periods.month_of(now)}
        )
        rows = cursor.fetchall()
    standings = []
    for (
        org_id,
        personal,
        payer,
        is_open,
        capped,
        spans,
        owes,
        disputed,
        unpaid,
        stopped,
        told_open,
        told_digest,
    ) in rows:
        closed_by = "dispute owes" if owes else "dispute disputed" if disputed and not is_open else ""
        closed_by = closed_by or ("settlement unpaid" if unpaid and not is_open else "")
        exhausted, contracted = _covered(spans, now) if spans else ([], [])
        facts = [closed_by, *_covers(spans or [], stopped or {}, now)]
        facts += [f"contract {model_id} {state}" for model_id, state in contracted]
        digest = _digest(capped or [], exhausted, facts, now)
        standings.append(Standing(org_id, personal, Payer(payer), is_open, digest, told_open, told_digest))
    return standings


def _covered(spans: list[dict[str, Any]], now: datetime) -> tuple[list[int], list[tuple[int, str]]]:
    """Of a covered organization the models whose allowance of the day is used up, and how those under a contract stand."""
    picture = Picture("", "", personal=False, available=ZERO, base=Payer.CREDITS, spans=reading.spans_of(spans))
    catalog = current.latest()
    return entitlements.exhausted(picture, catalog, now=now), entitlements.contracted(picture, catalog, now=now)


def _covers(spans: list[dict[str, Any]], stopped: dict[str, str], now: datetime) -> list[str]:
    """What is covered now or later, and by what; and what stopped covering."""
    dated = [span for span in reading.spans_of(spans) if span.valid_to > now]
    said = [f"{s.model_id} {s.payer} {s.source_id} {s.valid_from.isoformat()} {s.valid_to.isoformat()}" for s in dated]
    return sorted([*said, *(f"{model_id} {state}" for model_id, state in stopped.items())])


def _digest(capped: list[int], exhausted: list[int], facts: list[str], now: datetime) -> str:
    """Empty while nothing is used up or closed. Month and day are part of it: next month the same cap is news again."""
    said = [fact for fact in facts if fact]
    if capped:
        said.append(f"caps {periods.month_of(now)} {capped}")
    if exhausted:
        said.append(f"allowances {now.date()} {exhausted}")
    return hashlib.md5("|".join(said).encode(), usedforsecurity=False).hexdigest() if said else ""
