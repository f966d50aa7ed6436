"""What was compared with Stripe's own lists, and what did not agree."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0011_invariants"),
    ]

    operations = [
        migrations.CreateModel(
            name="Reconciliation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                ("since", models.DateTimeField(null=True)),
                ("through", models.DateTimeField()),
                ("by_hand", models.BooleanField(db_default=False, default=False)),
                ("charges", models.PositiveIntegerField(default=0, verbose_name="charges seen")),
                ("refunds", models.PositiveIntegerField(default=0, verbose_name="refunds seen")),
                ("disputes", models.PositiveIntegerField(default=0, verbose_name="disputes seen")),
                ("healed", models.PositiveIntegerField(default=0)),
                ("not_ours", models.PositiveIntegerField(default=0)),
                ("found", models.PositiveIntegerField(default=0, verbose_name="findings")),
                ("there_cents", models.BigIntegerField(default=0, verbose_name="cents moved at Stripe")),
                ("here_cents", models.BigIntegerField(default=0, verbose_name="cents moved in the ledger")),
                ("error", models.TextField(blank=True, default="")),
            ],
            options={
                "db_table": "reconciliation",
                "ordering": ("-started_at", "-id"),
                "indexes": [models.Index(fields=["-started_at"], name="reconciliation_newest")],
            },
        ),
        migrations.CreateModel(
            name="ReconciliationFinding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("unknown_here", "Marked as ours, and unknown here"),
                            ("unknown_there", "In our books, and unknown to Stripe"),
                            ("amount", "Another amount"),
                            ("currency", "Another currency"),
                            ("organization", "Another organization's customer"),
                            ("payment", "Of another payment"),
                            ("state", "Another state"),
                            ("ledger", "Another sum in the ledger"),
                            ("movements", "Other movements of a dispute"),
                            ("no_cause", "Moved at Stripe for nothing Stripe can know"),
                            ("not_applied", "Could not be applied"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "thing",
                    models.CharField(
                        choices=[
                            ("charge", "Charge"),
                            ("refund", "Refund"),
                            ("dispute", "Dispute"),
                            ("transfer", "Transfer"),
                        ],
                        max_length=8,
                    ),
                ),
                ("provider_id", models.CharField(max_length=120, verbose_name="name")),
                ("here_cents", models.BigIntegerField(null=True)),
                ("there_cents", models.BigIntegerField(null=True)),
                ("words", models.TextField()),
                ("first_seen_at", models.DateTimeField()),
                (
                    "intent",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="billing.intent"
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="findings",
                        to="billing.reconciliation",
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "reconciliation_finding",
                "ordering": ("id",),
                "indexes": [models.Index(fields=["provider_id", "kind"], name="reconciliation_finding_named")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "kind__in",
                                [
                                    "unknown_here",
                                    "unknown_there",
                                    "amount",
                                    "currency",
                                    "organization",
                                    "payment",
                                    "state",
                                    "ledger",
                                    "movements",
                                    "no_cause",
                                    "not_applied",
                                ],
                            )
                        ),
                        name="reconciliation_finding_kind_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("thing__in", ["charge", "refund", "dispute", "transfer"])),
                        name="reconciliation_finding_thing_known",
                    ),
                ],
            },
        ),
    ]
