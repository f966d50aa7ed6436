"""Usage: tokens x price = rollups by hour and minute = ledger and open lines = what credit and overdraft paid."""

from billing.ledger.audit import MOVES, Check, ours

COST = """CASE WHEN {of}.payer <> 2 THEN 0
    ELSE {of}.input_tokens * p.input_usd + {of}.output_tokens * p.output_usd
        - {of}.cached_tokens * (p.input_usd - p.cached_usd) END"""
"""Tokens x price in USD. Payer 2 is credit; nothing else costs any."""

EVENTS = f"""
SELECT e.*, {COST.format(of="e")} AS cost,
    CASE WHEN e.accepted_at > e.occurred_at + interval '15 minutes' THEN e.input_tokens + e.output_tokens ELSE 0 END
        AS late_tokens
FROM usage_event e LEFT JOIN price p ON p.id = e.price_id
WHERE {ours("e.org_id")} AND e.occurred_at >= %(told)s AND e.ts >= %(told)s::timestamptz - interval '1 day'
    AND NOT EXISTS (SELECT FROM usage_reversal r WHERE r.event_id = e.id)
"""
"""What was accepted and not taken back, event by event, as far back as events are compared."""

DELTAS = f"""
SELECT d.*, {COST.format(of="d")} AS cost FROM usage_delta d LEFT JOIN price p ON p.id = d.price_id
WHERE {ours("d.org_id")} AND d.minute >= %(told)s
"""
"""What is accepted and waits for the sweep."""

OF_DAYS, WAITING_OF_DAYS = (query.replace("%(told)s", "%(day)s") for query in (EVENTS, DELTAS))
"""The same of whole days, as allowances are: the first day begins at its midnight."""

SUMS = ("events", "input_tokens", "cached_tokens", "output_tokens", "late_tokens", "cost")


def _same(keys: tuple[str, ...], told: str, kept: str, sums: tuple[str, ...] = SUMS) -> str:
    """Query: places where what is kept does not add up to what was told, and how much too much is kept, per sum."""
    of, names = ", ".join(keys), ", ".join(sums)
    off = ", ".join(f"sum(side * {name}) AS {name}_too_much" for name in sums)
    differs = " OR ".join(f"sum(side * {name}) IS DISTINCT FROM 0" for name in sums)
    return f"""
        SELECT {of}, {off} FROM (
            SELECT -1 AS side, {of}, {names} FROM ({told}) t UNION ALL SELECT 1, {of}, {names} FROM ({kept}) k
        ) x GROUP BY {of} HAVING {differs} ORDER BY {of}"""


BY_HOUR = ("org_id", "hour", "key_id", "model_id", "payer", "price_id")
BY_MINUTE = ("org_id", "minute", "model_id")
MINUTE_SUMS = ("events", "input_tokens", "cached_tokens", "output_tokens", "cost")

CHECKS = (
    Check(
        "hour_of_events",
        "usage by the hour is the sum of its events, at tokens x price",
        _same(
            BY_HOUR,
            f"SELECT *, date_trunc('hour', occurred_at, 'UTC') AS hour, 1 AS events FROM ({EVENTS}) e",
            f"""SELECT {", ".join((*BY_HOUR, *SUMS))} FROM usage_hour WHERE {ours("org_id")} AND hour >= %(told)s
            UNION ALL SELECT org_id, date_trunc('hour', minute, 'UTC'), key_id, model_id, payer, price_id, {", ".join(SUMS)}
            FROM ({DELTAS}) d""",
        ),
    ),
    Check(
        "minute_of_events",
        "usage by the minute is the sum of its events, at tokens x price",
        _same(
            BY_MINUTE,
            f"SELECT *, date_trunc('minute', occurred_at, 'UTC') AS minute, 1 AS events FROM ({EVENTS}) e",
            f"""SELECT {", ".join((*BY_MINUTE, *MINUTE_SUMS))} FROM usage_minute
            WHERE {ours("org_id")} AND minute >= %(told)s
            UNION ALL SELECT {", ".join((*BY_MINUTE, *MINUTE_SUMS))} FROM ({DELTAS}) d""",
            MINUTE_SUMS,
        ),
    ),
    Check(
        "hour_of_minutes",
        "usage by the hour is the sum of its minutes",
        _same(
            ("org_id", "hour", "model_id"),
            f"""SELECT org_id, date_trunc('hour', minute, 'UTC') AS hour, model_id, {", ".join(MINUTE_SUMS)}
            FROM usage_minute WHERE {ours("org_id")} AND minute >= %(told)s""",
            f"""SELECT org_id, hour, model_id, {", ".join(MINUTE_SUMS)} FROM usage_hour
            WHERE {ours("org_id")} AND hour >= %(told)s""",
            MINUTE_SUMS,
        ),
    ),
    Check(
        "hour_cost",
        "usage by the hour costs its tokens x its price",
        f"""
        SELECT u.org_id, u.hour, u.key_id, u.model_id, u.payer, u.price_id, u.cost, {COST.format(of="u")} AS tokens_x_price
        FROM usage_hour u LEFT JOIN price p ON p.id = u.price_id AND p.model_id = u.model_id
        WHERE {ours("u.org_id")} AND u.hour >= %(hour)s AND u.cost IS DISTINCT FROM {COST.format(of="u")}""",
    ),
    Check(
        "allowance_of_events",
        "what was used of a plan's daily tokens is the sum of its events",
        _same(
            ("org_id", "day", "coverage_id"),
            f"""SELECT org_id, (occurred_at AT TIME ZONE 'UTC')::date AS day, coverage_id,
                input_tokens + output_tokens AS tokens
            FROM ({OF_DAYS}) e WHERE payer = 3 AND coverage_id IS NOT NULL""",
            f"""SELECT org_id, day, coverage_id, tokens FROM allowance_day
            WHERE {ours("org_id")} AND day >= (%(day)s AT TIME ZONE 'UTC')::date
            UNION ALL SELECT org_id, (minute AT TIME ZONE 'UTC')::date, coverage_id, input_tokens + output_tokens
            FROM ({WAITING_OF_DAYS}) d WHERE payer = 3 AND coverage_id IS NOT NULL""",
            ("tokens",),
        ),
    ),
    Check(
        "key_spend",
        "what a key spent in a month is its usage on credit",
        f"""
        SELECT k.org_id, key_id, month, s.spent, u.cost
        FROM (SELECT * FROM key_spend WHERE month >= %(month)s) s FULL JOIN (
            SELECT key_id, date_trunc('month', hour AT TIME ZONE 'UTC')::date AS month, sum(cost) AS cost
            FROM usage_hour WHERE hour >= %(month)s::timestamp AT TIME ZONE 'UTC' GROUP BY 1, 2) u USING (key_id, month)
        LEFT JOIN api_key k ON k.id = key_id
        WHERE {ours("k.org_id")} AND coalesce(s.spent, 0) <> coalesce(u.cost, 0)""",
    ),
    Check(
        "event_price",
        "an event has the price of its model that was in force when it occurred",
        f"""
        SELECT e.org_id, e.model_id, e.price_id, e.first, e.last, e.events
        FROM (
            SELECT org_id, model_id, price_id, min(occurred_at) AS first, max(occurred_at) AS last, count(*) AS events
            FROM ({EVENTS}) e GROUP BY 1, 2, 3) e
        LEFT JOIN price p ON p.id = e.price_id
        LEFT JOIN LATERAL (
            SELECT min(valid_from) AS at FROM price WHERE model_id = p.model_id AND valid_from > p.valid_from) next ON true
        WHERE p.model_id IS DISTINCT FROM e.model_id OR e.first < p.valid_from OR e.last >= next.at""",
    ),
    Check(
        "event_key",
        "an event has a key of its organization that was not revoked or ended when it occurred",
        # What was accepted around the moment of a revocation could not know of it yet.
        f"""
        SELECT e.org_id, e.id AS event, e.key_id, k.org_id AS key_of, e.occurred_at, e.accepted_at, k.revoked_at,
            k.expires_at
        FROM ({EVENTS}) e LEFT JOIN api_key k ON k.id = e.key_id
        WHERE k.org_id IS DISTINCT FROM e.org_id OR e.occurred_at >= k.expires_at
            OR e.occurred_at >= k.revoked_at AND e.accepted_at > k.revoked_at + interval '1 minute'""",
    ),
    Check(
        "usage_in_ledger",
        "usage on credit is what is posted to usage revenue and open in lines, by model and hour",
        f"""
        SELECT org_id, u.model_id, u.hour, u.cost, l.cost AS in_ledger
        FROM (
            SELECT org_id, model_id, hour, sum(cost) AS cost FROM usage_hour
            WHERE {ours("org_id")} AND hour >= %(hour)s AND payer = 2 GROUP BY 1, 2, 3) u
        FULL JOIN (
            SELECT org_id, model_id, hour, sum(amount) AS cost FROM (
                SELECT org_id, model_id, hour, amount FROM accrual
                UNION ALL SELECT org_id, model_id, hour, amount FROM transfer WHERE credit_id = 4000
                UNION ALL SELECT org_id, model_id, hour, -amount FROM transfer WHERE debit_id = 4000) x
            WHERE {ours("org_id")} AND (hour >= %(hour)s OR hour IS NULL) GROUP BY 1, 2, 3) l
            USING (org_id, model_id, hour)
        WHERE coalesce(u.cost, 0) <> coalesce(l.cost, 0)""",
    ),
    Check(
        "credit_used",
        "what came less what is left is what was used: draws and overdraft are the usage on credit",
        f"""
        SELECT w.org_id, c.amount AS came, w.posted - w.accrued AS left, u.cost AS used
        FROM wallet w
        LEFT JOIN (
            SELECT a.org_id, sum(m.amount) AS amount FROM ({MOVES}) m JOIN account a ON a.id = m.id
            WHERE a.code IN (1100, 1110, 2000, 2010) AND m.other <> 4000 AND {ours("a.org_id")} GROUP BY 1) c USING (org_id)
        LEFT JOIN (
            SELECT org_id, sum(cost) AS cost FROM usage_hour WHERE payer = 2 AND {ours("org_id")} GROUP BY 1) u
            USING (org_id)
        WHERE w.org_id <> 0 AND {ours("w.org_id")}
            AND w.posted - w.accrued <> coalesce(c.amount, 0) - coalesce(u.cost, 0)""",
    ),
    Check(
        "reversal_posted",
        "what was given back for a reversal is what it cost, and nothing is given back without one",
        f"""
        SELECT org_id, id AS reversal, r.cost, t.amount AS given_back
        FROM (SELECT org_id, id::text AS id, cost FROM usage_reversal WHERE {ours("org_id")} AND reversed_at >= %(since)s) r
        FULL JOIN (
            SELECT org_id, cause_id AS id, sum(amount) AS amount FROM transfer
            WHERE cause_kind = 'reversal' AND debit_id = 4000 AND {ours("org_id")} AND posted_at >= %(since)s
            GROUP BY 1, 2) t USING (org_id, id)
        WHERE coalesce(r.cost, 0) <> coalesce(t.amount, 0) OR r.cost IS NULL""",
    ),
)
