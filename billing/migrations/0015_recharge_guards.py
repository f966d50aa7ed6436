"""What the database itself guarantees about notices and auto-recharge. See `billing/ledger/README.md`."""

from django.db import migrations

SAME_ORGANIZATION = """
-- A card charged without its customer, a rule, its consent and its attempts belong to one organization.
ALTER TABLE payment_intent ADD CONSTRAINT payment_intent_method_same_organization
    FOREIGN KEY (org_id, method_id) REFERENCES payment_method (org_id, id);
ALTER TABLE recharge_rule ADD CONSTRAINT recharge_rule_method_same_organization
    FOREIGN KEY (org_id, method_id) REFERENCES payment_method (org_id, id);
ALTER TABLE recharge_rule ADD CONSTRAINT recharge_rule_consent_same_organization
    FOREIGN KEY (org_id, consent_id) REFERENCES recharge_consent (org_id, id);
ALTER TABLE recharge_attempt ADD CONSTRAINT recharge_attempt_same_organization
    FOREIGN KEY (org_id, intent_id) REFERENCES payment_intent (org_id, id);
ALTER TABLE recharge_attempt ADD CONSTRAINT recharge_attempt_consent_same_organization
    FOREIGN KEY (org_id, consent_id) REFERENCES recharge_consent (org_id, id);
ALTER TABLE recharge_attempt ADD CONSTRAINT recharge_attempt_finish_same_organization
    FOREIGN KEY (org_id, finish_id) REFERENCES payment_intent (org_id, id);
"""

FOR_EVER = """
-- Who agreed to what is evidence, and so is why a card was charged.
CREATE TRIGGER recharge_consent_append_only BEFORE UPDATE OR DELETE ON recharge_consent
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER recharge_consent_no_truncate BEFORE TRUNCATE ON recharge_consent
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER recharge_attempt_append_only BEFORE UPDATE ON recharge_attempt FOR EACH ROW
    WHEN ((OLD.id, OLD.org_id, OLD.intent_id, OLD.consent_id, OLD.at, OLD.balance, OLD.pending_cents, OLD.threshold_cents,
           OLD.recharge_to_cents, OLD.amount_cents, OLD.capped, OLD.ladder, OLD.rung)
        IS DISTINCT FROM (NEW.id, NEW.org_id, NEW.intent_id, NEW.consent_id, NEW.at, NEW.balance, NEW.pending_cents,
           NEW.threshold_cents, NEW.recharge_to_cents, NEW.amount_cents, NEW.capped, NEW.ladder, NEW.rung)
        OR OLD.finish_id IS NOT NULL AND NEW.finish_id IS DISTINCT FROM OLD.finish_id)
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER recharge_attempt_kept BEFORE DELETE ON recharge_attempt FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER recharge_attempt_no_truncate BEFORE TRUNCATE ON recharge_attempt
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER recharge_rule_kept BEFORE DELETE ON recharge_rule FOR EACH ROW EXECUTE FUNCTION refuse_change();
-- What was said was said: a notice keeps its words, only its mail moves on.
CREATE TRIGGER notice_keeps_its_words BEFORE UPDATE ON notice FOR EACH ROW
    WHEN ((OLD.id, OLD.org_id, OLD.kind, OLD.key, OLD.facts, OLD.created_at)
        IS DISTINCT FROM (NEW.id, NEW.org_id, NEW.kind, NEW.key, NEW.facts, NEW.created_at))
    EXECUTE FUNCTION refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0014_notices_and_recharge")]
    operations = [migrations.RunSQL(SAME_ORGANIZATION), migrations.RunSQL(FOR_EVER)]
