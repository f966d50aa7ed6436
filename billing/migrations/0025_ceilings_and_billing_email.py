from decimal import Decimal

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import billing.money


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0024_saved_cards_guards"),
        ("orgs", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="OverdraftCeiling",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("usd", billing.money.UsdField(verbose_name="ceiling, USD")),
                ("reason", models.TextField()),
                ("key", models.CharField(max_length=120, unique=True)),
                ("set_at", models.DateTimeField()),
                (
                    "set_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="ceilings",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "overdraft_ceiling",
                "indexes": [models.Index(fields=["wallet", "-set_at", "-id"], name="overdraft_ceiling_newest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("usd__gt", 0), ("usd__lte", Decimal("1000"))),
                        name="overdraft_ceiling_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="overdraft_ceiling_has_reason"
                    ),
                ],
            },
        ),
        migrations.RemoveConstraint(
            model_name="notice",
            name="notice_kind_known",
        ),
        migrations.AddField(
            model_name="noticesettings",
            name="asked_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="noticesettings",
            name="asked_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="noticesettings",
            name="asked_email",
            field=models.EmailField(
                blank=True, db_default="", default="", max_length=254, verbose_name="address to be confirmed"
            ),
        ),
        migrations.AddField(
            model_name="noticesettings",
            name="asked_number",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name="notice",
            name="kind",
            field=models.CharField(
                choices=[
                    ("receipt", "Receipt"),
                    ("low_balance", "Low balance"),
                    ("expiring", "Credit expiring"),
                    ("recharge_made", "Auto-recharge made"),
                    ("recharge_failed", "Auto-recharge failed"),
                    ("recharge_paused", "Auto-recharge paused"),
                    ("recharge_changed", "Auto-recharge switched on or off"),
                    ("statement", "Statement"),
                    ("settlement_failed", "Month-end charge failed"),
                    ("card_expiring", "Card expiring"),
                    ("card_changed", "Card added or removed"),
                    ("billing_email", "Billing e-mail to confirm"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "receipt",
                            "low_balance",
                            "expiring",
                            "recharge_made",
                            "recharge_failed",
                            "recharge_paused",
                            "recharge_changed",
                            "statement",
                            "settlement_failed",
                            "card_expiring",
                            "card_changed",
                            "billing_email",
                        ],
                    )
                ),
                name="notice_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="noticesettings",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("asked_at__isnull", True), ("asked_by__isnull", True), ("asked_email", "")),
                    models.Q(
                        models.Q(("asked_email", ""), _negated=True),
                        ("asked_at__isnull", False),
                        ("asked_by__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="notice_settings_asked_whole",
            ),
        ),
    ]
