"""Credit that was bought belongs to a payment, and to the organization that made it."""

from django.db import migrations

SAME_ORGANIZATION = """
-- credit_grant_of_its_payment: bought credit names a payment that exists, of the same organization.
ALTER TABLE credit_grant ADD CONSTRAINT credit_grant_of_its_payment
    FOREIGN KEY (org_id, payment_id) REFERENCES payment_intent (org_id, id);
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0012_reconciliation")]
    operations = [migrations.RunSQL(SAME_ORGANIZATION)]
