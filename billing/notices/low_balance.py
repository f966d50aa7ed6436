"""A low balance is told once: when it falls below one of the organization's thresholds, and again after it rose above it.

What is still to be told is a row (`LowBalanceArmed`): it is there while the balance has been above the threshold since the
last telling. A balance at the threshold changes nothing. One that falls through several is told of the lowest.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import connection

from billing.ledger.balances import HELD
from billing.notices.models import Kind, Mail

AVAILABLE = f"w.posted - w.accrued - ({HELD})"
THRESHOLDS = "(SELECT t::numeric AS threshold FROM jsonb_array_elements_text(s.low_balance) t)"

TELL = f"""
WITH seen AS MATERIALIZED (
    SELECT w.org_id, {AVAILABLE} AS available, s.low_balance
    FROM notice_settings s JOIN wallet w ON w.org_id = s.org_id
    WHERE s.org_id = ANY(%(orgs)s) AND s.low_balance <> '[]'
), fallen AS (
    DELETE FROM low_balance_armed a USING seen s WHERE a.org_id = s.org_id AND s.available < a.threshold
    RETURNING a.org_id, a.threshold, s.available
), risen AS (
    INSERT INTO low_balance_armed (org_id, threshold)
    SELECT s.org_id, t.threshold FROM seen s, LATERAL {THRESHOLDS} t WHERE s.available > t.threshold
    ON CONFLICT DO NOTHING
)
INSERT INTO notice (org_id, kind, key, facts, created_at, mail, tries, next_try_at)
SELECT DISTINCT ON (org_id) org_id, %(kind)s, concat_ws(':', %(kind)s, org_id, trim_scale(threshold), %(moment)s),
    jsonb_build_object('threshold', trim_scale(threshold)::text, 'balance', trim_scale(available)::text),
    %(now)s, %(mail)s, 0, %(now)s
FROM fallen ORDER BY org_id, threshold
ON CONFLICT (key) DO NOTHING
"""
MOVED = f"""
SELECT w.org_id FROM notice_settings s JOIN wallet w ON w.org_id = s.org_id, LATERAL (SELECT {AVAILABLE} AS available) b
WHERE s.low_balance <> '[]' AND (
    EXISTS (SELECT FROM low_balance_armed a WHERE a.org_id = w.org_id AND b.available < a.threshold)
    OR EXISTS (SELECT FROM {THRESHOLDS} t WHERE b.available > t.threshold
        AND NOT EXISTS (SELECT FROM low_balance_armed a WHERE a.org_id = w.org_id AND a.threshold = t.threshold)))
ORDER BY w.org_id
"""
FORGET = f"""
DELETE FROM low_balance_armed a WHERE a.org_id = %(org)s AND NOT EXISTS (
    SELECT FROM notice_settings s, LATERAL {THRESHOLDS} t WHERE s.org_id = a.org_id AND t.threshold = a.threshold)
"""


def tell(org_ids: Iterable[int], *, now: datetime) -> None:
    """After their balances moved, in the same transaction: one statement for all. Their wallets are locked."""
    with connection.cursor() as cursor:
        cursor.execute(
            TELL,
            {
                "orgs": list(org_ids),
                "now": now,
                "moment": now.isoformat(),
                "kind": Kind.LOW_BALANCE,
                "mail": Mail.WAITING,
            },
        )


def moved(*, now: datetime) -> list[int]:
    """Organizations whose balance crossed a threshold and that nobody looked at since: what moves by the clock alone."""
    with connection.cursor() as cursor:
        cursor.execute(MOVED, {"now": now})
        return [org_id for (org_id,) in cursor.fetchall()]


def forget_others(org_id: int) -> None:
    """Thresholds that the organization does not have any more have nothing to tell."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET, {"org": org_id})
