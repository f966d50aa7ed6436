"""Is the ledger what it says it is? Read-only questions in SQL, independent of the code that writes."""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from billing.ledger.posting import GENESIS


@dataclass(frozen=True, slots=True)
class Difference:
    """A broken promise: which one, and the row that breaks it."""

    check: str
    row: tuple[Any, ...]


CHECKS = {
    "account balance equals its transfers": """
        SELECT a.org_id, a.id, a.balance, coalesce(m.moved, 0)
        FROM account a LEFT JOIN (
            SELECT id, sum(amount) AS moved
            FROM (SELECT credit_id AS id, amount FROM transfer UNION ALL SELECT debit_id, -amount FROM transfer) t
            GROUP BY id) m ON m.id = a.id
        WHERE a.org_id <> 0 AND a.balance <> coalesce(m.moved, 0)""",
    "account accrued equals its open lines": """
        SELECT a.org_id, a.id, a.accrued, coalesce(l.amount, 0)
        FROM account a LEFT JOIN (SELECT account_id, sum(amount) AS amount FROM accrual GROUP BY 1) l ON l.account_id = a.id
        WHERE a.accrued <> coalesce(l.amount, 0)""",
    "wallet equals its accounts": """
        SELECT w.org_id, w.posted, w.accrued, s.posted, s.accrued
        FROM wallet w JOIN (
            SELECT org_id, sum(balance) FILTER (WHERE code IN (1100, 1110, 2000, 2010)) AS posted, sum(accrued) AS accrued
            FROM account GROUP BY org_id) s USING (org_id)
        WHERE w.org_id <> 0 AND (w.posted, w.accrued) IS DISTINCT FROM (s.posted, s.accrued)""",
    "promotional credit and its mirror cancel out": """
        SELECT sum(CASE WHEN a.code IN (2010, 2090) THEN moved END)
        FROM (SELECT credit_id AS id, amount AS moved FROM transfer UNION ALL SELECT debit_id, -amount FROM transfer) t
        JOIN account a ON a.id = t.id HAVING sum(CASE WHEN a.code IN (2010, 2090) THEN moved END) <> 0""",
    "no overdraft beside credit that could pay it": """
        SELECT o.org_id, o.balance, g.id, g.balance - g.accrued
        FROM account o JOIN account g ON g.org_id = o.org_id AND g.code IN (2000, 2010)
        WHERE o.code = 1100 AND o.balance - o.accrued < 0
            AND NOT g.exhausted AND NOT g.held AND g.expires_at > now() AND g.balance > g.accrued""",
    "exhausted means nothing left": """
        SELECT org_id, id, balance, accrued FROM account
        WHERE code IN (2000, 2010) AND exhausted IS DISTINCT FROM (balance = accrued)""",
    "chain continues from hash to hash": """
        SELECT t.org_id, t.period, t.seq
        FROM (SELECT t.*, d.code AS debit_code, c.code AS credit_code,
                row_number() OVER chain AS nth, lag(t.hash) OVER chain AS before
              FROM transfer t JOIN account d ON d.id = t.debit_id JOIN account c ON c.id = t.credit_id
              WINDOW chain AS (PARTITION BY t.org_id, t.period ORDER BY t.seq)) t
        WHERE t.seq <> t.nth OR t.hash <> sha256(coalesce(t.before, decode(%(genesis)s, 'hex'))
            || convert_to(transfer_canonical(
                t.org_id, t.period, t.seq, t.debit_code, t.debit_id, t.credit_code, t.credit_id, t.amount, t.reason, t.key,
                t.cause_kind, t.cause_id, t.effective_at, t.posted_at, t.hour, t.model_id, t.note_digest), 'UTF8'))""",
    "period head is its last transfer": """
        SELECT p.org_id, p.period, p.seq FROM ledger_period p
        LEFT JOIN transfer t ON t.org_id = p.org_id AND t.period = p.period AND t.seq = p.seq
        WHERE p.head IS DISTINCT FROM coalesce(t.hash, decode(%(genesis)s, 'hex'))
            OR EXISTS (SELECT 1 FROM transfer x WHERE x.org_id = p.org_id AND x.period = p.period AND x.seq > p.seq)""",
    "every grant was funded once, by what it says": """
        SELECT g.org_id, g.account_id, g.key FROM credit_grant g JOIN account a ON a.id = g.account_id
        LEFT JOIN transfer t ON t.key = g.key AND t.credit_id = g.account_id
        WHERE t.id IS NULL OR t.amount <> a.granted""",
    "every paid payment has its grant": """
        SELECT i.org_id, i.id FROM payment_intent i
        WHERE i.state = 'succeeded' AND i.purpose IN ('credits', 'recharge')
            AND NOT EXISTS (SELECT 1 FROM transfer t WHERE t.key = 'pay:' || i.id)""",
    "every bought grant has its paid payment": """
        SELECT g.org_id, g.account_id FROM credit_grant g LEFT JOIN payment_intent i ON i.id = g.payment_id
        WHERE g.payment_id IS NOT NULL AND i.state IS DISTINCT FROM 'succeeded'""",
    "usage charged equals usage drawn": """
        SELECT coalesce(u.org_id, l.org_id), u.model_id, u.hour, u.cost, l.cost
        FROM (SELECT org_id, model_id, hour, sum(cost) AS cost FROM usage_hour WHERE payer = 2 GROUP BY 1, 2, 3) u
        FULL JOIN (
            SELECT org_id, model_id, hour, sum(amount) AS cost FROM (
                SELECT org_id, model_id, hour, amount FROM accrual
                UNION ALL SELECT org_id, model_id, hour, amount FROM transfer WHERE credit_id = 4000
                UNION ALL SELECT org_id, model_id, hour, -amount FROM transfer WHERE debit_id = 4000) x
            GROUP BY 1, 2, 3) l
            ON (l.org_id, l.model_id, l.hour) = (u.org_id, u.model_id, u.hour)
        WHERE coalesce(u.cost, 0) <> coalesce(l.cost, 0)""",
}


def differences() -> list[Difference]:
    """Every promise that the books break; empty when all is well."""
    found = []
    with connection.cursor() as cursor:
        for check, query in CHECKS.items():
            cursor.execute(query, {"genesis": GENESIS.hex()})
            found += [Difference(check, row) for row in cursor.fetchall()]
    return found
