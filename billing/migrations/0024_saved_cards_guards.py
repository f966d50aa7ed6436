"""What the database itself guarantees about saved cards. See `billing/ledger/README.md`."""

from django.db import migrations

SAME_ORGANIZATION = """
-- The card that came of adding one is the organization's that added it.
ALTER TABLE card_setup ADD CONSTRAINT card_setup_method_same_organization
    FOREIGN KEY (org_id, method_id) REFERENCES payment_method (org_id, id);
"""

SETUPS_MOVE_FORWARD = """
-- What was begun stays what was begun, and what came of it is never taken back.
CREATE FUNCTION card_setup_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ladder CONSTANT text[] := ARRAY['created', 'unknown', 'waiting', 'ended', 'saved'];
BEGIN
    IF (OLD.id, OLD.org_id, OLD.key, OLD.created_by_id) IS DISTINCT FROM (NEW.id, NEW.org_id, NEW.key, NEW.created_by_id)
        OR (OLD.page_id IS NOT NULL AND NEW.page_id IS DISTINCT FROM OLD.page_id)
        OR (OLD.method_id IS NOT NULL AND NEW.method_id IS DISTINCT FROM OLD.method_id)
        OR array_position(ladder, NEW.state::text) < array_position(ladder, OLD.state::text) THEN
        RAISE EXCEPTION 'card setup % cannot go from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'card_setup_moves_forward';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER card_setup_moves_forward BEFORE UPDATE ON card_setup
    FOR EACH ROW EXECUTE FUNCTION card_setup_moves_forward();
CREATE TRIGGER card_setup_kept BEFORE DELETE ON card_setup FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

REMOVED_FOR_GOOD = """
-- A card stays its organization's; a removed one stays removed.
CREATE FUNCTION payment_method_stays_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'card % keeps its organization, and stays removed once it is', OLD.id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_method_stays_removed';
END $$;
CREATE TRIGGER payment_method_stays_removed BEFORE UPDATE ON payment_method FOR EACH ROW
    WHEN ((OLD.id, OLD.org_id, OLD.stripe_id) IS DISTINCT FROM (NEW.id, NEW.org_id, NEW.stripe_id)
          OR OLD.detached_at IS NOT NULL AND NEW.detached_at IS DISTINCT FROM OLD.detached_at
          OR OLD.released_at IS NOT NULL AND NEW.released_at IS DISTINCT FROM OLD.released_at)
    EXECUTE FUNCTION payment_method_stays_removed();
CREATE TRIGGER payment_method_kept BEFORE DELETE ON payment_method FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

NO_CHARGE_OF_A_REMOVED_CARD = """
-- A removed card is never charged again. The wallet is locked first: whoever removes the card holds it.
CREATE FUNCTION payment_intent_card_is_there() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM wallet WHERE org_id = NEW.org_id FOR UPDATE;
    IF EXISTS (SELECT 1 FROM payment_method WHERE id = NEW.method_id AND detached_at IS NOT NULL) THEN
        RAISE EXCEPTION 'card % was removed: it is not charged', NEW.method_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_intent_card_is_there';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payment_intent_card_is_there BEFORE INSERT ON payment_intent
    FOR EACH ROW WHEN (NEW.method_id IS NOT NULL) EXECUTE FUNCTION payment_intent_card_is_there();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0023_saved_cards")]
    operations = [
        migrations.RunSQL(sql)
        for sql in (SAME_ORGANIZATION, SETUPS_MOVE_FORWARD, REMOVED_FOR_GOOD, NO_CHARGE_OF_A_REMOVED_CARD)
    ]
