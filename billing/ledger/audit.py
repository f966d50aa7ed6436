"""Is the ledger what it says it is? Read-only questions in SQL, independent of the code that writes.

Each check is one promise and one query that answers the rows which break it. Rooms above the ledger add checks of their
own in the same form (`billing/verifying/`), and `chains.py` hashes every transfer once more.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from billing import periods
from billing.ledger.posting import GENESIS

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
EVENTS_COMPARED = timedelta(days=34)
"""How far back events are looked at one by one: rollups by the minute are kept 35 days, events at least 40."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is looked at: the books as of `now`, of one organization or (None) all, what happened from `since` on.

    `since` cuts chains by month, usage by hour, and grants and payments by their moment. Sums over all time, as a balance,
    and what waits now are never cut.
    """

    now: datetime
    org_id: int | None = None
    since: datetime = BEGINNING

    def values(self) -> dict[str, Any]:
        """What the queries may name: %(org)s, %(since)s ..."""
        oldest = periods.floor_day(self.now - EVENTS_COMPARED)
        return {
            "now": self.now,
            "org": self.org_id,
            "since": self.since,
            "hour": periods.floor_hour(self.since),
            "month": periods.month_of(self.since),
            "told": max(periods.floor_hour(self.since), oldest),
            "day": max(periods.floor_day(self.since), oldest),
            "genesis": GENESIS.hex(),
        }


@dataclass(frozen=True, slots=True)
class Check:
    """A promise, and the query whose every row breaks it; its first column is the organization's id, or NULL."""

    name: str
    promise: str
    sql: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A broken promise: which one, of which organization (None: nobody's), and the row that breaks it, by column."""

    check: str
    org_id: int | None
    row: dict[str, Any]


def ours(column: str) -> str:
    """SQL: this column holds an organization that is looked at."""
    return f"(%(org)s::bigint IS NULL OR {column} = %(org)s)"


def ask(checks: Iterable[Check], scope: Scope) -> Iterator[Difference]:
    """Everything that breaks one of these promises."""
    for check in checks:
        with connection.cursor() as cursor:
            cursor.execute(check.sql, scope.values())
            names = [column.name for column in cursor.description]
            for row in cursor.fetchall():
                yield Difference(check.name, row[0], dict(zip(names[1:], row[1:])))


MOVES = """
SELECT credit_id AS id, debit_id AS other, amount, org_id FROM transfer
UNION ALL SELECT debit_id, credit_id, -amount, org_id FROM transfer
"""
"""Each transfer as two movements: of which account, against which, in whose chain."""

CHECKS = (
    Check(
        "organization_wallet",
        "every organization has its wallet, its overdraft account and its debt account",
        f"""
        SELECT o.id AS org_id, o.slug, count(a.id) AS accounts
        FROM organization o LEFT JOIN wallet w ON w.org_id = o.id AND w.organization_id = o.id
        LEFT JOIN account a ON a.org_id = w.org_id AND a.code IN (1100, 1110)
        WHERE {ours("o.id")} GROUP BY o.id, o.slug HAVING count(a.id) <> 2""",
    ),
    Check(
        "account_balance",
        "an account's balance is the sum of its transfers",
        f"""
        SELECT a.org_id, a.id AS account, a.balance, coalesce(m.moved, 0) AS transfers
        FROM account a LEFT JOIN (
            SELECT id, sum(amount) AS moved FROM ({MOVES}) m
            WHERE %(org)s::bigint IS NULL OR id IN (SELECT id FROM account WHERE org_id = %(org)s)
            GROUP BY id) m ON m.id = a.id
        WHERE a.org_id <> 0 AND {ours("a.org_id")} AND a.balance <> coalesce(m.moved, 0)""",
    ),
    Check(
        "account_accrued",
        "what an account has accrued is the sum of its open lines",
        f"""
        SELECT a.org_id, a.id AS account, a.accrued, coalesce(l.amount, 0) AS lines
        FROM account a LEFT JOIN (
            SELECT account_id, sum(amount) AS amount FROM accrual GROUP BY 1) l ON l.account_id = a.id
        WHERE {ours("a.org_id")} AND a.accrued <> coalesce(l.amount, 0)""",
    ),
    Check(
        "account_bounds",
        "a grant holds from nothing to what was granted and ends on a minute, exhausted means nothing is left, "
        "debts never turn positive, liabilities never negative, the house caches nothing",
        f"""
        SELECT org_id, id AS account, code, balance, accrued, granted, expires_at, exhausted FROM account
        WHERE {ours("org_id")} AND NOT coalesce(
            balance > -1e13 AND balance < 1e13 AND accrued >= 0 AND accrued < 1e13
            AND CASE
                WHEN org_id = 0 THEN balance = 0 AND accrued = 0 AND id = code
                WHEN code IN (2000, 2010) THEN accrued <= balance AND balance <= granted AND granted > 0 AND granted < 1e13
                    AND expires_at = date_trunc('minute', expires_at, 'UTC') AND exhausted = (balance = accrued)
                WHEN code IN (1100, 1110, 1120, 1200) THEN balance <= 0
                WHEN code IN (2100, 2200, 2300) THEN balance >= 0
                ELSE false END
            AND (code IN (2000, 2010) OR granted IS NULL AND expires_at IS NULL AND NOT exhausted AND NOT held), false)""",
    ),
    Check(
        "wallet_sums",
        "a wallet is the sum of its accounts, posted and accrued",
        f"""
        SELECT org_id, w.posted, s.posted AS accounts_posted, w.accrued, s.accrued AS accounts_accrued
        FROM wallet w FULL JOIN (
            SELECT org_id, coalesce(sum(balance) FILTER (WHERE code IN (1100, 1110, 2000, 2010)), 0) AS posted,
                sum(accrued) AS accrued
            FROM account GROUP BY org_id) s USING (org_id)
        WHERE {ours("org_id")} AND (w.posted, w.accrued) IS DISTINCT FROM (s.posted, s.accrued)""",
    ),
    Check(
        "accrual_line",
        "an open line is more than nothing, of a whole hour, on an account of its organization that pays for usage",
        f"""
        SELECT l.org_id, l.id AS line, l.account_id AS account, a.org_id AS account_of, l.amount, l.hour
        FROM accrual l LEFT JOIN account a ON a.id = l.account_id
        WHERE {ours("l.org_id")} AND NOT coalesce(a.org_id = l.org_id AND a.code IN (1100, 2000, 2010)
            AND l.amount > 0 AND l.amount < 1e13 AND l.hour = date_trunc('hour', l.hour, 'UTC'), false)""",
    ),
    Check(
        "transfer_accounts",
        "a transfer moves only accounts of its own organization and of the house",
        f"""
        SELECT t.org_id, t.key, t.debit_id AS debit, d.org_id AS debit_of, t.credit_id AS credit, c.org_id AS credit_of
        FROM transfer t LEFT JOIN account d ON d.id = t.debit_id LEFT JOIN account c ON c.id = t.credit_id
        WHERE {ours("t.org_id")} AND t.period >= %(month)s
            AND NOT coalesce(d.org_id IN (t.org_id, 0) AND c.org_id IN (t.org_id, 0), false)""",
    ),
    Check(
        "transfer_bounds",
        "a transfer moves more than nothing between two accounts, in the month of its effect or later",
        f"""
        SELECT org_id, key, amount, debit_id AS debit, credit_id AS credit, period, effective_at FROM transfer
        WHERE {ours("org_id")} AND period >= %(month)s AND NOT coalesce(
            amount > 0 AND amount < 1e13 AND debit_id <> credit_id AND extract(day FROM period) = 1
            AND period >= date_trunc('month', effective_at AT TIME ZONE 'UTC')::date AND length(hash) = 32
            AND position('|' IN concat(reason, key, cause_kind, cause_id)) = 0, false)""",
    ),
    Check(
        "transfer_key_once",
        "one effect per cause: a key is there once",
        f"""
        SELECT min(org_id) AS org_id, key, count(*) AS transfers FROM transfer
        WHERE {ours("org_id")} AND period >= %(month)s GROUP BY key HAVING count(*) > 1""",
    ),
    Check(
        "transfer_note",
        "a note's text is what the transfer's digest says",
        f"""
        SELECT t.org_id, t.key FROM transfer_note n JOIN transfer t ON t.id = n.transfer_id
        WHERE {ours("t.org_id")} AND t.period >= %(month)s
            AND t.note_digest IS DISTINCT FROM sha256(n.salt || convert_to(n.text, 'UTF8'))""",
    ),
    Check(
        "promo_mirror",
        "promotional credit and its mirror (2010 + 2090) are nothing together",
        f"""
        SELECT m.org_id, sum(m.amount) AS together FROM ({MOVES}) m JOIN account a ON a.id = m.id
        WHERE {ours("m.org_id")} AND a.code IN (2010, 2090) GROUP BY m.org_id HAVING sum(m.amount) <> 0""",
    ),
    Check(
        "overdraft_beside_credit",
        "nobody owes an overdraft beside credit that could pay it",
        # What occurred up to five minutes ahead of the clock may be after the end of a grant that lives until then.
        f"""
        SELECT o.org_id, o.accrued - o.balance AS overdraft, g.id AS grant, g.balance - g.accrued AS rest
        FROM account o JOIN account g ON g.org_id = o.org_id AND g.code IN (2000, 2010)
        WHERE {ours("o.org_id")} AND o.code = 1100 AND o.balance < o.accrued AND NOT g.held
            AND g.expires_at > %(now)s::timestamptz + interval '5 minutes' AND g.balance > g.accrued""",
    ),
    Check(
        "grant_funding",
        "every grant was funded once, by the amount and the key it says",
        f"""
        SELECT a.org_id, a.id AS account, g.key, a.granted, t.amount AS funded
        FROM account a LEFT JOIN credit_grant g ON g.account_id = a.id AND g.org_id = a.org_id
        LEFT JOIN transfer t ON t.key = g.key AND t.credit_id = a.id AND t.org_id = a.org_id
        WHERE a.code IN (2000, 2010) AND {ours("a.org_id")} AND (g.issued_at IS NULL OR g.issued_at >= %(since)s)
            AND t.amount IS DISTINCT FROM a.granted""",
    ),
)
