"""Refunds and disputes: what each took, where it went, what came back, and what was held meanwhile."""

from billing.ledger.audit import Check, ours

PENDING = "(SELECT id FROM account WHERE code = 2300)"

OF_REFUNDS = f"""
SELECT cause_id, min(org_id) AS org_id, max(posted_at) AS posted_at, bool_and(cause_kind = 'refund') AS of_refunds,
    coalesce(sum(amount) FILTER (WHERE side > 0 AND other <> 1000), 0) AS taken,
    coalesce(sum(amount) FILTER (WHERE side < 0 AND other <> 1000), 0) AS returned,
    coalesce(sum(-side * amount) FILTER (WHERE other = 1000), 0) AS arrived
FROM (
    SELECT org_id, posted_at, cause_kind, cause_id, amount, debit_id AS other, 1 AS side FROM transfer
    WHERE credit_id IN {PENDING}
    UNION ALL SELECT org_id, posted_at, cause_kind, cause_id, amount, credit_id, -1 FROM transfer
    WHERE debit_id IN {PENDING}) m
WHERE {ours("org_id")}
GROUP BY cause_id
"""
"""What passed through account 2300, by cause: taken from somewhere, returned there, arrived at the card (1000)."""

MOVED = f"""
SELECT org_id, cause_id, stage, sum(amount) AS amount, max(posted_at) AS posted_at FROM (
    SELECT org_id, cause_id, split_part(key, ':', 3) AS stage, posted_at,
        CASE debit_id WHEN 1000 THEN amount ELSE -amount END AS amount
    FROM transfer WHERE (debit_id = 1000 OR credit_id = 1000) AND cause_kind = 'dispute' AND {ours("org_id")}) m
GROUP BY 1, 2, 3
"""
"""What moved account 1000 for a dispute, by its withdrawals (w, w2 ...) and reinstatements (r, r2 ...)."""

GRANTS = """
SELECT a.org_id, a.id AS account, a.held, a.held_since, coalesce(g.payment_id, r.intent_id, d.intent_id) AS intent
FROM account a LEFT JOIN credit_grant g ON g.account_id = a.id
LEFT JOIN refund r ON g.key LIKE 'rf:%%' AND r.id::text = split_part(g.key, ':', 2)
LEFT JOIN dispute d ON g.key LIKE 'dp:%%' AND d.provider_id = split_part(g.key, ':', 2)
WHERE a.code = 2000 OR a.held
"""
"""Grants and the payments they come from, those too that were issued when money of a payment came back."""

OPEN_FROM = """CASE WHEN d.status LIKE 'warning%%' THEN d.created_at ELSE (
    SELECT min(posted_at) FROM dispute_movement m WHERE m.dispute_id = d.id) END"""
"""From when on a dispute was surely open: an inquiry may have been closed for a while before it became a chargeback."""

CHECKS = (
    Check(
        "reversal_of_payment",
        "a refund or dispute is of a payment of its organization, of more than nothing, in a state that there is",
        f"""
        SELECT r.org_id, 'refund' AS what, r.id::text AS id, r.state, r.amount_cents, i.org_id AS paid_by, i.state AS payment
        FROM refund r LEFT JOIN payment_intent i ON i.id = r.intent_id
        WHERE ({ours("r.org_id")} OR i.org_id = %(org)s) AND r.created_at >= %(since)s AND NOT coalesce(
            i.org_id = r.org_id AND i.state = 'succeeded' AND r.amount_cents BETWEEN 1 AND 100000000
            AND r.state IN ('asked', 'unknown', 'pending', 'succeeded', 'failed')
            AND (r.state NOT IN ('pending', 'succeeded') OR r.provider_id <> '')
            AND (r.asked_by_id IS NULL OR r.reason <> ''), false)
        UNION ALL SELECT d.org_id, 'dispute', d.provider_id, d.status, d.amount_cents, i.org_id, i.state
        FROM dispute d LEFT JOIN payment_intent i ON i.id = d.intent_id
        WHERE ({ours("d.org_id")} OR i.org_id = %(org)s) AND d.created_at >= %(since)s AND NOT coalesce(
            i.org_id = d.org_id AND i.state = 'succeeded' AND d.amount_cents BETWEEN 1 AND 100000000
            AND (d.closed_at IS NOT NULL) = (d.status IN ('warning_closed', 'won', 'lost', 'prevented'))
            AND d.status IN ('warning_needs_response', 'warning_under_review', 'warning_closed', 'needs_response',
                'under_review', 'won', 'lost', 'prevented'), false)""",
    ),
    Check(
        "refund_pending",
        "account 2300 holds the refunds that were asked for and have not ended",
        f"""
        SELECT org_id, a.balance AS pending, r.amount AS asked
        FROM (SELECT org_id, sum(balance) AS balance FROM account WHERE code = 2300 GROUP BY 1) a
        FULL JOIN (
            SELECT org_id, sum(amount_cents)::numeric / 100 AS amount FROM refund
            WHERE state IN ('asked', 'unknown', 'pending') GROUP BY 1) r USING (org_id)
        WHERE {ours("org_id")} AND coalesce(a.balance, 0) <> coalesce(r.amount, 0)""",
    ),
    Check(
        "refund_taken",
        "a refund took its amount, once, and nothing is taken for a refund that there is not",
        f"""
        SELECT coalesce(r.org_id, m.org_id) AS org_id, coalesce(r.id::text, m.cause_id) AS refund, r.state,
            r.amount_cents::numeric / 100 AS amount, m.taken, m.org_id AS taken_from
        FROM (SELECT * FROM refund WHERE {ours("org_id")}) r FULL JOIN ({OF_REFUNDS}) m ON m.cause_id = r.id::text
        WHERE coalesce(r.created_at, m.posted_at) >= %(since)s AND NOT coalesce(
            m.of_refunds AND m.org_id = r.org_id AND m.taken * 100 = r.amount_cents, false)""",
    ),
    Check(
        "refund_outcome",
        "a refund arrived exactly when it succeeded, and returned to where it was taken from exactly when it failed",
        f"""
        SELECT r.org_id, r.id AS refund, r.state, r.amount_cents::numeric / 100 AS amount, m.arrived, m.returned
        FROM refund r LEFT JOIN ({OF_REFUNDS}) m ON m.cause_id = r.id::text
        WHERE {ours("r.org_id")} AND r.created_at >= %(since)s AND (
            coalesce(m.arrived, 0) * 100 <> CASE r.state WHEN 'succeeded' THEN r.amount_cents ELSE 0 END
            OR coalesce(m.returned, 0) * 100 <> CASE r.state WHEN 'failed' THEN r.amount_cents ELSE 0 END)""",
    ),
    Check(
        "refund_within_payment",
        "the refunds of a payment are never more than was paid",
        f"""
        SELECT i.org_id, i.id AS intent, r.amount AS refunded, coalesce(p.amount, 0) AS paid
        FROM (
            SELECT intent_id, max(created_at) AS created_at, sum(amount_cents)::numeric / 100 AS amount FROM refund
            WHERE state <> 'failed' GROUP BY 1) r
        JOIN payment_intent i ON i.id = r.intent_id
        LEFT JOIN (
            SELECT org_id, cause_id, sum(amount) AS amount FROM transfer
            WHERE debit_id = 1000 AND cause_kind = 'intent' AND cause_id IN (SELECT intent_id::text FROM refund)
            GROUP BY 1, 2) p ON p.cause_id = i.id::text AND p.org_id = i.org_id
        WHERE {ours("i.org_id")} AND r.created_at >= %(since)s AND r.amount > coalesce(p.amount, 0)""",
    ),
    Check(
        "dispute_moved",
        "each movement of a dispute is in the ledger with its amount, once, and nothing else is",
        f"""
        SELECT coalesce(d.org_id, l.org_id) AS org_id, coalesce(d.provider_id, l.cause_id) AS dispute, d.status,
            d.moved AS movements, l.moved AS in_ledger
        FROM (
            SELECT d.org_id, d.provider_id, d.status, max(m.posted_at) AS posted_at,
                array_agg(m.amount_cents::numeric / 100 ORDER BY m.amount_cents) AS moved
            FROM dispute_movement m LEFT JOIN dispute d ON d.id = m.dispute_id AND d.org_id = m.org_id
            WHERE {ours("m.org_id")} GROUP BY 1, 2, 3) d
        FULL JOIN (
            SELECT org_id, cause_id, max(posted_at) AS posted_at, array_agg(amount ORDER BY amount) AS moved
            FROM ({MOVED}) s GROUP BY 1, 2) l ON l.cause_id = d.provider_id AND l.org_id = d.org_id
        WHERE coalesce(d.posted_at, l.posted_at) >= %(since)s AND d.moved IS DISTINCT FROM l.moved""",
    ),
    Check(
        "dispute_within_payment",
        "a dispute withdraws at most what was paid and reinstates at most what it withdrew",
        # Together with refunds it may be more: banks dispute what was refunded before.
        f"""
        SELECT d.org_id, d.provider_id AS dispute, -sum(m.amount_cents)::numeric / 100 AS withdrawn,
            i.amount_cents::numeric / 100 AS paid
        FROM dispute d JOIN dispute_movement m ON m.dispute_id = d.id JOIN payment_intent i ON i.id = d.intent_id
        WHERE {ours("d.org_id")} AND d.created_at >= %(since)s AND i.failure_code <> 'unapplied'
        GROUP BY d.org_id, d.provider_id, i.amount_cents
        HAVING NOT -sum(m.amount_cents) BETWEEN 0 AND i.amount_cents""",
    ),
    Check(
        "grant_held",
        "a grant is held exactly while a dispute of its payment is open",
        # Of a payment that was paid twice the dispute may be about the charge that became no credit.
        f"""
        SELECT g.org_id, g.account, g.held, g.held_since, g.intent, d.provider_id AS dispute
        FROM ({GRANTS}) g
        LEFT JOIN LATERAL (
            SELECT min(provider_id) AS provider_id FROM dispute
            WHERE intent_id = g.intent AND closed_at IS NULL) d ON true
        WHERE {ours("g.org_id")} AND (
            g.held AND d.provider_id IS NULL OR g.held_since IS NOT NULL AND NOT g.held
            OR NOT g.held AND d.provider_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM transfer t WHERE t.credit_id = 2900 AND t.debit_id = 1000
                    AND t.cause_id = g.intent::text AND t.key <> 'pay:' || g.intent))""",
    ),
    Check(
        "charged_while_disputed",
        "no card was charged without its customer while a dispute of the organization was open",
        f"""
        SELECT i.org_id, i.id AS intent, i.purpose, i.created_at, d.provider_id AS dispute, d.closed_at
        FROM dispute d JOIN payment_intent i ON i.org_id = d.org_id AND i.method_id IS NOT NULL
            AND i.created_at > {OPEN_FROM} AND (d.closed_at IS NULL OR i.created_at < d.closed_at)
        WHERE {ours("i.org_id")} AND i.created_at >= %(since)s""",
    ),
    Check(
        "debt_cause",
        "claw-back debt comes of disputes and of refunds for fraud alone, goodwill never of those",
        f"""
        SELECT t.org_id, t.key, t.amount, t.cause_kind, t.cause_id, a.code
        FROM account a JOIN transfer t ON t.debit_id = a.id
        LEFT JOIN refund r ON t.cause_kind = 'refund' AND r.id::text = t.cause_id
        WHERE a.code IN (1110, 4810) AND {ours("t.org_id")} AND t.period >= %(month)s
            AND NOT coalesce(CASE a.code
                WHEN 1110 THEN t.cause_kind = 'dispute' OR r.stripe_reason = 'fraudulent'
                ELSE t.cause_kind <> 'dispute' AND (t.cause_kind <> 'refund' OR r.stripe_reason <> 'fraudulent')
                END, false)""",
    ),
)
