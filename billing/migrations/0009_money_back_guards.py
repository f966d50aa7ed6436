"""What the database itself guarantees about money that goes back. See `billing/ledger/README.md`."""

from django.db import migrations

SAME_ORGANIZATION = """
-- A refund or dispute belongs to the organization whose payment it is about; a movement to that of its dispute.
ALTER TABLE refund ADD CONSTRAINT refund_same_organization
    FOREIGN KEY (org_id, intent_id) REFERENCES payment_intent (org_id, id);
ALTER TABLE dispute ADD CONSTRAINT dispute_same_organization
    FOREIGN KEY (org_id, intent_id) REFERENCES payment_intent (org_id, id);
ALTER TABLE dispute_movement ADD CONSTRAINT dispute_movement_same_organization
    FOREIGN KEY (org_id, dispute_id) REFERENCES dispute (org_id, id);
"""

REFUNDS_MOVE_FORWARD = """
-- What was asked stays what was asked, and an outcome is never taken back: a refund that failed has failed for good.
CREATE FUNCTION refund_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ladder CONSTANT text[] := ARRAY['asked', 'unknown', 'pending', 'succeeded', 'failed'];
BEGIN
    IF (OLD.id, OLD.org_id, OLD.intent_id, OLD.amount_cents, OLD.key, OLD.asked_by_id)
            IS DISTINCT FROM (NEW.id, NEW.org_id, NEW.intent_id, NEW.amount_cents, NEW.key, NEW.asked_by_id)
        OR (OLD.provider_id IS NOT NULL AND NEW.provider_id IS DISTINCT FROM OLD.provider_id)
        OR array_position(ladder, NEW.state::text) < array_position(ladder, OLD.state::text) THEN
        RAISE EXCEPTION 'refund % cannot go from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'refund_moves_forward';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refund_moves_forward BEFORE UPDATE ON refund FOR EACH ROW EXECUTE FUNCTION refund_moves_forward();
CREATE TRIGGER refund_kept BEFORE DELETE ON refund FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

DISPUTES_MOVE_FORWARD = """
-- An inquiry may be escalated, also after it was closed; a chargeback never becomes an inquiry, a decision no open case.
CREATE FUNCTION dispute_rank(status text) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE status
        WHEN 'warning_needs_response' THEN 1 WHEN 'warning_under_review' THEN 1 WHEN 'warning_closed' THEN 2
        WHEN 'needs_response' THEN 3 WHEN 'under_review' THEN 4
        WHEN 'won' THEN 5 WHEN 'lost' THEN 5 WHEN 'prevented' THEN 5 END
$$;
ALTER TABLE dispute ADD CONSTRAINT dispute_status_known CHECK (dispute_rank(status) IS NOT NULL);
-- Closed here exactly when it is closed there: the hold on credit and on charges lasts from the one to the other.
ALTER TABLE dispute ADD CONSTRAINT dispute_closed_is_decided
    CHECK ((closed_at IS NOT NULL) = (dispute_rank(status) IN (2, 5)));
CREATE FUNCTION dispute_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.id, OLD.org_id, OLD.intent_id, OLD.provider_id) IS DISTINCT FROM (NEW.id, NEW.org_id, NEW.intent_id, NEW.provider_id)
        OR dispute_rank(NEW.status) < dispute_rank(OLD.status) THEN
        RAISE EXCEPTION 'dispute % cannot go from % to %', OLD.provider_id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'dispute_moves_forward';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dispute_moves_forward BEFORE UPDATE ON dispute FOR EACH ROW EXECUTE FUNCTION dispute_moves_forward();
CREATE TRIGGER dispute_kept BEFORE DELETE ON dispute FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

MOVEMENTS_FOR_EVER = """
-- What a dispute moved has moved: the other way is another movement.
CREATE TRIGGER dispute_movement_append_only BEFORE UPDATE OR DELETE ON dispute_movement
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER dispute_movement_no_truncate BEFORE TRUNCATE ON dispute_movement
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

NO_CHARGE_WHILE_DISPUTED = """
-- While a payment is disputed, no card of the organization is charged without its customer (A2). The wallet is locked
-- first: a dispute that is being opened holds it, and is seen once that is over.
CREATE FUNCTION payment_intent_not_while_disputed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM wallet WHERE org_id = NEW.org_id FOR UPDATE;
    IF EXISTS (SELECT 1 FROM dispute WHERE org_id = NEW.org_id AND closed_at IS NULL) THEN
        RAISE EXCEPTION 'organization % has an open dispute: its cards are not charged', NEW.org_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_intent_not_while_disputed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payment_intent_not_while_disputed BEFORE INSERT ON payment_intent
    FOR EACH ROW WHEN (NEW.purpose IN ('recharge', 'settlement')) EXECUTE FUNCTION payment_intent_not_while_disputed();
"""

ENDS_ONLY_LATER = """
-- Credit gets back the time it was held; its end never comes earlier, and what it was granted never changes.
CREATE FUNCTION account_ends_only_later() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'account % keeps its organization, number and grant, and ends later or not at all', OLD.id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'account_ends_only_later';
END $$;
CREATE TRIGGER account_ends_only_later BEFORE UPDATE OF id, org_id, code, granted, expires_at ON account FOR EACH ROW
    WHEN ((OLD.id, OLD.org_id, OLD.code, OLD.granted) IS DISTINCT FROM (NEW.id, NEW.org_id, NEW.code, NEW.granted)
          OR NEW.expires_at < OLD.expires_at)
    EXECUTE FUNCTION account_ends_only_later();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0008_money_back")]
    operations = [
        migrations.RunSQL(sql)
        for sql in (
            SAME_ORGANIZATION,
            REFUNDS_MOVE_FORWARD,
            DISPUTES_MOVE_FORWARD,
            MOVEMENTS_FOR_EVER,
            NO_CHARGE_WHILE_DISPUTED,
            ENDS_ONLY_LATER,
        )
    ]
