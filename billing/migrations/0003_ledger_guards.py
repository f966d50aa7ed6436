"""What the database itself guarantees about the ledger: rows for ever, chains without a gap, balances that equal them.

The application hands in transfers; `transfer_verified` alone moves balances. See `billing/ledger/README.md`.
"""

from django.db import migrations

from billing.ledger.chart import HOUSE_CODES

APPEND_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
""" + "".join(
    f"""
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
    for table in ("transfer", "credit_grant", "price")
)

# House accounts carry their number as id, so that a posting needs no look-up.
HOUSE = f"""
ALTER TABLE account ALTER COLUMN id RESTART WITH 10001;
INSERT INTO wallet (org_id) VALUES (0);
INSERT INTO account (id, org_id, code) VALUES {", ".join(f"({int(code)}, 0, {int(code)})" for code in HOUSE_CODES)};
"""

SAME_ORGANIZATION = """
ALTER TABLE credit_grant ADD CONSTRAINT credit_grant_same_organization
    FOREIGN KEY (org_id, account_id) REFERENCES account (org_id, id);
ALTER TABLE accrual ADD CONSTRAINT accrual_same_organization
    FOREIGN KEY (org_id, account_id) REFERENCES account (org_id, id);
"""

# Rows that move with each sweep leave room on their page, so that an update stays on it.
HOT_ROWS = """
ALTER TABLE wallet SET (fillfactor = 70);
ALTER TABLE account SET (fillfactor = 70);
ALTER TABLE accrual SET (fillfactor = 70);
"""

GRANT_EXPIRES_ON_A_MINUTE = """
ALTER TABLE account ADD CONSTRAINT account_expires_on_a_minute
    CHECK (expires_at IS NULL OR expires_at = date_trunc('minute', expires_at, 'UTC'));
"""

WALLET_WITH_ORGANIZATION = """
CREATE FUNCTION organization_gets_its_wallet() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO wallet (org_id, organization_id) VALUES (NEW.id, NEW.id);
    INSERT INTO account (org_id, code) VALUES (NEW.id, 1100), (NEW.id, 1110);
    INSERT INTO payer_base (org_id, payer, since)
        VALUES (NEW.id, CASE NEW.kind WHEN 'personal' THEN 1 ELSE 2 END, NEW.created_at);
    RETURN NULL;
END $$;
CREATE TRIGGER organization_gets_its_wallet AFTER INSERT ON organization
    FOR EACH ROW EXECUTE FUNCTION organization_gets_its_wallet();
"""

CANONICAL_ROW = """
-- The hashed form of a transfer. `billing/ledger/posting.py` builds the same text; a difference is refused below.
CREATE FUNCTION transfer_canonical(
    org_id bigint, period date, seq bigint, debit_code smallint, debit_id bigint, credit_code smallint, credit_id bigint,
    amount numeric, reason text, key text, cause_kind text, cause_id text, effective_at timestamptz, posted_at timestamptz,
    hour timestamptz, model_id smallint, note_digest bytea
) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT concat_ws('|',
        org_id, to_char(period, 'YYYY-MM'), seq, debit_code || ':' || debit_id, credit_code || ':' || credit_id,
        amount::numeric(26,12)::text, reason, key, cause_kind, cause_id,
        (extract(epoch FROM effective_at) * 1000000)::bigint, (extract(epoch FROM posted_at) * 1000000)::bigint,
        coalesce((extract(epoch FROM hour) * 1000000)::bigint::text, ''), coalesce(model_id::text, ''),
        coalesce(encode(note_digest, 'hex'), ''))
$$;
"""

VERIFIED = """
-- Runs once per INSERT statement over all its rows. Transition tables have no statistics, hence the planner settings.
CREATE FUNCTION transfer_verified() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    fault text;
BEGIN
    PERFORM 1 FROM wallet WHERE org_id IN (SELECT org_id FROM new_rows) ORDER BY org_id FOR UPDATE;
    INSERT INTO ledger_period (org_id, period, seq, head)
        SELECT DISTINCT org_id, period, 0, decode(repeat('00', 32), 'hex') FROM new_rows ORDER BY 1, 2
        ON CONFLICT DO NOTHING;

    SELECT CASE
            WHEN n.closed_at IS NOT NULL THEN 'transfer_into_closed_period: ' || n.key
            WHEN d.org_id NOT IN (n.org_id, 0) OR c.org_id NOT IN (n.org_id, 0) THEN 'transfer_foreign_account: ' || n.key
            WHEN n.seq <> n.last_seq + n.nth THEN 'transfer_number_out_of_order: ' || n.key
            ELSE 'transfer_hash_wrong: ' || n.key
        END INTO fault
    FROM (
        SELECT r.*, p.seq AS last_seq, p.head, p.closed_at, row_number() OVER chain AS nth, lag(r.hash) OVER chain AS before
        FROM new_rows r
        JOIN ledger_period p ON p.org_id = r.org_id AND p.period = r.period
        WINDOW chain AS (PARTITION BY r.org_id, r.period ORDER BY r.seq)
    ) n
    JOIN account d ON d.id = n.debit_id
    JOIN account c ON c.id = n.credit_id
    WHERE n.closed_at IS NOT NULL
        OR d.org_id NOT IN (n.org_id, 0) OR c.org_id NOT IN (n.org_id, 0)
        OR n.seq <> n.last_seq + n.nth
        OR n.hash IS DISTINCT FROM sha256(coalesce(n.before, n.head)
            || convert_to(transfer_canonical(
                n.org_id, n.period, n.seq, d.code, n.debit_id, c.code, n.credit_id, n.amount, n.reason, n.key, n.cause_kind,
                n.cause_id, n.effective_at, n.posted_at, n.hour, n.model_id, n.note_digest), 'UTF8'))
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '%', fault USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = split_part(fault, ':', 1);
    END IF;

    UPDATE account a SET balance = a.balance + m.delta,
        exhausted = a.code IN (2000, 2010) AND a.balance + m.delta = a.accrued
    FROM (
        SELECT id, sum(delta) AS delta
        FROM (SELECT credit_id AS id, amount AS delta FROM new_rows
              UNION ALL SELECT debit_id, -amount FROM new_rows) moves
        GROUP BY id
    ) m
    WHERE a.id = m.id AND a.org_id <> 0;

    UPDATE wallet w SET posted = w.posted + m.delta
    FROM (
        SELECT a.org_id, sum(moves.delta) AS delta
        FROM (SELECT credit_id AS id, amount AS delta FROM new_rows
              UNION ALL SELECT debit_id, -amount FROM new_rows) moves
        JOIN account a ON a.id = moves.id
        WHERE a.code IN (1100, 1110, 2000, 2010)
        GROUP BY a.org_id
    ) m
    WHERE w.org_id = m.org_id;

    UPDATE ledger_period p SET seq = m.seq, head = m.head
    FROM (
        SELECT org_id, period, max(seq) AS seq, (array_agg(hash ORDER BY seq DESC))[1] AS head
        FROM new_rows GROUP BY org_id, period
    ) m
    WHERE p.org_id = m.org_id AND p.period = m.period;
    RETURN NULL;
END $$;
CREATE TRIGGER transfer_verified AFTER INSERT ON transfer
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION transfer_verified();
"""

PRICES_IN_ORDER = """
-- A version is later than every other of its model: the past is never rewritten.
CREATE FUNCTION price_follows_the_last() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM price WHERE model_id = NEW.model_id AND valid_from >= NEW.valid_from) THEN
        RAISE EXCEPTION 'a price version starts after the model''s last one'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'price_follows_the_last';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER price_follows_the_last BEFORE INSERT ON price FOR EACH ROW EXECUTE FUNCTION price_follows_the_last();
"""

COVERAGE_NEVER_OVERLAPS = """
-- Equality as the overlap of one-point ranges: no btree_gist needed.
ALTER TABLE coverage ADD CONSTRAINT coverage_never_overlaps EXCLUDE USING gist (
    int8range(org_id, org_id, '[]') WITH &&,
    int4range(model_id::int, model_id::int, '[]') WITH &&,
    tstzrange(valid_from, valid_to) WITH &&
);
"""

PAYMENTS_MOVE_FORWARD = """
CREATE FUNCTION payment_intent_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ladder CONSTANT text[] := ARRAY['created', 'unknown', 'waiting', 'processing', 'failed', 'canceled', 'succeeded'];
BEGIN
    IF (OLD.id, OLD.org_id, OLD.purpose, OLD.amount_cents, OLD.key)
            IS DISTINCT FROM (NEW.id, NEW.org_id, NEW.purpose, NEW.amount_cents, NEW.key)
        OR (OLD.provider_id IS NOT NULL AND NEW.provider_id IS DISTINCT FROM OLD.provider_id)
        OR (OLD.charge_id IS NOT NULL AND NEW.charge_id IS DISTINCT FROM OLD.charge_id)
        OR array_position(ladder, NEW.state::text) < array_position(ladder, OLD.state::text) THEN
        RAISE EXCEPTION 'payment % cannot go from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_intent_moves_forward';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payment_intent_moves_forward BEFORE UPDATE ON payment_intent
    FOR EACH ROW EXECUTE FUNCTION payment_intent_moves_forward();
CREATE TRIGGER payment_intent_kept BEFORE DELETE ON payment_intent FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

INBOX_KEEPS_WHAT_CAME = """
CREATE TRIGGER inbox_event_keeps_what_came BEFORE UPDATE ON inbox_event
    FOR EACH ROW WHEN ((OLD.provider, OLD.provider_event_id, OLD.body) IS DISTINCT FROM
                       (NEW.provider, NEW.provider_event_id, NEW.body))
    EXECUTE FUNCTION refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_links"), ("orgs", "0002_guards")]
    operations = [
        migrations.RunSQL(sql)
        for sql in (
            APPEND_ONLY,
            SAME_ORGANIZATION,
            HOT_ROWS,
            GRANT_EXPIRES_ON_A_MINUTE,
            WALLET_WITH_ORGANIZATION,
            CANONICAL_ROW,
            VERIFIED,
            PRICES_IN_ORDER,
            COVERAGE_NEVER_OVERLAPS,
            PAYMENTS_MOVE_FORWARD,
            INBOX_KEEPS_WHAT_CAME,
            HOUSE,
        )
    ]
