import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0019_settlement_guards"),
        ("orgs", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="Receipt",
            fields=[
                (
                    "intent",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="receipt",
                        serialize=False,
                        to="billing.intent",
                    ),
                ),
                ("number", models.BigIntegerField(unique=True)),
                ("layout", models.SmallIntegerField(default=1)),
                ("body", models.TextField()),
                ("issued_at", models.DateTimeField()),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="receipts",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "receipt",
            },
        ),
        migrations.CreateModel(
            name="Statement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("period", models.DateField()),
                ("number", models.BigIntegerField(unique=True)),
                ("layout", models.SmallIntegerField(default=1)),
                ("ledger_head", models.BinaryField(max_length=32)),
                ("body", models.TextField()),
                ("hash", models.BinaryField(max_length=32)),
                ("issued_at", models.DateTimeField()),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="statements",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "statement",
                "constraints": [
                    models.UniqueConstraint(fields=("wallet", "period"), name="statement_once_per_month"),
                    models.CheckConstraint(
                        condition=models.Q(("period__day", 1)), name="statement_period_first_of_month"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BillingDetails",
            fields=[
                (
                    "wallet",
                    models.OneToOneField(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="billing_details",
                        serialize=False,
                        to="billing.wallet",
                    ),
                ),
                ("legal_name", models.CharField(max_length=120)),
                ("address", models.TextField(verbose_name="address lines")),
                ("country", models.CharField(max_length=2)),
                ("tax_id", models.CharField(blank=True, default="", max_length=32)),
                ("changed_at", models.DateTimeField()),
                (
                    "changed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "billing_details",
                "verbose_name_plural": "billing details",
            },
        ),
        migrations.CreateModel(
            name="DocumentCounter",
            fields=[
                (
                    "series",
                    models.CharField(
                        choices=[("statement", "Statements"), ("receipt", "Receipts")],
                        max_length=9,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("last", models.BigIntegerField()),
            ],
            options={
                "db_table": "document_counter",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("series__in", ["statement", "receipt"])),
                        name="document_counter_series_known",
                    ),
                    models.CheckConstraint(condition=models.Q(("last__gte", 0)), name="document_counter_not_negative"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ReceiptParty",
            fields=[
                (
                    "receipt",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="party",
                        serialize=False,
                        to="billing.receipt",
                    ),
                ),
                ("salt", models.BinaryField(max_length=16)),
                ("text", models.TextField()),
            ],
            options={
                "db_table": "receipt_party",
            },
        ),
        migrations.CreateModel(
            name="StatementParty",
            fields=[
                (
                    "statement",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="party",
                        serialize=False,
                        to="billing.statement",
                    ),
                ),
                ("salt", models.BinaryField(max_length=16)),
                ("text", models.TextField()),
            ],
            options={
                "db_table": "statement_party",
            },
        ),
    ]
