"""What else the database itself refuses, whoever asks; each has its line in `billing/ledger/README.md`.

What the application may do at all is another wall, in front of this one: `portal/rights.py`.
"""

from django.db import migrations

BEGINS_EMPTY = """
-- account_begins_empty: an account is made with nothing in it; only transfers (`transfer_verified`) fill it.
CREATE FUNCTION account_begins_empty() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an account is made empty, and filled by transfers'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'account_begins_empty';
END $$;
CREATE TRIGGER account_begins_empty BEFORE INSERT ON account FOR EACH ROW
    WHEN (NEW.balance <> 0 OR NEW.accrued <> 0 OR NEW.exhausted) EXECUTE FUNCTION account_begins_empty();
"""

STAYS_EXHAUSTED = """
-- account_stays_exhausted: a grant with nothing left is not marked as one to draw from.
CREATE FUNCTION account_stays_exhausted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'account % has nothing left to draw', OLD.id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'account_stays_exhausted';
END $$;
CREATE TRIGGER account_stays_exhausted BEFORE UPDATE OF exhausted ON account FOR EACH ROW
    WHEN (OLD.exhausted AND NOT NEW.exhausted AND NEW.balance = NEW.accrued) EXECUTE FUNCTION account_stays_exhausted();
"""

KEPT = """
-- <table>_kept: rows that money hangs on are never removed ...
""" + "".join(
    f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change();\n"
    for table in ("wallet", "account", "ledger_period", "inbox_event", "stripe_customer")
)

NEVER_CHANGED = """
-- <table>_append_only: ... some are not changed either. A note may be erased by the owner (it is outside the chain), not reworded.
CREATE TRIGGER usage_reversal_append_only BEFORE UPDATE OR DELETE ON usage_reversal
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER transfer_note_not_reworded BEFORE UPDATE ON transfer_note
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

NO_TRUNCATE = """
-- <table>_no_truncate: TRUNCATE passes the triggers of rows.
""" + "".join(
    f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();\n"
    for table in (
        "wallet", "account", "ledger_period", "accrual", "transfer_note", "payment_intent", "refund", "dispute",
        "inbox_event", "stripe_customer", "usage_seen", "usage_reversal",
    )
)  # fmt: skip

CHAINS_GROW = """
-- ledger_period_moves_forward: a month's chain only grows, and a closed month stays closed as it is.
CREATE FUNCTION ledger_period_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'month % of organization % only grows, and stays closed', OLD.period, OLD.org_id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_period_moves_forward';
END $$;
CREATE TRIGGER ledger_period_moves_forward BEFORE UPDATE ON ledger_period FOR EACH ROW
    WHEN (OLD.closed_at IS NOT NULL OR NEW.seq < OLD.seq
          OR (OLD.org_id, OLD.period) IS DISTINCT FROM (NEW.org_id, NEW.period))
    EXECUTE FUNCTION ledger_period_moves_forward();
"""

ONE_CHARGE_PER_EVENT = """
-- usage_event_once (0004) knows an event again by its moment and id, where the id carries the moment; usage_seen by its id
-- alone, for all others. usage_seen_remembers: what it knows is not forgotten while such an event could come again.
CREATE TRIGGER usage_seen_remembers BEFORE DELETE ON usage_seen FOR EACH ROW
    WHEN (OLD.ts > now() - interval '40 days') EXECUTE FUNCTION refuse_change();
CREATE TRIGGER usage_seen_append_only BEFORE UPDATE ON usage_seen FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

NO_NAN = """
-- <table>_<column>_bounded: NaN is greater than every number, so a bound on one side lets it pass. Corrections go below zero.
ALTER TABLE usage_hour ADD CONSTRAINT usage_hour_cost_bounded CHECK (cost > -1e13 AND cost < 1e13);
ALTER TABLE usage_minute ADD CONSTRAINT usage_minute_cost_bounded CHECK (cost > -1e13 AND cost < 1e13);
ALTER TABLE key_spend ADD CONSTRAINT key_spend_spent_bounded CHECK (spent > -1e13 AND spent < 1e13);
"""

FIXED_PATH = """
-- A guard that reads a table reads the real one: never one that a session has put in front of it.
ALTER FUNCTION price_follows_the_last() SET search_path = pg_catalog, public, pg_temp;
ALTER FUNCTION payment_intent_not_while_disputed() SET search_path = pg_catalog, public, pg_temp;
ALTER FUNCTION dispute_moves_forward() SET search_path = pg_catalog, public, pg_temp;
ALTER FUNCTION api_key_is_news() SET search_path = pg_catalog, public, pg_temp;
ALTER FUNCTION catalog_is_news() SET search_path = pg_catalog, public, pg_temp;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0010_held_since"), ("orgs", "0004_invariants")]
    operations = [
        migrations.RunSQL(sql)
        for sql in (
            BEGINS_EMPTY,
            STAYS_EXHAUSTED,
            KEPT,
            NEVER_CHANGED,
            NO_TRUNCATE,
            CHAINS_GROW,
            ONE_CHARGE_PER_EVENT,
            NO_NAN,
            FIXED_PATH,
        )
    ]
