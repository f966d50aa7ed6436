"""What the database itself guarantees about months and their settlement. See `billing/ledger/README.md`."""

from django.db import migrations

MONTHS_IN_ORDER = """
-- ledger_period_in_order: an organization's months close one after the other, each when it is over; what is closed has
-- nothing open before it, and no month comes to be before a closed one.
CREATE FUNCTION ledger_period_in_order() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.closed_at < (NEW.period + interval '1 month') AT TIME ZONE 'UTC'
        OR EXISTS (SELECT 1 FROM ledger_period WHERE org_id = NEW.org_id AND period > NEW.period AND closed_at IS NOT NULL)
        OR NEW.closed_at IS NOT NULL AND EXISTS (
            SELECT 1 FROM ledger_period WHERE org_id = NEW.org_id AND period < NEW.period AND closed_at IS NULL) THEN
        RAISE EXCEPTION 'month % of organization % is not the next one to be closed, or not over', NEW.period, NEW.org_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_period_in_order';
    END IF;
    RETURN NULL;
END $$;
-- AFTER: each posting tries to make its month, and only a month that was not there yet is looked at.
CREATE TRIGGER ledger_period_in_order AFTER INSERT OR UPDATE OF closed_at ON ledger_period
    FOR EACH ROW EXECUTE FUNCTION ledger_period_in_order();
"""

MONTHS_CLOSE = """
-- The one way for the application to close a month. One without movement is made empty, and closed with the others.
CREATE FUNCTION ledger_period_close(orgs bigint[], month date, at timestamptz) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF month IS NULL OR at IS NULL OR at < (month + interval '1 month') AT TIME ZONE 'UTC' THEN
        RAISE EXCEPTION 'month % is not over', month
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_period_in_order';
    END IF;
    PERFORM 1 FROM wallet WHERE org_id = ANY(orgs) ORDER BY org_id FOR UPDATE;
    UPDATE ledger_period SET closed_at = at WHERE org_id = ANY(orgs) AND period = month;
    INSERT INTO ledger_period (org_id, period, seq, head, closed_at)
        SELECT w.org_id, month, 0, decode(repeat('00', 32), 'hex'), at FROM wallet w
        WHERE w.org_id = ANY(orgs) AND w.org_id <> 0
            AND NOT EXISTS (SELECT 1 FROM ledger_period p WHERE p.org_id = w.org_id AND p.period = month);
END $$;
"""

SETTLED_WITH_ITS_MONTH = """
-- A settlement is of a month that was closed at the same moment; its payment is its organization's.
ALTER TABLE settlement ADD CONSTRAINT settlement_of_closed_month
    FOREIGN KEY (org_id, period, closed_at) REFERENCES ledger_period (org_id, period, closed_at);
ALTER TABLE settlement ADD CONSTRAINT settlement_intent_same_organization
    FOREIGN KEY (org_id, intent_id) REFERENCES payment_intent (org_id, id);
-- Nothing is lost and nothing made: what was due is charged, written off or carried, and no charge is beyond the ceiling.
ALTER TABLE settlement ADD CONSTRAINT settlement_adds_up CHECK (
    charge_cents::numeric / 100 + written_off + carried = least(overdraft_at_end, overdraft_at_closing)
    AND charge_cents::numeric / 100 <= ceiling);
"""

FOR_EVER = """
-- What was decided when a month was closed stays as it was; only collecting moves on, and what is over stays over, unless the
-- money arrives after all.
CREATE FUNCTION settlement_keeps_what_was_decided() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'month % of organization % is settled', OLD.period, OLD.org_id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'settlement_keeps_what_was_decided';
END $$;
CREATE TRIGGER settlement_keeps_what_was_decided BEFORE UPDATE ON settlement FOR EACH ROW
    WHEN ((OLD.id, OLD.org_id, OLD.period, OLD.closed_at, OLD.overdraft_at_end, OLD.overdraft_at_closing, OLD.ceiling,
           OLD.decided, OLD.charge_cents, OLD.written_off, OLD.written_off_as, OLD.carried)
        IS DISTINCT FROM (NEW.id, NEW.org_id, NEW.period, NEW.closed_at, NEW.overdraft_at_end, NEW.overdraft_at_closing,
           NEW.ceiling, NEW.decided, NEW.charge_cents, NEW.written_off, NEW.written_off_as, NEW.carried)
        OR NEW.tries < OLD.tries
        OR OLD.stage IN ('paid', 'over', 'replaced') AND NEW.stage NOT IN ('paid', OLD.stage)
        OR OLD.stage = 'paid' AND NEW.stage <> 'paid')
    EXECUTE FUNCTION settlement_keeps_what_was_decided();
CREATE TRIGGER settlement_kept BEFORE DELETE ON settlement FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER settlement_no_truncate BEFORE TRUNCATE ON settlement FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0018_settlement")]
    operations = [migrations.RunSQL(sql) for sql in (MONTHS_IN_ORDER, MONTHS_CLOSE, SETTLED_WITH_ITS_MONTH, FOR_EVER)]
