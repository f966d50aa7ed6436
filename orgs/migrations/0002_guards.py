"""What the database itself refuses: an organization without an owner, a change of kind, a key that comes back."""

from django.db import migrations

LAST_OWNER = """
-- An organization that has members has at least one owner. The organization's row is locked first (in a mode that lets
-- foreign-key checks pass), so that two owners cannot step down at once; the count then sees the rival's commit.
CREATE FUNCTION membership_keeps_an_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM organization WHERE id = OLD.org_id FOR NO KEY UPDATE;
    IF NOT EXISTS (SELECT 1 FROM membership WHERE org_id = OLD.org_id AND role = 'owner')
       AND EXISTS (SELECT 1 FROM membership WHERE org_id = OLD.org_id) THEN
        RAISE EXCEPTION 'an organization keeps at least one owner'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'membership_keeps_an_owner';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER membership_keeps_an_owner AFTER UPDATE OR DELETE ON membership
    FOR EACH ROW EXECUTE FUNCTION membership_keeps_an_owner();
"""

KIND_IS_FOREVER = """
CREATE FUNCTION organization_keeps_its_kind() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the kind of an organization never changes'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'organization_keeps_its_kind';
END $$;
CREATE TRIGGER organization_keeps_its_kind BEFORE UPDATE OF kind ON organization
    FOR EACH ROW WHEN (OLD.kind IS DISTINCT FROM NEW.kind) EXECUTE FUNCTION organization_keeps_its_kind();
"""

REVOKED_IS_FOREVER = """
CREATE FUNCTION api_key_stays_what_it_is() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a key keeps its owner and its secret, and a revoked key stays revoked'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'api_key_stays_what_it_is';
END $$;
CREATE TRIGGER api_key_stays_what_it_is BEFORE UPDATE ON api_key
    FOR EACH ROW WHEN (
        (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at)
        OR (OLD.hash, OLD.public_id, OLD.org_id) IS DISTINCT FROM (NEW.hash, NEW.public_id, NEW.org_id)
    ) EXECUTE FUNCTION api_key_stays_what_it_is();
"""


class Migration(migrations.Migration):
    dependencies = [("orgs", "0001_tables")]
    operations = [migrations.RunSQL(sql) for sql in (LAST_OWNER, KIND_IS_FOREVER, REVOKED_IS_FOREVER)]
