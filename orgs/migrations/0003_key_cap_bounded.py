"""The cap of a key is bounded on both sides: PostgreSQL holds NaN for greater than every number."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orgs", "0002_guards"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="apikey",
            name="api_key_cap_positive",
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("cap_usd__isnull", True),
                    models.Q(("cap_usd__gt", 0), ("cap_usd__lt", 10000000000000)),
                    _connector="OR",
                ),
                name="api_key_cap_positive",
            ),
        ),
    ]
