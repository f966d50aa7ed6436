"""Credit that expires soon is told 30, 7 and 1 days before, as decided in A60: by the day of its end, in UTC.

From the start of the day that lies so many days before the day of the end, what is then left of each grant above a cent
is told, in one notice for all grants that end on that day. A step that was past when a grant was issued is skipped for it;
so is one that nobody told in time, when a later one has begun.
"""

from datetime import date, datetime
from decimal import Decimal

from django.db import connection

from billing.notices import announcing
from billing.notices.models import Kind

STEPS = (30, 7, 1)
"""Days before."""

DUE = """
SELECT g.org_id, d.day, s.step, sum(g.balance - g.accrued), min(g.expires_at), count(*)
FROM account g
JOIN credit_grant c ON c.account_id = g.id
CROSS JOIN LATERAL (SELECT date_trunc('day', g.expires_at, 'UTC') AS start, (g.expires_at AT TIME ZONE 'UTC')::date AS day) d
CROSS JOIN LATERAL (
    SELECT min(step) AS step FROM unnest(%(steps)s::int[]) step WHERE d.start - make_interval(days => step) <= %(now)s
) s
WHERE g.code IN (2000, 2010) AND NOT g.exhausted AND NOT g.held AND g.balance - g.accrued > 0.01
    AND g.expires_at > %(now)s AND g.expires_at < %(now)s + interval '31 days'
    AND c.issued_at < d.start - make_interval(days => s.step)
    AND NOT EXISTS (SELECT FROM notice n WHERE n.key = concat_ws(':', %(kind)s, g.org_id, d.day, s.step))
GROUP BY g.org_id, d.day, s.step
ORDER BY g.org_id, d.day
"""


def tell(*, now: datetime) -> int:
    """Announce every step that has begun; answers how many notices. However often it runs, each step is told once."""
    with connection.cursor() as cursor:
        cursor.execute(DUE, {"now": now, "steps": list(STEPS), "kind": Kind.EXPIRING})
        due: list[tuple[int, date, int, Decimal, datetime, int]] = cursor.fetchall()
    told = [
        announcing.written(
            org_id,
            Kind.EXPIRING,
            key=f"{org_id}:{day}:{step}",
            facts={"step": step, "amount": f"{left:f}", "expires_at": ends.isoformat(), "grants": grants},
            now=now,
        )
        for org_id, day, step, left, ends, grants in due
    ]
    announcing.announce_all(told)
    return len(told)
