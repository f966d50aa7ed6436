"""Reserved capacity: each month is worth what was committed, overage is its total, and cover and contract are one."""

from billing.ledger.audit import Check, ours

POSTED = f"""
SELECT l.org_id, l.contract, l.period,
    coalesce(sum(l.side * l.amount) FILTER (WHERE l.what = 'due'), 0) AS due,
    coalesce(sum(l.side * l.amount) FILTER (WHERE l.what = 'unused'), 0) AS unused
FROM (
    SELECT org_id, split_part(key, ':', 2) AS contract, (split_part(key, ':', 3) || '-01')::date AS period, amount,
        CASE split_part(key, ':', 1) WHEN 'kc' THEN 'due' ELSE 'unused' END AS what,
        CASE split_part(key, ':', 4) WHEN 'back' THEN -1 ELSE 1 END AS side
    FROM transfer WHERE cause_kind = 'contract' AND {ours("org_id")}) l
GROUP BY 1, 2, 3
"""
"""What was posted by the name of a contract and month: its commitment (row 27), and what of it was not used (row 31)."""

MONTHS = f"""
SELECT m.*, c.public_id, c.price_usd, c.overage_usd, least(m.posted, m.tokens) * c.price_usd AS used,
    greatest(0, m.posted - m.tokens) * c.overage_usd AS overage
FROM contract_month m JOIN contract c ON c.id = m.contract_id WHERE {ours("m.org_id")}
"""

SIDES = """
SELECT org_id, credit_id AS code, amount, credit_id = 4210 AND cause_kind = 'contract' AS closing FROM transfer
WHERE credit_id IN (4200, 4210, 4220) UNION ALL
SELECT org_id, debit_id, -amount, false FROM transfer WHERE debit_id IN (4200, 4210, 4220)
"""
"""What moved the income of contracts, and whether it was the closing of a month."""

CHECKS = (
    Check(
        "contract_month_due",
        "a month's commitment is due once it began, and taken back if it never was; what is unused is posted when it closes",
        f"""
        SELECT coalesce(m.org_id, p.org_id) AS org_id, coalesce(m.public_id::text, p.contract) AS contract,
            coalesce(m.period, p.period) AS period, m.amount_cents, p.due, p.unused
        FROM ({MONTHS}) m FULL JOIN ({POSTED}) p ON p.contract = m.public_id::text AND p.period = m.period
            AND p.org_id = m.org_id
        WHERE coalesce(p.due, 0) * 100 IS DISTINCT FROM
                CASE WHEN m.begun_at IS NULL OR m.lapsed_at IS NOT NULL THEN 0 ELSE m.amount_cents END
            OR coalesce(p.unused, 0) <> 0 AND m.closed_at IS NULL
            OR coalesce(p.unused, 0) > m.amount_cents::numeric / 100""",
    ),
    Check(
        "contract_income",
        "committed x price is what was used and what was not of the closed months; overage is what the totals say",
        f"""
        SELECT org_id, w.used, coalesce(l.used, 0) AS posted_used, w.unused, coalesce(l.unused, 0) AS posted_unused,
            w.overage, coalesce(l.overage, 0) AS posted_overage
        FROM (
            SELECT org_id, sum(used) AS used, sum(overage) AS overage,
                coalesce(sum(amount_cents::numeric / 100 - used) FILTER (WHERE closed_at IS NOT NULL), 0) AS unused
            FROM ({MONTHS}) m GROUP BY 1) w
        FULL JOIN (
            SELECT org_id, sum(amount) FILTER (WHERE code = 4200) AS used, sum(amount) FILTER (WHERE code = 4210) AS unused,
                sum(amount) FILTER (WHERE code = 4220) AS overage
            FROM ({SIDES}) s WHERE {ours("org_id")} GROUP BY 1) l USING (org_id)
        WHERE coalesce(w.used, 0) <> coalesce(l.used, 0) OR coalesce(w.unused, 0) <> coalesce(l.unused, 0)
            OR coalesce(w.overage, 0) <> coalesce(l.overage, 0)""",
    ),
    Check(
        "contract_deferred",
        "account 2200 holds what is left of the commitments of the months that are open",
        f"""
        SELECT org_id, a.balance AS deferred, m.open
        FROM (SELECT org_id, sum(balance) AS balance FROM account WHERE code = 2200 GROUP BY 1) a
        FULL JOIN (
            SELECT org_id, sum(amount_cents::numeric / 100 - used) AS open FROM ({MONTHS}) x
            WHERE begun_at IS NOT NULL AND closed_at IS NULL AND lapsed_at IS NULL GROUP BY 1) m USING (org_id)
        WHERE {ours("org_id")} AND coalesce(a.balance, 0) <> coalesce(m.open, 0)""",
    ),
    Check(
        "contract_tokens",
        "a month's tokens are its usage by the hour, and those that are not posted wait in open lines",
        f"""
        SELECT org_id, m.period, m.total, coalesce(u.tokens, 0) AS rolled_up, m.posted, coalesce(l.tokens, 0) AS open
        FROM (
            SELECT org_id, period, sum(total) AS total, sum(posted) AS posted FROM contract_month
            WHERE {ours("org_id")} GROUP BY 1, 2) m
        FULL JOIN (
            SELECT org_id, date_trunc('month', hour AT TIME ZONE 'UTC')::date AS period,
                sum(input_tokens + output_tokens) AS tokens
            FROM usage_hour WHERE payer = 4 AND {ours("org_id")} GROUP BY 1, 2) u USING (org_id, period)
        LEFT JOIN (
            SELECT n.org_id, n.period, sum(l.tokens) AS tokens FROM contract_line l
            JOIN contract_month n ON n.id = l.month_id GROUP BY 1, 2) l USING (org_id, period)
        WHERE coalesce(m.total, 0) <> coalesce(u.tokens, 0) OR coalesce(m.total - m.posted, 0) <> coalesce(l.tokens, 0)""",
    ),
    Check(
        "contract_cover",
        "a contract that runs covers its models from its first payment to its end, and nothing else is covered by one",
        f"""
        SELECT coalesce(k.org_id, v.org_id) AS org_id, k.contract_id AS contract, k.state,
            coalesce(k.model_id, v.model_id) AS model, v.valid_from, v.valid_to
        FROM (
            SELECT c.org_id, c.id AS contract_id, c.state, c.active_from, c.ends_on, x.model_id
            FROM contract c JOIN contract_model x ON x.contract_id = c.id
            WHERE c.active_from IS NOT NULL AND {ours("c.org_id")}) k
        FULL JOIN (SELECT * FROM coverage WHERE payer = 4 AND {ours("org_id")}) v
            ON v.source_id = k.contract_id AND v.model_id = k.model_id AND v.org_id = k.org_id
        WHERE v.valid_from IS DISTINCT FROM k.active_from OR v.valid_to > k.ends_on::timestamp AT TIME ZONE 'UTC'
            OR k.state IN ('active', 'past_due') AND v.valid_to <> k.ends_on::timestamp AT TIME ZONE 'UTC'""",
    ),
    Check(
        "contract_charged",
        "a card is charged for something that is due for a contract of its organization, one charge for each try",
        f"""
        SELECT i.org_id, i.id AS intent, i.key, i.state, i.amount_cents, d.stage, d.tries
        FROM payment_intent i LEFT JOIN contract_due d ON d.org_id = i.org_id AND i.key IN (
            SELECT 'contract:' || d.id || ':' || n FROM generate_series(1, d.tries) n)
        WHERE i.purpose = 'contract' AND {ours("i.org_id")} AND i.created_at >= %(since)s AND NOT coalesce(
            i.amount_cents >= d.amount_cents AND i.amount_cents >= 50
            AND (i.state IN ('failed', 'canceled', 'succeeded') OR d.stage = 'charging' AND d.intent_id = i.id), false)
        UNION ALL SELECT d.org_id, d.intent_id, i.key, i.state, i.amount_cents, d.stage, d.tries
        FROM contract_due d LEFT JOIN payment_intent i ON i.id = d.intent_id AND i.org_id = d.org_id
        WHERE {ours("d.org_id")} AND (d.intent_id IS NOT NULL OR d.tries > 0 OR d.stage = 'charging')
            AND (i.purpose IS DISTINCT FROM 'contract' OR i.key <> 'contract:' || d.id || ':' || d.tries
                OR d.stage = 'paid' AND i.state <> 'succeeded' AND d.paid_at IS NULL)""",
    ),
    Check(
        "contract_words",
        "a contract that was accepted has the words that were, with their hash, and nothing else was accepted",
        f"""
        SELECT coalesce(c.org_id, a.org_id) AS org_id, c.id AS contract, c.state, a.at FROM contract c
        FULL JOIN contract_acceptance a ON a.contract_id = c.id
        WHERE {ours("coalesce(c.org_id, a.org_id)")} AND (
            (c.accepted_at IS NOT NULL) <> (a.at IS NOT NULL)
            OR c.state IN ('accepted', 'active', 'past_due') AND a.at IS NULL
            OR a.digest <> sha256(convert_to(a.text, 'UTF8')) OR a.org_id <> c.org_id)""",
    ),
)
