"""Statements and receipts: numbered without gaps, hashed as they say, and true to the ledger."""

from billing.ledger.audit import Check, ours

WALLET = "a.code IN (1100, 1110, 2000, 2010)"

CHECKS = (
    Check(
        "document_numbers",
        "statements and receipts are numbered from 1 without a gap, through the last number given",
        f"""
        SELECT org_id, 'statement' AS series, number FROM statement s
        WHERE {ours("org_id")} AND number <> 1 AND NOT EXISTS (SELECT FROM statement b WHERE b.number = s.number - 1)
        UNION ALL SELECT org_id, 'receipt', number FROM receipt r
        WHERE {ours("org_id")} AND number <> 1 AND NOT EXISTS (SELECT FROM receipt b WHERE b.number = r.number - 1)
        UNION ALL SELECT NULL, series, last FROM document_counter
        WHERE %(org)s::bigint IS NULL AND last <> CASE series
            WHEN 'statement' THEN (SELECT coalesce(max(number), 0) FROM statement)
            ELSE (SELECT coalesce(max(number), 0) FROM receipt) END
        UNION ALL SELECT NULL, series, NULL FROM unnest(ARRAY['statement', 'receipt']) AS t (series)
        WHERE %(org)s::bigint IS NULL AND NOT EXISTS (SELECT FROM document_counter c WHERE c.series = t.series)""",
    ),
    Check(
        "statement_hash",
        "a statement's hash is over the one before, the head of its month's chain and its words; the month is closed",
        f"""
        SELECT s.org_id, s.period, s.number, encode(s.hash, 'hex') AS hash
        FROM (SELECT *, lag(hash, 1, decode(repeat('00', 32), 'hex')) OVER (PARTITION BY org_id ORDER BY period) AS before
            FROM statement WHERE {ours("org_id")}) s
        LEFT JOIN ledger_period p ON p.org_id = s.org_id AND p.period = s.period
        WHERE s.period >= %(month)s AND (p.closed_at IS NULL OR p.head IS DISTINCT FROM s.ledger_head
            OR s.hash <> sha256(s.before || s.ledger_head || convert_to(s.body, 'UTF8')))""",
    ),
    Check(
        "statement_figures",
        "a statement opens and closes with what the ledger has, and its lines lead from one to the other",
        f"""
        SELECT s.org_id, s.period, s.number, s.opening, s.walked, s.closing, coalesce(before.amount, 0) AS ledger_before,
            coalesce(through.amount, 0) AS ledger_through
        FROM (SELECT org_id, period, number, (body::jsonb ->> 'opening')::numeric AS opening,
                (body::jsonb ->> 'closing')::numeric AS closing,
                (SELECT sum((line ->> 'amount')::numeric) FROM jsonb_array_elements(body::jsonb -> 'walk') line) AS walked
            FROM statement WHERE {ours("org_id")} AND period >= %(month)s) s
        LEFT JOIN LATERAL (
            SELECT sum(CASE WHEN a.id = t.credit_id THEN t.amount ELSE -t.amount END) AS amount
            FROM transfer t JOIN account a ON a.id IN (t.debit_id, t.credit_id) AND {WALLET}
            WHERE t.org_id = s.org_id AND t.period < s.period) before ON true
        LEFT JOIN LATERAL (
            SELECT sum(CASE WHEN a.id = t.credit_id THEN t.amount ELSE -t.amount END) AS amount
            FROM transfer t JOIN account a ON a.id IN (t.debit_id, t.credit_id) AND {WALLET}
            WHERE t.org_id = s.org_id AND t.period <= s.period) through ON true
        WHERE s.opening <> coalesce(before.amount, 0) OR s.closing <> coalesce(through.amount, 0)
            OR s.opening + s.walked IS DISTINCT FROM s.closing""",
    ),
    Check(
        "document_seal",
        "names and addresses beside a document are those it was issued with",
        f"""
        SELECT s.org_id, s.number, 'statement' AS series FROM statement s JOIN statement_party p ON p.statement_id = s.id
        WHERE {ours("s.org_id")} AND s.issued_at >= %(since)s
            AND encode(sha256(p.salt || convert_to(p.text, 'UTF8')), 'hex') IS DISTINCT FROM s.body::jsonb ->> 'parties'
        UNION ALL
        SELECT r.org_id, r.number, 'receipt' FROM receipt r JOIN receipt_party p ON p.receipt_id = r.intent_id
        WHERE {ours("r.org_id")} AND r.issued_at >= %(since)s
            AND encode(sha256(p.salt || convert_to(p.text, 'UTF8')), 'hex') IS DISTINCT FROM r.body::jsonb ->> 'parties'""",
    ),
    Check(
        "receipt_of_payment",
        "a receipt is of a payment that was paid, of its amount and organization",
        f"""
        SELECT r.org_id, r.number, r.intent_id AS intent, i.state, i.amount_cents, r.body::jsonb ->> 'amount' AS receipted
        FROM receipt r LEFT JOIN payment_intent i ON i.id = r.intent_id
        WHERE {ours("r.org_id")} AND r.issued_at >= %(since)s
            AND (i.state IS DISTINCT FROM 'succeeded' OR i.org_id <> r.org_id
                OR (r.body::jsonb ->> 'amount')::numeric * 100 <> i.amount_cents)""",
    ),
)
