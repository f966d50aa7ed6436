"""What an organization has, in the words of A39:

settled    posted credit less overdraft and claw-back debt
accrued    rated and drawn, not yet posted
held       rest of grants that cannot be drawn now: under a dispute, or past their end and waiting for late usage
available  settled - accrued - held: alone decides limits; "the balance" wherever the rules say balance
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection

from billing.money import ZERO

HELD = """
    SELECT coalesce(sum(g.balance - g.accrued), 0) FROM account g
    WHERE g.org_id = w.org_id AND g.code IN (2000, 2010) AND NOT g.exhausted AND (g.held OR g.expires_at <= %(now)s)
"""
"""The held amount of wallet `w` at `now`, as a sub-select: the one definition, also read by limits."""

READ = f"""
SELECT w.org_id, w.posted, w.accrued, ({HELD}),
    coalesce(sum(a.accrued - a.balance) FILTER (WHERE a.code = 1100), 0),
    coalesce(sum(a.accrued - a.balance) FILTER (WHERE a.code = 1110), 0)
FROM wallet w LEFT JOIN account a ON a.org_id = w.org_id AND a.code IN (1100, 1110)
WHERE w.org_id = ANY(%(orgs)s)
GROUP BY w.org_id
"""


@dataclass(frozen=True, slots=True)
class Balance:
    """All in USD. `overdraft` (posted and accrued) and `debt` are positive when owed; `available` may be negative."""

    settled: Decimal = ZERO
    accrued: Decimal = ZERO
    held: Decimal = ZERO
    overdraft: Decimal = ZERO
    debt: Decimal = ZERO

    @property
    def available(self) -> Decimal:
        return self.settled - self.accrued - self.held


def of(org_id: int, *, now: datetime) -> Balance:
    return of_many([org_id], now=now).get(org_id, Balance())


def of_many(org_ids: Iterable[int], *, now: datetime) -> dict[int, Balance]:
    """Organization -> its balance, read in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(READ, {"orgs": list(org_ids), "now": now})
        return {org_id: Balance(*figures) for org_id, *figures in cursor.fetchall()}
