"""`make bench-verify`: how long verify_ledger takes for 1,000,000 transfers. The last line is one JSON object.

A hundred organizations with ten months each behind them, a thousand transfers a month: a purchase, and usage by hour and
model, with the rollups it came from. The chains are hashed in SQL, with all triggers off; everything must be found right.
"""

import io
import json
import os
import sys
import time
from typing import Any

from django.core.management import call_command

from tests.bench import database

ORGANIZATIONS, MONTHS, A_MONTH = 100, 10, 1_000
TARGET_SECONDS = 60

# Usage by the hour and model at the price of the model, months ago: (n - 1) / 2 hours into the month, two models in turn.
USAGE = """
CREATE TEMP TABLE used AS
SELECT o.id AS org_id, k.id AS key_id, a.id AS grant_id, m.period, n, p.model_id, p.id AS price_id,
    m.period::timestamp AT TIME ZONE 'UTC' + (n - 1) / 2 * interval '1 hour' AS hour,
    1000 + n AS tokens, (1000 + n) * p.input_usd + 100 * p.output_usd AS cost
FROM organization o JOIN api_key k ON k.org_id = o.id JOIN account a ON a.org_id = o.id AND a.code = 2000
CROSS JOIN (
    SELECT (date_trunc('month', now() AT TIME ZONE 'UTC') - (back + 2) * interval '1 month')::date AS period,
        back = %(months)s - 1 AS first
    FROM generate_series(0, %(months)s - 1) back) m
CROSS JOIN LATERAL generate_series(1, %(a_month)s - m.first::int) n
JOIN (SELECT DISTINCT ON (model_id) *, dense_rank() OVER (ORDER BY model_id) - 1 AS turn FROM price
      ORDER BY model_id, valid_from) p ON p.turn = n %% 2;

INSERT INTO usage_hour (org_id, hour, key_id, model_id, payer, price_id, period, events, input_tokens, cached_tokens,
                        output_tokens, late_tokens, cost)
SELECT org_id, hour, key_id, model_id, 2, price_id, period, 1, tokens, 0, 100, 0, cost FROM used;
INSERT INTO key_spend (key_id, month, spent) SELECT key_id, period, sum(cost) FROM used GROUP BY 1, 2;
"""
CREDIT = """
INSERT INTO account (org_id, code, granted, expires_at)
SELECT id, 2000, 1000000, date_trunc('day', now(), 'UTC') + interval '1 year' FROM organization;
INSERT INTO payment_intent (id, org_id, purpose, amount_cents, state, attempt, key, created_at, settled_at, charged_at,
                            provider_id, checkout_url, card_brand, card_last4, failure_code, failure_message)
SELECT gen_random_uuid(), id, 'credits', 100000000, 'succeeded', 1, 'buy:' || id, at, at, at, 'pi_' || id, '', '', '', '', ''
FROM organization CROSS JOIN (SELECT now() - interval '1 year' AS at) t;
INSERT INTO credit_grant (account_id, org_id, source, title, payment_id, key, issued_at)
SELECT a.id, a.org_id, 'purchase', 'Purchase', i.id, 'pay:' || i.id, i.charged_at
FROM account a JOIN payment_intent i ON i.org_id = a.org_id WHERE a.code = 2000;
"""
MOVEMENTS = """
CREATE TEMP TABLE moved AS
SELECT org_id, period, n + (period = (SELECT min(period) FROM used))::int AS seq, grant_id AS debit_id, 4000 AS credit_id,
    2000::smallint AS debit_code, 4000::smallint AS credit_code, cost::numeric(26,12) AS amount, 'usage' AS reason,
    concat('use:', org_id, ':', period, ':', n) AS key, 'accrual' AS cause_kind, concat(org_id, ':', n) AS cause_id,
    hour AS effective_at, hour + interval '1 hour 9.123456 s' AS posted_at, hour, model_id
FROM used
UNION ALL
SELECT g.org_id, (SELECT min(period) FROM used), 1, 1000, g.account_id, 1000::smallint, 2000::smallint, 1000000,
    'purchase', g.key, 'intent', g.payment_id::text, (SELECT min(hour) FROM used), (SELECT min(hour) FROM used), NULL, NULL
FROM credit_grant g;
CREATE INDEX ON moved (seq);
CREATE TEMP TABLE head AS
SELECT DISTINCT org_id, period, decode(repeat('00', 32), 'hex') AS hash FROM moved;
ANALYZE moved; ANALYZE head;
"""
# One step of every chain at once.
CHAINED = """
WITH next AS MATERIALIZED (
    SELECT m.*, sha256(h.hash || convert_to(transfer_canonical(
        m.org_id, m.period, m.seq, m.debit_code, m.debit_id, m.credit_code, m.credit_id, m.amount, m.reason, m.key,
        m.cause_kind, m.cause_id, m.effective_at, m.posted_at, m.hour, m.model_id, NULL), 'UTF8')) AS hash
    FROM moved m JOIN head h USING (org_id, period) WHERE m.seq = %s
), written AS (
    INSERT INTO transfer (org_id, period, seq, debit_id, credit_id, amount, reason, key, cause_kind, cause_id,
                          effective_at, posted_at, hour, model_id, hash)
    SELECT org_id, period, seq, debit_id, credit_id, amount, reason, key, cause_kind, cause_id, effective_at, posted_at,
        hour, model_id, hash FROM next
)
UPDATE head h SET hash = n.hash FROM next n WHERE n.org_id = h.org_id AND n.period = h.period
"""
BALANCES = """
INSERT INTO ledger_period (org_id, period, seq, head) SELECT org_id, period, %s, hash FROM head;
UPDATE account a SET balance = granted - (SELECT sum(cost) FROM used WHERE grant_id = a.id) WHERE code = 2000;
UPDATE wallet w SET posted = a.balance FROM account a WHERE a.org_id = w.org_id AND a.code = 2000;
"""


def main() -> int:
    _say("a database of its own ...")
    with database.fresh("purser_bench_verify"):
        call_command("import_catalog", stdout=io.StringIO())
        started = time.perf_counter()
        _say(f"{ORGANIZATIONS * MONTHS * A_MONTH:,} transfers ...")
        _build()
        _say(f"... in {time.perf_counter() - started:.0f} s; verifying them ...")
        *differences, summary = _verify()
    for difference in differences[:20]:
        print(json.dumps(difference))
    met = summary["seconds"] < TARGET_SECONDS
    print(
        f"{summary['transfers']:,} transfers, {summary['checks']} checks, {os.cpu_count()} cores: {summary['seconds']:.1f} s"
    )
    print(f"target: less than {TARGET_SECONDS} s, {'met' if met else 'MISSED'}")
    print(
        json.dumps({"transfers": summary["transfers"], "seconds": summary["seconds"], "differences": len(differences)})
    )
    return 1 if differences or summary["transfers"] != ORGANIZATIONS * MONTHS * A_MONTH else 0


def _build() -> None:
    from django.db import connection
    from django.utils import timezone

    from orgs.models import Organization
    from tests.factories import orgs as people

    for n in range(ORGANIZATIONS):
        organization = Organization.objects.create(kind="team", slug=f"bench-{n}", name=f"Bench {n}")
        people.key(organization, now=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica; SET work_mem = '256MB'")
        cursor.execute(CREDIT)
        cursor.execute(USAGE, {"months": MONTHS, "a_month": A_MONTH})
        cursor.execute(MOVEMENTS)
        for seq in range(1, A_MONTH + 1):
            cursor.execute(CHAINED, [seq])
        cursor.execute(BALANCES, [A_MONTH])
        cursor.execute("VACUUM ANALYZE")
    connection.close()


def _verify() -> list[dict[str, Any]]:
    out = io.StringIO()
    try:
        call_command("verify_ledger", stdout=out)
    except SystemExit:
        pass  # the differences say it
    return [json.loads(line) for line in out.getvalue().splitlines()]


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
