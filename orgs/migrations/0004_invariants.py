"""An address that is safe in every link, and guards that look at the real tables whatever `search_path` says."""

from django.db import migrations

PLAIN_SLUG = """
-- organization_slug_plain: it stands in addresses, logs and file names, so it is letters, digits, "-" and "_", and not empty.
ALTER TABLE organization ADD CONSTRAINT organization_slug_plain CHECK (slug ~ '^[A-Za-z0-9_-]+$');
"""

FIXED_PATH = """
-- A guard that reads a table reads the real one: never one that a session has put in front of it.
ALTER FUNCTION membership_keeps_an_owner() SET search_path = pg_catalog, public, pg_temp;
"""


class Migration(migrations.Migration):
    dependencies = [("orgs", "0003_key_cap_bounded")]
    operations = [migrations.RunSQL(sql) for sql in (PLAIN_SLUG, FIXED_PATH)]
