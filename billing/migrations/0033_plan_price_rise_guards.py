"""What the database itself guarantees about prices that rise. See `billing/ledger/README.md`."""

from django.db import migrations

RISES = """
-- A rise belongs to the organization of its subscription.
ALTER TABLE plan_price_rise ADD CONSTRAINT plan_price_rise_same_organization
    FOREIGN KEY (org_id, subscription_id) REFERENCES subscription (org_id, id);
-- plan_price_rise_append_only, plan_price_rise_no_truncate: what was told was told.
CREATE TRIGGER plan_price_rise_append_only BEFORE UPDATE OR DELETE ON plan_price_rise
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER plan_price_rise_no_truncate BEFORE TRUNCATE ON plan_price_rise
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
-- plan_change_ends_once: now also the price that was shown stays what it was.
DROP TRIGGER plan_change_ends_once ON plan_change;
CREATE TRIGGER plan_change_ends_once BEFORE UPDATE ON plan_change FOR EACH ROW
    WHEN ((OLD.id, OLD.org_id, OLD.subscription_id, OLD.plan_id, OLD.price_cents, OLD.effective_at, OLD.made_by_id,
           OLD.made_at)
        IS DISTINCT FROM (NEW.id, NEW.org_id, NEW.subscription_id, NEW.plan_id, NEW.price_cents, NEW.effective_at,
           NEW.made_by_id, NEW.made_at)
        OR OLD.withdrawn_at IS NOT NULL OR OLD.applied_at IS NOT NULL)
    EXECUTE FUNCTION refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0032_plan_price_rises")]
    operations = [migrations.RunSQL(RISES)]
