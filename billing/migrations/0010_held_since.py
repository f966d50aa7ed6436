"""Since when a grant is held by a dispute: it gets that time back when it is released."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0009_money_back_guards")]

    operations = [
        migrations.AddField("account", "held_since", models.DateTimeField(null=True)),
        migrations.AddConstraint(
            "account",
            models.CheckConstraint(
                condition=models.Q(("held_since__isnull", True), ("held", True), _connector="OR"),
                name="account_held_since_when",
            ),
        ),
    ]
