"""An address that is safe in every link, and an owner that every organization keeps."""

from django.db import migrations

PLAIN_SLUG = """
-- organization_slug_plain: it stands in addresses, logs and file names, so it is letters, digits, "-" and "_", and not empty.
ALTER TABLE organization ADD CONSTRAINT organization_slug_plain CHECK (slug ~ '^[A-Za-z0-9_-]+$');
"""

KEEPS_AN_OWNER = """
-- membership_keeps_an_owner: also the only member's membership stays; an organization with nobody in it would be nobody's.
-- It reads the real tables, never one that a session has put in front of them.
CREATE OR REPLACE FUNCTION membership_keeps_an_owner() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM organization WHERE id = OLD.org_id FOR NO KEY UPDATE;
    IF NOT EXISTS (SELECT 1 FROM membership WHERE org_id = OLD.org_id AND role = 'owner') THEN
        RAISE EXCEPTION 'an organization keeps at least one owner'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'membership_keeps_an_owner';
    END IF;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("orgs", "0003_key_cap_bounded")]
    operations = [migrations.RunSQL(sql) for sql in (PLAIN_SLUG, KEEPS_AN_OWNER)]
