"""Which balances are below their threshold because of charged usage (A14).

The mark is set where usage is charged, in that transaction, and taken away where credit lifts the balance. So a balance that
fell by expiry, refund, dispute or staff alone has no mark and is not charged for, until the next charged usage sets it; and
one that was below by usage keeps it, whatever else happens, until it is lifted.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from billing.ledger.balances import HELD
from billing.payments.models import OPEN_STATES

AVAILABLE = f"(w.posted - w.accrued - ({HELD})) * 100"
MARK = f"""
UPDATE recharge_rule r SET low_since = %(now)s FROM wallet w
WHERE r.org_id = ANY(%(orgs)s) AND w.org_id = r.org_id AND r.standing = 'on' AND r.low_since IS NULL
    AND {AVAILABLE} < r.threshold_cents
RETURNING r.org_id
"""
CLEAR = f"""
UPDATE recharge_rule r SET low_since = NULL FROM wallet w
WHERE r.org_id = ANY(%(orgs)s) AND w.org_id = r.org_id AND r.low_since IS NOT NULL AND {AVAILABLE} >= r.threshold_cents
"""
DUE = """
SELECT r.org_id FROM recharge_rule r JOIN payment_method m ON m.id = r.method_id
WHERE r.standing = 'on' AND (
    r.low_since IS NOT NULL AND (r.retry_at IS NULL OR r.retry_at <= %(now)s) AND NOT EXISTS (
        SELECT 1 FROM payment_intent i WHERE i.org_id = r.org_id AND i.method_id IS NOT NULL
            AND i.state = ANY(%(open)s))
    OR m.detached_at IS NOT NULL OR (m.exp_year, m.exp_month) < (%(year)s, %(month)s))
ORDER BY r.low_since NULLS LAST, r.org_id
"""


def usage_charged(org_ids: Collection[int], *, now: datetime) -> list[int]:
    """Credit of these organizations paid for usage just now; answers which of them are low for the first time. Wallets are
    locked."""
    return _rows(MARK, orgs=list(org_ids), now=now) if org_ids else []


def lifted(org_ids: Collection[int], *, now: datetime) -> None:
    """Credit may have lifted these balances. Wallets are locked."""
    with connection.cursor() as cursor:
        cursor.execute(CLEAR, {"orgs": list(org_ids), "now": now})


def due(*, now: datetime) -> list[int]:
    """Organizations to look at now: low, with nothing on its way and no retry later; or with a card that is gone."""
    today = now.astimezone(UTC)
    states: dict[str, Any] = {
        "open": [state.value for state in OPEN_STATES],
    }
    return _rows(DUE, now=now, year=today.year, month=today.month, **states)


def _rows(sql: str, **values: Any) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [org_id for (org_id,) in cursor.fetchall()]
