"""Payments and the credit they became: neither without the other."""

from billing.ledger.audit import Check, ours

CHECKS = (
    Check(
        "payment_without_grant",
        "every payment for credit that was paid has its grant, of its amount, in its organization",
        # A payment that did not fit ('unapplied') waits for staff, and one in another currency is not even in the ledger.
        f"""
        SELECT i.org_id, i.id AS intent, i.purpose, i.amount_cents, a.granted, g.org_id AS granted_to
        FROM payment_intent i LEFT JOIN credit_grant g ON g.payment_id = i.id LEFT JOIN account a ON a.id = g.account_id
        LEFT JOIN transfer t ON t.key = 'pay:' || i.id AND t.credit_id = a.id AND t.debit_id = 1000
        WHERE {ours("i.org_id")} AND coalesce(i.settled_at, i.created_at) >= %(since)s
            AND i.state = 'succeeded' AND i.purpose IN ('credits', 'recharge') AND i.failure_code <> 'unapplied'
            AND (t.id IS NULL OR g.org_id <> i.org_id OR a.granted * 100 <> i.amount_cents)""",
    ),
    Check(
        "grant_without_payment",
        "every bought grant has its paid payment",
        f"""
        SELECT g.org_id, g.account_id AS account, g.source, g.payment_id AS intent, i.state, i.org_id AS paid_by
        FROM credit_grant g LEFT JOIN payment_intent i ON i.id = g.payment_id
        WHERE {ours("g.org_id")} AND g.issued_at >= %(since)s
            AND (g.payment_id IS NOT NULL OR g.source IN ('purchase', 'recharge', 'settlement_rest'))
            AND (i.state IS DISTINCT FROM 'succeeded' OR i.org_id <> g.org_id)""",
    ),
    Check(
        "money_without_payment",
        "money is posted as collected only for a payment that was paid, as gone only for a refund or dispute that there is",
        f"""
        SELECT t.org_id, t.key, t.amount, t.cause_kind, t.cause_id, i.state AS payment, r.state AS refund,
            d.status AS dispute
        FROM transfer t LEFT JOIN payment_intent i ON t.cause_kind = 'intent' AND i.id::text = t.cause_id
        LEFT JOIN refund r ON t.cause_kind = 'refund' AND r.id::text = t.cause_id
        LEFT JOIN dispute d ON t.cause_kind = 'dispute' AND d.provider_id = t.cause_id
        WHERE {ours("t.org_id")} AND t.period >= %(month)s AND (t.debit_id = 1000 OR t.credit_id = 1000)
            AND NOT coalesce(CASE t.cause_kind
                WHEN 'intent' THEN t.debit_id = 1000 AND i.state = 'succeeded' AND i.org_id = t.org_id
                WHEN 'refund' THEN r.state IN ('succeeded', 'failed') AND r.org_id = t.org_id
                WHEN 'dispute' THEN d.org_id = t.org_id END, false)""",
    ),
)
