"""How mail about notices goes on, and which low balances are still to be told."""

from decimal import Decimal

import django.db.models.deletion
from django.db import migrations, models

import billing.money

FOR_EVER = """
-- What was said is kept, and a mail that went out stays so: it is not sent once more.
CREATE TRIGGER notice_kept BEFORE DELETE ON notice FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER notice_no_truncate BEFORE TRUNCATE ON notice FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER notice_stays_sent BEFORE UPDATE ON notice FOR EACH ROW
    WHEN (OLD.mail = 'sent' AND (NEW.mail, NEW.sent_at, NEW.sent_to) IS DISTINCT FROM (OLD.mail, OLD.sent_at, OLD.sent_to))
    EXECUTE FUNCTION refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0021_statement_guards"),
    ]

    operations = [
        migrations.AddField(
            model_name="notice",
            name="error",
            field=models.CharField(blank=True, db_default="", default="", max_length=80),
        ),
        migrations.AddField(
            model_name="notice",
            name="sent_to",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="notice",
            name="unclear",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.CreateModel(
            name="LowBalanceArmed",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "wallet_id", "threshold", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("threshold", billing.money.UsdField()),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="low_balance_armed",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "low_balance_armed",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("threshold__gt", 0), ("threshold__lt", Decimal("1E+13"))),
                        name="low_balance_armed_bounded",
                    )
                ],
            },
        ),
        migrations.RunSQL(FOR_EVER),
    ]
