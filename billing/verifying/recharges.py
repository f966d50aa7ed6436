"""Auto-recharge: no card was charged but as its holder agreed."""

from billing.ledger.audit import Check, ours

CHECKS = (
    Check(
        "recharge_unexplained",
        "every recharge has its attempt, of its organization and amount, by a consent that was given before",
        f"""
        SELECT i.org_id, i.id AS intent, i.amount_cents, i.state, a.id AS attempt, a.amount_cents AS attempted,
            c.at AS agreed
        FROM payment_intent i LEFT JOIN recharge_attempt a ON a.intent_id = i.id
        LEFT JOIN recharge_consent c ON c.id = a.consent_id
        WHERE {ours("i.org_id")} AND i.created_at >= %(since)s AND i.purpose = 'recharge'
            AND NOT coalesce(a.org_id = i.org_id AND a.amount_cents = i.amount_cents AND c.at <= a.at
                AND a.threshold_cents = c.threshold_cents AND a.recharge_to_cents = c.recharge_to_cents, false)""",
    ),
    Check(
        "recharge_too_much",
        "no recharge is of more than was missing, or was made above the threshold",
        f"""
        SELECT org_id, id AS attempt, amount_cents, balance, pending_cents, threshold_cents, recharge_to_cents
        FROM recharge_attempt
        WHERE {ours("org_id")} AND at >= %(since)s
            AND (balance * 100 >= threshold_cents
                OR amount_cents > ceil(recharge_to_cents - balance * 100 - pending_cents))""",
    ),
    Check(
        "recharge_over_cap",
        "in no calendar month was more charged than agreed",
        # What was refused, and arrived after another one had been made in its place, is credit and was not meant to be.
        f"""
        SELECT a.org_id, a.id AS attempt, a.at, c.cap_cents, s.cents
        FROM recharge_attempt a JOIN recharge_consent c ON c.id = a.consent_id
        CROSS JOIN LATERAL (
            SELECT sum(e.amount_cents) AS cents FROM recharge_attempt e JOIN payment_intent i ON i.id = e.intent_id
            WHERE e.org_id = a.org_id AND e.at <= a.at AND i.state NOT IN ('failed', 'canceled')
                AND date_trunc('month', e.at, 'UTC') = date_trunc('month', a.at, 'UTC')
                AND NOT EXISTS (SELECT FROM recharge_attempt n WHERE n.ladder = e.ladder AND n.rung > e.rung)) s
        WHERE {ours("a.org_id")} AND a.at >= %(since)s AND s.cents > c.cap_cents""",
    ),
    Check(
        "charges_at_once",
        "one card at a time is charged without its customer",
        f"""
        SELECT org_id, count(*) AS open, array_agg(id::text) AS intents FROM payment_intent
        WHERE {ours("org_id")} AND method_id IS NOT NULL
            AND state IN ('created', 'unknown', 'waiting', 'processing')
        GROUP BY org_id HAVING count(*) > 1""",
    ),
)
