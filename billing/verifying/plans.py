"""Plans: what was paid for them is earned, refunded or still deferred; what is paid is covered, and nothing else is."""

from billing.ledger.audit import Check, ours

PAID = "i.purpose = 'subscription' AND i.state = 'succeeded' AND i.failure_code <> 'unapplied'"
TAKEN = f"""
SELECT t.org_id, sum(CASE WHEN d.code = 2100 THEN t.amount ELSE -t.amount END) AS amount
FROM transfer t JOIN account d ON d.id = t.debit_id JOIN account c ON c.id = t.credit_id
WHERE t.cause_kind IN ('refund', 'dispute') AND 2100 IN (d.code, c.code) AND {ours("t.org_id")} GROUP BY 1
"""
"""What refunds and disputes took of what is not earned, less what came back."""

CHECKS = (
    Check(
        "plan_deferred",
        "account 2100 is what was collected for plans, less what was earned, less what went back",
        f"""
        SELECT o.org_id, a.balance, p.cents AS collected, e.cents AS earned, k.amount AS taken
        FROM (SELECT DISTINCT org_id FROM account WHERE code = 2100
              UNION SELECT i.org_id FROM payment_intent i WHERE {PAID}) o
        LEFT JOIN account a ON a.org_id = o.org_id AND a.code = 2100
        LEFT JOIN (SELECT i.org_id, sum(i.amount_cents) AS cents FROM payment_intent i WHERE {PAID} GROUP BY 1) p
            ON p.org_id = o.org_id
        LEFT JOIN (SELECT org_id, sum(earned_cents) AS cents FROM subscription_period GROUP BY 1) e ON e.org_id = o.org_id
        LEFT JOIN ({TAKEN}) k ON k.org_id = o.org_id
        WHERE {ours("o.org_id")} AND coalesce(a.balance, 0) <>
            (coalesce(p.cents, 0) - coalesce(e.cents, 0))::numeric / 100 - coalesce(k.amount, 0)""",
    ),
    Check(
        "plan_earned",
        "what is said to be earned of a fee is in the ledger, and nothing else is",
        f"""
        SELECT coalesce(p.org_id, t.org_id) AS org_id, p.id AS fee, p.earned_cents, t.cents AS posted, t.fee AS posted_for
        FROM (SELECT * FROM subscription_period WHERE {ours("org_id")}) p
        FULL JOIN (
            SELECT t.org_id, split_part(t.key, ':', 2) AS fee, sum(t.amount) * 100 AS cents FROM transfer t
            WHERE t.credit_id = 4100 AND {ours("t.org_id")} GROUP BY 1, 2) t ON t.fee = p.id::text AND t.org_id = p.org_id
        WHERE coalesce(p.earned_cents, 0) <> coalesce(t.cents, 0) OR p.id IS NULL AND t.fee IS NOT NULL""",
    ),
    Check(
        "plan_payment_placed",
        "a payment for a plan paid for periods of it, to the cent, or goes back whole",
        f"""
        SELECT i.org_id, i.id AS intent, i.amount_cents, p.cents AS for_periods
        FROM payment_intent i LEFT JOIN plan_charge c ON c.intent_id = i.id AND c.org_id = i.org_id
        LEFT JOIN (SELECT charge_id, sum(charged_cents) AS cents FROM subscription_period GROUP BY 1) p
            ON p.charge_id = c.id
        WHERE {ours("i.org_id")} AND coalesce(i.settled_at, i.created_at) >= %(since)s AND {PAID}
            AND p.cents IS DISTINCT FROM i.amount_cents AND NOT (p.cents IS NULL AND (
                EXISTS (SELECT FROM refund r WHERE r.intent_id = i.id AND r.state <> 'failed'
                    AND r.amount_cents = i.amount_cents)
                OR EXISTS (SELECT FROM dispute d WHERE d.intent_id = i.id)))""",
    ),
    Check(
        "plan_price_told",
        "a renewal costs no more than the period before it, or than was told of 30 days ahead",
        f"""
        SELECT p.org_id, p.id AS fee, p.price_cents, b.price_cents AS before FROM subscription_period p
        JOIN LATERAL (
            SELECT b.plan_id, b.price_cents, b.starts_at FROM subscription_period b
            WHERE b.subscription_id = p.subscription_id AND b.number = p.number - 1 ORDER BY b.part DESC LIMIT 1) b ON true
        WHERE {ours("p.org_id")} AND p.paid_at >= %(since)s AND p.part = 0 AND p.plan_id = b.plan_id
            AND p.price_cents > b.price_cents AND NOT EXISTS (
                SELECT FROM plan_price_rise r WHERE r.subscription_id = p.subscription_id AND r.plan_id = p.plan_id
                    AND r.to_cents >= p.price_cents AND r.effective_at <= p.starts_at)""",
    ),
    Check(
        "plan_without_paid_period",
        "a plan that runs was paid for, for the period it says; a paid period was paid by a payment that succeeded",
        f"""
        SELECT s.org_id, s.id AS subscription, s.state, s.number, s.ends_at, p.ends_at AS paid_until
        FROM subscription s LEFT JOIN subscription_period p
            ON p.subscription_id = s.id AND p.number = s.number AND p.part = 0
        WHERE {ours("s.org_id")} AND s.state IN ('active', 'past_due', 'suspended')
            AND (p.starts_at, p.ends_at) IS DISTINCT FROM (s.starts_at, s.ends_at)
        UNION ALL SELECT p.org_id, p.subscription_id, i.state, p.number, p.ends_at, NULL
        FROM subscription_period p LEFT JOIN plan_charge c ON c.id = p.charge_id AND c.org_id = p.org_id
        LEFT JOIN payment_intent i ON i.id = c.intent_id
        WHERE {ours("p.org_id")} AND p.paid_at >= %(since)s
            AND NOT coalesce(p.charged_cents = 0 AND c.amount_cents = 0 OR i.state = 'succeeded', false)""",
    ),
    Check(
        "plan_periods_meet",
        "the periods of a plan follow one another without a gap",
        f"""
        SELECT org_id, subscription_id AS subscription, number, starts_at, ended FROM (
            SELECT org_id, subscription_id, number, starts_at,
                lag(ends_at) OVER (PARTITION BY subscription_id ORDER BY number) AS ended,
                lag(number) OVER (PARTITION BY subscription_id ORDER BY number) AS before
            FROM subscription_period WHERE part = 0 AND {ours("org_id")}) p
        WHERE coalesce(before, 0) <> number - 1 OR ended <> starts_at""",
    ),
    Check(
        "cover_without_plan",
        "what a plan covers from now on, an open plan covers: with that plan, or the one that is scheduled",
        f"""
        SELECT c.org_id, c.id AS coverage, c.model_id, c.source_id AS plan, c.valid_from, c.valid_to
        FROM coverage c
        WHERE {ours("c.org_id")} AND c.payer = 3 AND c.valid_to > %(now)s::timestamptz + interval '1 minute'
            AND NOT EXISTS (
                SELECT FROM subscription_model m JOIN subscription s ON s.id = m.subscription_id
                LEFT JOIN plan_change n ON n.subscription_id = s.id AND n.withdrawn_at IS NULL AND n.applied_at IS NULL
                WHERE m.org_id = c.org_id AND m.model_id = c.model_id AND m.open AND s.state IN ('active', 'past_due')
                    AND c.source_id IN (s.plan_id, n.plan_id)
                    AND NOT (n.id IS NOT NULL AND n.plan_id IS NULL AND c.valid_to > s.ends_at))""",
    ),
    Check(
        "plan_without_cover",
        "a plan that runs covers its models through the period that is paid",
        f"""
        SELECT s.org_id, s.id AS subscription, m.model_id, s.plan_id AS plan, s.ends_at
        FROM subscription s JOIN subscription_model m ON m.subscription_id = s.id AND m.open
        WHERE {ours("s.org_id")} AND s.state = 'active' AND s.starts_at <= %(now)s AND s.ends_at > %(now)s
            AND NOT EXISTS (
                SELECT FROM coverage c WHERE c.org_id = s.org_id AND c.model_id = m.model_id AND c.payer = 3
                    AND c.source_id = s.plan_id AND c.valid_from <= %(now)s AND c.valid_to >= s.ends_at)""",
    ),
    Check(
        "usage_under_plan",
        "use that a plan paid for occurred while it covered",
        # A gateway's clock may be 5 minutes ahead of an end that came sooner than was dated.
        f"""
        SELECT e.org_id, e.id AS event, e.occurred_at, c.valid_from, c.valid_to
        FROM usage_event e LEFT JOIN coverage c ON c.id = e.coverage_id AND c.org_id = e.org_id AND c.model_id = e.model_id
        WHERE {ours("e.org_id")} AND e.payer = 3 AND e.ts >= %(told)s AND NOT coalesce(
            e.occurred_at >= c.valid_from AND e.occurred_at < c.valid_to + interval '5 minutes', false)""",
    ),
)

WAITING = (
    Check(
        "plan_overdue",
        "what is due with a plan is done within a quarter of an hour",
        f"""
        SELECT org_id, id AS subscription, state, next_at FROM subscription
        WHERE {ours("org_id")} AND next_at <= %(now)s::timestamptz - interval '15 minutes'
        UNION ALL SELECT s.org_id, s.id, s.state, s.ends_at FROM subscription s
        WHERE {ours("s.org_id")} AND s.state <> 'ended' AND s.next_at IS NULL""",
    ),
    Check(
        "plan_change_overdue",
        "what was scheduled has happened within a quarter of an hour",
        f"""
        SELECT org_id, id AS change, subscription_id AS subscription, effective_at FROM plan_change
        WHERE {ours("org_id")} AND withdrawn_at IS NULL AND applied_at IS NULL
            AND effective_at <= %(now)s::timestamptz - interval '15 minutes'""",
    ),
    Check(
        "plan_unearned",
        "a fee is earned an hour after its period's end",
        f"""
        SELECT p.org_id, p.id AS fee, p.ends_at, p.earned_until FROM subscription_period p
        WHERE {ours("p.org_id")} AND p.earned_cents < p.charged_cents
            AND p.ends_at <= %(now)s::timestamptz - interval '1 hour'
            AND coalesce(p.earned_until, '-infinity') < (p.ends_at AT TIME ZONE 'UTC')::date""",
    ),
)
