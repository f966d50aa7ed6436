"""What the database itself guarantees about plans. See `billing/ledger/README.md`."""

from django.db import migrations

SAME_ORGANIZATION = """
-- Everything of a subscription, its card and its payments too, belongs to one organization.
ALTER TABLE subscription ADD CONSTRAINT subscription_method_same_organization
    FOREIGN KEY (org_id, method_id) REFERENCES payment_method (org_id, id);
ALTER TABLE subscription_model ADD CONSTRAINT subscription_model_same_organization
    FOREIGN KEY (org_id, subscription_id) REFERENCES subscription (org_id, id);
ALTER TABLE subscription_period ADD CONSTRAINT subscription_period_same_organization
    FOREIGN KEY (org_id, subscription_id) REFERENCES subscription (org_id, id);
ALTER TABLE subscription_period ADD CONSTRAINT subscription_period_charge_same_organization
    FOREIGN KEY (org_id, charge_id) REFERENCES plan_charge (org_id, id);
ALTER TABLE plan_quote ADD CONSTRAINT plan_quote_same_organization
    FOREIGN KEY (org_id, subscription_id) REFERENCES subscription (org_id, id);
ALTER TABLE plan_charge ADD CONSTRAINT plan_charge_same_organization
    FOREIGN KEY (org_id, subscription_id) REFERENCES subscription (org_id, id);
ALTER TABLE plan_charge ADD CONSTRAINT plan_charge_intent_same_organization
    FOREIGN KEY (org_id, intent_id) REFERENCES payment_intent (org_id, id);
ALTER TABLE plan_change ADD CONSTRAINT plan_change_same_organization
    FOREIGN KEY (org_id, subscription_id) REFERENCES subscription (org_id, id);
"""

MOVES_FORWARD = """
-- subscription_moves_forward: what has ended stays ended, a period that was paid stays paid, and the anchor never drifts.
CREATE FUNCTION subscription_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'subscription % cannot go from % to %', OLD.id, OLD.state, NEW.state
        USING ERRCODE = 'check_violation', CONSTRAINT = 'subscription_moves_forward';
END $$;
CREATE TRIGGER subscription_moves_forward BEFORE UPDATE ON subscription FOR EACH ROW
    WHEN ((OLD.id, OLD.public_id, OLD.org_id, OLD.asked_by_id, OLD.created_at)
        IS DISTINCT FROM (NEW.id, NEW.public_id, NEW.org_id, NEW.asked_by_id, NEW.created_at)
        OR OLD.anchor IS NOT NULL AND NEW.anchor IS DISTINCT FROM OLD.anchor
        OR OLD.state = 'ended' OR NEW.state = 'incomplete' AND OLD.state <> 'incomplete'
        OR OLD.state = 'incomplete' AND NEW.state NOT IN ('incomplete', 'active', 'ended')
        OR NEW.number < OLD.number OR NEW.renewals < OLD.renewals OR NEW.ends_at < OLD.ends_at)
    EXECUTE FUNCTION subscription_moves_forward();
"""

FOR_EVER = """
-- subscription_period_only_earns: a fee that was paid stays what it was; only what is earned of it grows.
CREATE TRIGGER subscription_period_only_earns BEFORE UPDATE ON subscription_period FOR EACH ROW
    WHEN ((OLD.id, OLD.org_id, OLD.subscription_id, OLD.number, OLD.part, OLD.plan_id, OLD.price_cents, OLD.charged_cents,
           OLD.starts_at, OLD.ends_at, OLD.paid_at, OLD.charge_id)
        IS DISTINCT FROM (NEW.id, NEW.org_id, NEW.subscription_id, NEW.number, NEW.part, NEW.plan_id, NEW.price_cents,
           NEW.charged_cents, NEW.starts_at, NEW.ends_at, NEW.paid_at, NEW.charge_id)
        OR NEW.earned_cents < OLD.earned_cents OR NEW.earned_until < OLD.earned_until
        OR OLD.earned_until IS NOT NULL AND NEW.earned_until IS NULL)
    EXECUTE FUNCTION refuse_change();
-- plan_quote_append_only, plan_charge_append_only: what was shown was shown, what was to be collected stays what it was.
CREATE TRIGGER plan_quote_append_only BEFORE UPDATE OR DELETE ON plan_quote
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER plan_charge_append_only BEFORE UPDATE OR DELETE ON plan_charge
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
-- plan_change_ends_once: a scheduled change is withdrawn or happens, once, and stays what it was.
CREATE TRIGGER plan_change_ends_once BEFORE UPDATE ON plan_change FOR EACH ROW
    WHEN ((OLD.id, OLD.org_id, OLD.subscription_id, OLD.plan_id, OLD.effective_at, OLD.made_by_id, OLD.made_at)
        IS DISTINCT FROM (NEW.id, NEW.org_id, NEW.subscription_id, NEW.plan_id, NEW.effective_at, NEW.made_by_id, NEW.made_at)
        OR OLD.withdrawn_at IS NOT NULL OR OLD.applied_at IS NOT NULL)
    EXECUTE FUNCTION refuse_change();
-- subscription_model_stays: which model of which subscription; only whether it is covered changes.
CREATE TRIGGER subscription_model_stays BEFORE UPDATE ON subscription_model FOR EACH ROW
    WHEN ((OLD.id, OLD.org_id, OLD.subscription_id, OLD.model_id)
        IS DISTINCT FROM (NEW.id, NEW.org_id, NEW.subscription_id, NEW.model_id))
    EXECUTE FUNCTION refuse_change();
-- <table>_kept and <table>_no_truncate: nothing of it is removed.
""" + "".join(
    f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change();\n"
    for table in ("subscription", "subscription_period", "subscription_model", "plan_change")
) + "".join(
    f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();\n"
    for table in ("subscription", "subscription_period", "subscription_model", "plan_quote", "plan_charge", "plan_change")
)  # fmt: skip

COVER = """
-- coverage_is_dated_ahead: the cover of a plan may end sooner or later than was dated, and what never was used may go;
-- whose it is, of which model, paid by what and since when stays, and nothing else of who paid ever changes.
CREATE FUNCTION coverage_is_dated_ahead() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.payer <> 3
        OR TG_OP = 'UPDATE' AND (OLD.id, OLD.org_id, OLD.model_id, OLD.payer, OLD.source_id, OLD.valid_from)
            IS DISTINCT FROM (NEW.id, NEW.org_id, NEW.model_id, NEW.payer, NEW.source_id, NEW.valid_from)
        OR TG_OP = 'DELETE' AND (
            EXISTS (SELECT 1 FROM allowance_day WHERE org_id = OLD.org_id AND coverage_id = OLD.id)
            OR EXISTS (SELECT 1 FROM usage_delta WHERE org_id = OLD.org_id AND coverage_id = OLD.id)) THEN
        RAISE EXCEPTION 'coverage % stays as it was', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'coverage_is_dated_ahead';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER coverage_is_dated_ahead BEFORE UPDATE OR DELETE ON coverage
    FOR EACH ROW EXECUTE FUNCTION coverage_is_dated_ahead();
CREATE TRIGGER coverage_no_truncate BEFORE TRUNCATE ON coverage FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

NO_CHARGE_WHILE_DISPUTED = """
-- payment_intent_not_while_disputed: now also of a plan that is charged to a saved card. Paid on Stripe's page it is not.
DROP TRIGGER payment_intent_not_while_disputed ON payment_intent;
CREATE TRIGGER payment_intent_not_while_disputed BEFORE INSERT ON payment_intent
    FOR EACH ROW WHEN (NEW.purpose IN ('recharge', 'settlement') OR NEW.method_id IS NOT NULL)
    EXECUTE FUNCTION payment_intent_not_while_disputed();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0028_subscriptions")]
    operations = [
        migrations.RunSQL(sql) for sql in (SAME_ORGANIZATION, MOVES_FORWARD, FOR_EVER, COVER, NO_CHARGE_WHILE_DISPUTED)
    ]
