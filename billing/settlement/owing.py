"""How organizations stand when their month is closed: what they owed at its end, owe now, and what speaks against a charge.

Read in sets, under the wallets' locks.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Protocol

from django.db import connection

from billing import periods
from billing.payments.models import OPEN_STATES
from billing.settlement.deciding import Standing

QUIET_MONTHS = 6
"""So long nothing was used and nothing paid before a debt too small to charge is let go (A42)."""


class Recharging(Protocol):
    """Which of these organizations have auto-recharge that works: told from above, that room is beside this one."""

    def __call__(self, org_ids: Iterable[int], *, now: datetime) -> Collection[int]: ...


@dataclass(frozen=True, slots=True)
class Owing:
    """An organization's overdraft account and how it stands."""

    account_id: int
    standing: Standing


AT_END = """
    greatest(0, coalesce((
        SELECT sum(CASE t.credit_id WHEN a.id THEN t.amount ELSE -t.amount END) FROM transfer t
        WHERE t.org_id = a.org_id AND t.period > %(period)s AND a.id IN (t.debit_id, t.credit_id)), 0) - a.balance)
"""
"""What overdraft account `a` owed at the month's end, as posted: what it owes now, less what moved it in later months."""


NEXT_TO_CLOSE = f"""
SELECT w.org_id FROM unnest(%(orgs)s::bigint[]) AS w (org_id)
LEFT JOIN ledger_period p ON p.org_id = w.org_id AND p.period = %(period)s
WHERE p.closed_at IS NULL
    AND NOT EXISTS (
        SELECT FROM ledger_period o WHERE o.org_id = w.org_id
            AND (o.period < %(period)s AND o.closed_at IS NULL OR o.period > %(period)s AND o.closed_at IS NOT NULL))
    AND (p.org_id IS NOT NULL OR EXISTS (
        SELECT FROM account a WHERE a.org_id = w.org_id AND a.code = 1100
            AND ({AT_END}) > 0))
ORDER BY w.org_id
"""


def next_to_close(org_ids: list[int], period: date) -> list[int]:
    """Asked under the lock: another run may have been here. Without movement only who owed at the end is settled."""
    return [org_id for (org_id,) in rows(NEXT_TO_CLOSE, {"orgs": org_ids, "period": period})]


OWED = f"""
SELECT a.org_id, a.id, {AT_END}, -a.balance FROM account a WHERE a.org_id = ANY(%(orgs)s) AND a.code = 1100
"""
FACTS = """
SELECT w.org_id,
    EXISTS (SELECT FROM credit_grant g WHERE g.org_id = w.org_id AND g.payment_id IS NOT NULL),
    EXISTS (SELECT FROM payment_method m JOIN stripe_customer c ON c.org_id = m.org_id
        WHERE m.org_id = w.org_id AND m.is_default AND m.detached_at IS NULL
        AND (m.exp_year, m.exp_month) >= (extract(year FROM %(now)s AT TIME ZONE 'UTC'),
                                          extract(month FROM %(now)s AT TIME ZONE 'UTC'))),
    EXISTS (SELECT FROM payment_intent i WHERE i.org_id = w.org_id AND i.state = ANY(%(open)s)),
    EXISTS (SELECT FROM dispute d WHERE d.org_id = w.org_id AND d.closed_at IS NULL),
    EXISTS (SELECT FROM settlement s WHERE s.org_id = w.org_id
        AND (s.stage IN ('charging', 'unpaid') OR s.stage = 'due' AND s.tries > 0)),
    NOT EXISTS (SELECT FROM usage_hour u WHERE u.org_id = w.org_id AND u.hour >= %(quiet)s)
        AND NOT EXISTS (SELECT FROM payment_intent i WHERE i.org_id = w.org_id AND i.charged_at >= %(quiet)s)
FROM unnest(%(orgs)s::bigint[]) AS w (org_id)
"""


def of(org_ids: list[int], period: date, *, recharging: Recharging, now: datetime) -> dict[int, Owing]:
    """Only of those who owe more is asked than how much."""
    found = {
        org_id: Owing(account_id, Standing(at_end, now_))
        for org_id, account_id, at_end, now_ in rows(OWED, {"orgs": org_ids, "period": period})
    }
    owing = [org_id for org_id, owed in found.items() if owed.standing.due]
    if not owing:
        return found
    recharged = set(recharging(owing, now=now))
    asked = {"orgs": owing, "now": now, "open": [state.value for state in OPEN_STATES], "quiet": _quiet_from(period)}
    for org_id, bought, card, in_flight, disputed, earlier, quiet in rows(FACTS, asked):
        standing = replace(
            found[org_id].standing, bought=bought, card=card, in_flight=in_flight, recharging=org_id in recharged,
            disputed=disputed, earlier=earlier, quiet=quiet,
        )  # fmt: skip
        found[org_id] = Owing(found[org_id].account_id, standing)
    return found


def _quiet_from(period: date) -> datetime:
    """The start of the six full months that end with this one."""
    first = period
    for _ in range(QUIET_MONTHS - 1):
        first = periods.month_before(first)
    return periods.month_start(first)


def rows(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
