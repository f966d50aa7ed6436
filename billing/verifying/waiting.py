"""What should have been done by now: somebody's work that did not happen. `--since` does not cut it."""

from billing.ledger.audit import Check, ours
from billing.verifying import plans

CHECKS = (
    *plans.WAITING,
    Check(
        "expired_with_rest",
        "72 hours after its end nothing is left of a grant",
        f"""
        SELECT org_id, id AS account, expires_at, balance, accrued FROM account
        WHERE {ours("org_id")} AND code IN (2000, 2010) AND NOT held AND balance <> 0
            AND expires_at <= %(now)s::timestamptz - interval '72 hours 15 minutes'""",
    ),
    Check(
        "line_overdue",
        "an open line is posted when its hour is over",
        f"""
        SELECT org_id, id AS line, account_id AS account, hour, closes_at, amount FROM accrual
        WHERE {ours("org_id")} AND closes_at <= %(now)s::timestamptz - interval '30 minutes'""",
    ),
    Check(
        "usage_waiting",
        "what was accepted is charged within five minutes",
        f"""
        SELECT d.org_id, d.minute, d.model_id, count(e.id) AS accepted, coalesce(m.events, 0) AS charged
        FROM (SELECT DISTINCT org_id, minute, model_id FROM usage_delta WHERE {ours("org_id")}) d
        JOIN usage_event e ON e.org_id = d.org_id AND e.model_id = d.model_id
            AND date_trunc('minute', e.occurred_at, 'UTC') = d.minute
            AND e.ts >= d.minute - interval '1 day' AND e.ts < d.minute + interval '1 day 1 minute'
        LEFT JOIN usage_minute m ON m.org_id = d.org_id AND m.minute = d.minute AND m.model_id = d.model_id
        WHERE e.accepted_at <= %(now)s::timestamptz - interval '5 minutes'
            AND NOT EXISTS (SELECT FROM usage_reversal r WHERE r.event_id = e.id)
        GROUP BY d.org_id, d.minute, d.model_id, m.events HAVING count(e.id) > coalesce(m.events, 0)""",
    ),
    Check(
        "payment_stale",
        "a payment's outcome is known within an hour, and an open one is over within a day",
        f"""
        SELECT org_id, id AS intent, purpose, state, amount_cents, created_at FROM payment_intent
        WHERE {ours("org_id")} AND (
            state IN ('created', 'unknown') AND created_at <= %(now)s::timestamptz - interval '1 hour'
            OR state IN ('waiting', 'processing') AND created_at <= %(now)s::timestamptz - interval '1 day')""",
    ),
    Check(
        "card_setup_stale",
        "whether a card was saved is known within a day: its page closes after half an hour",
        f"""
        SELECT org_id, id AS setup, state, created_at, deadline FROM card_setup
        WHERE {ours("org_id")} AND state IN ('created', 'unknown', 'waiting')
            AND created_at <= %(now)s::timestamptz - interval '1 day'""",
    ),
    Check(
        "refund_stale",
        "a refund's outcome is known within an hour, and one on its way has arrived within 40 days",
        f"""
        SELECT org_id, id AS refund, intent_id AS intent, state, amount_cents, created_at FROM refund
        WHERE {ours("org_id")} AND (
            state IN ('asked', 'unknown') AND created_at <= %(now)s::timestamptz - interval '1 hour'
            OR state = 'pending' AND created_at <= %(now)s::timestamptz - interval '40 days')""",
    ),
    Check(
        "statement_missing",
        "a closed month with movement has its statement within two hours",
        f"""
        SELECT p.org_id, p.period, p.closed_at FROM ledger_period p
        LEFT JOIN statement s ON s.org_id = p.org_id AND s.period = p.period
        WHERE {ours("p.org_id")} AND p.closed_at <= %(now)s::timestamptz - interval '2 hours' AND p.seq > 0
            AND s.id IS NULL""",
    ),
    Check(
        "receipt_missing",
        "a payment that became credit has its receipt within two hours",
        f"""
        SELECT i.org_id, i.id AS intent, i.settled_at FROM payment_intent i LEFT JOIN receipt r ON r.intent_id = i.id
        WHERE {ours("i.org_id")} AND i.state = 'succeeded' AND i.failure_code <> 'unapplied' AND r.intent_id IS NULL
            AND coalesce(i.settled_at, i.created_at) <= %(now)s::timestamptz - interval '2 hours'""",
    ),
    Check(
        "inbox_stuck",
        "what others told us is worked on when it is due, and does not fail for good",
        """
        SELECT NULL::bigint AS org_id, provider, provider_event_id, type, state, tries, received_at, next_try_at
        FROM inbox_event
        WHERE %(org)s::bigint IS NULL AND (
            state = 'failed' OR state = 'new' AND next_try_at <= %(now)s::timestamptz - interval '15 minutes')""",
    ),
    Check(
        "contract_late",
        "a month of a contract begins, and what its calendar asks is done, within an hour; what is due is tried in time",
        f"""
        SELECT c.org_id, c.id AS contract, c.state, c.starts_on, c.ends_on, NULL::bigint AS due FROM contract c
        WHERE {ours("c.org_id")} AND c.state IN ('active', 'past_due') AND (
            c.ends_on::timestamp AT TIME ZONE 'UTC' <= %(now)s::timestamptz - interval '1 hour'
            OR c.starts_on::timestamp AT TIME ZONE 'UTC' <= %(now)s::timestamptz - interval '1 hour'
                AND NOT EXISTS (SELECT FROM contract_month m WHERE m.contract_id = c.id AND m.period
                    = date_trunc('month', (%(now)s::timestamptz - interval '1 hour') AT TIME ZONE 'UTC')::date))
        UNION ALL SELECT d.org_id, d.contract_id, d.stage, NULL, NULL, d.id FROM contract_due d
        WHERE {ours("d.org_id")} AND d.stage = 'due' AND d.next_try_at <= %(now)s::timestamptz - interval '1 hour'
        UNION ALL SELECT l.org_id, NULL, 'open line', NULL, NULL, l.id FROM contract_line l
        WHERE {ours("l.org_id")} AND l.closes_at <= %(now)s::timestamptz - interval '30 minutes'""",
    ),
)
