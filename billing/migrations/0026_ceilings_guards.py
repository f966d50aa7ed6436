"""What the database itself guarantees about ceilings. See `billing/ledger/README.md`."""

from django.db import migrations

KEPT = """
-- By which ceiling a month was settled can be asked for ever: what staff set is never changed or removed.
CREATE TRIGGER overdraft_ceiling_append_only BEFORE UPDATE OR DELETE ON overdraft_ceiling
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER overdraft_ceiling_no_truncate BEFORE TRUNCATE ON overdraft_ceiling
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0025_ceilings_and_billing_email")]
    operations = [migrations.RunSQL(KEPT)]
