"""Months and their settlement: closed once and in order, decided on as the ledger says, and charged as decided."""

from billing.ledger.audit import Check, ours

OVERDRAFT = f"""
SELECT org_id, period, sum(sum(moved)) OVER (PARTITION BY org_id ORDER BY period) AS balance FROM (
    SELECT t.org_id, t.period, CASE t.credit_id WHEN a.id THEN t.amount ELSE -t.amount END AS moved
    FROM account a JOIN transfer t ON t.org_id = a.org_id AND a.id IN (t.debit_id, t.credit_id)
    WHERE a.code = 1100 AND {ours("a.org_id")}
    UNION ALL SELECT org_id, period, 0 FROM settlement WHERE {ours("org_id")}) m
GROUP BY org_id, period
"""
"""The overdraft account's balance at the end of each month, from all its transfers up to then."""

RECEIVED = f"""
SELECT t.cause_id, t.org_id, sum(t.amount) AS amount FROM transfer t JOIN account c ON c.id = t.credit_id
WHERE t.debit_id = 1000 AND t.cause_kind = 'intent' AND {ours("t.org_id")}
    AND (c.code = 1100 AND t.key = 'pay:' || t.cause_id OR c.code = 2000 AND t.key = 'pay:' || t.cause_id || ':rest')
GROUP BY 1, 2
"""
"""What payments for an overdraft brought: to it, and the rest to a grant."""

CHECKS = (
    Check(
        "closed_month_settled",
        "a month is closed exactly when it is settled, at the same moment",
        f"""
        SELECT org_id, period, p.closed_at, s.closed_at AS settled_at
        FROM (SELECT org_id, period, closed_at FROM ledger_period WHERE closed_at IS NOT NULL AND {ours("org_id")}) p
        FULL JOIN (SELECT org_id, period, closed_at FROM settlement WHERE {ours("org_id")}) s USING (org_id, period)
        WHERE period >= %(month)s AND p.closed_at IS DISTINCT FROM s.closed_at""",
    ),
    Check(
        "months_in_order",
        "months close one after the other, each when it is over",
        f"""
        SELECT org_id, period, closed_at, after FROM (
            SELECT org_id, period, closed_at, min(closed_at) OVER later AS after
            FROM ledger_period WHERE {ours("org_id")}
            WINDOW later AS (PARTITION BY org_id ORDER BY period ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)) p
        WHERE period >= %(month)s AND (closed_at IS NULL AND after IS NOT NULL OR closed_at > after
            OR closed_at < (period + interval '1 month') AT TIME ZONE 'UTC')""",
    ),
    Check(
        "settlement_decided",
        "a settlement says what was owed at the month's end, and all that was due is charged, written off or carried",
        f"""
        SELECT s.org_id, s.period, s.overdraft_at_end, greatest(0, s.written_off - o.balance) AS in_ledger,
            s.overdraft_at_closing, s.charge_cents, s.written_off, s.carried
        FROM settlement s LEFT JOIN ({OVERDRAFT}) o USING (org_id, period)
        WHERE {ours("s.org_id")} AND s.period >= %(month)s AND NOT coalesce(
            s.overdraft_at_end = greatest(0, s.written_off - o.balance) AND s.charge_cents >= 0
            AND s.written_off >= 0 AND s.carried >= 0 AND s.charge_cents <= s.ceiling * 100
            AND (s.charge_cents = 0 OR s.charge_cents >= 50) AND (s.charge_cents > 0) = (s.decided = 'charge')
            AND s.charge_cents::numeric / 100 + s.written_off + s.carried
                = least(s.overdraft_at_end, s.overdraft_at_closing), false)""",
    ),
    Check(
        "settlement_ceiling",
        "a month is settled by the ceiling that staff had set for its organization when it ended, if any",
        f"""
        SELECT s.org_id, s.period, s.ceiling, c.usd AS ceiling_set, c.set_at
        FROM settlement s CROSS JOIN LATERAL (
            SELECT usd, set_at FROM overdraft_ceiling o
            WHERE o.org_id = s.org_id AND o.set_at < (s.period + interval '1 month') AT TIME ZONE 'UTC'
            ORDER BY o.set_at DESC, o.id DESC LIMIT 1) c
        WHERE {ours("s.org_id")} AND s.period >= %(month)s AND s.ceiling <> c.usd""",
    ),
    Check(
        "settlement_written_off",
        "what settlements wrote off is in the ledger, in their month, and nothing else of the overdraft is",
        f"""
        SELECT coalesce(s.org_id, t.org_id) AS org_id, coalesce(s.period, t.period) AS period, s.written_off,
            s.written_off_as, t.amount, t.key
        FROM (SELECT * FROM settlement WHERE written_off <> 0 AND {ours("org_id")}) s
        FULL JOIN (SELECT * FROM transfer WHERE debit_id = 6010 AND {ours("org_id")}) t
            ON t.key = 'wo:' || s.org_id || ':' || to_char(s.period, 'YYYY-MM') || ':' || s.written_off_as
        WHERE coalesce(s.period, t.period) >= %(month)s AND (
            t.amount IS DISTINCT FROM s.written_off OR t.period IS DISTINCT FROM s.period OR t.org_id <> s.org_id)""",
    ),
    Check(
        "settlement_charged",
        "a card is charged for a settlement of its organization, one charge for each try, at most what that may charge",
        f"""
        SELECT i.org_id, i.id AS intent, i.key, i.state, i.amount_cents, s.period, s.stage, s.tries
        FROM payment_intent i LEFT JOIN settlement s ON s.org_id = i.org_id AND i.key IN (
            SELECT 'settle:' || s.org_id || ':' || to_char(s.period, 'YYYY-MM') || ':' || n
            FROM generate_series(1, s.tries) n)
        WHERE i.purpose = 'settlement' AND {ours("i.org_id")} AND i.created_at >= %(since)s AND NOT coalesce(
            i.amount_cents <= least(s.overdraft_at_end - s.written_off, s.ceiling) * 100
            AND (i.state IN ('failed', 'canceled', 'succeeded') OR s.stage = 'charging' AND s.intent_id = i.id), false)
        UNION ALL SELECT s.org_id, s.intent_id, i.key, i.state, i.amount_cents, s.period, s.stage, s.tries
        FROM settlement s LEFT JOIN payment_intent i ON i.id = s.intent_id AND i.org_id = s.org_id
        WHERE {ours("s.org_id")} AND s.period >= %(month)s
            AND (s.intent_id IS NOT NULL OR s.tries > 0 OR s.stage = 'charging')
            AND (i.purpose IS DISTINCT FROM 'settlement'
                OR i.key <> 'settle:' || s.org_id || ':' || to_char(s.period, 'YYYY-MM') || ':' || s.tries)""",
    ),
    Check(
        "settlement_paid",
        "a payment for an overdraft that arrived pays it, and its rest is a grant, in its organization",
        f"""
        SELECT i.org_id, i.id AS intent, i.amount_cents, r.amount AS received
        FROM payment_intent i LEFT JOIN ({RECEIVED}) r ON r.cause_id = i.id::text AND r.org_id = i.org_id
        WHERE {ours("i.org_id")} AND coalesce(i.settled_at, i.created_at) >= %(since)s
            AND i.state = 'succeeded' AND i.purpose = 'settlement' AND i.failure_code <> 'unapplied'
            AND r.amount * 100 IS DISTINCT FROM i.amount_cents""",
    ),
)
