"""Refunds, disputes and what each dispute moved. Their guards follow in 0009."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0007_usage_refused_once"),
        ("orgs", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="Dispute",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider_id", models.CharField(max_length=64, unique=True, verbose_name="dispute at Stripe")),
                ("amount_cents", models.BigIntegerField()),
                ("reason", models.CharField(blank=True, default="", max_length=40)),
                ("status", models.CharField(max_length=24)),
                ("opened_at", models.DateTimeField(verbose_name="opened at Stripe")),
                ("created_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
                ("checked_at", models.DateTimeField(null=True)),
                (
                    "intent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="disputes", to="billing.intent"
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="disputes",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "dispute",
                "indexes": [
                    models.Index(
                        condition=models.Q(("closed_at__isnull", True)), fields=["wallet"], name="dispute_open"
                    ),
                    models.Index(fields=["intent"], name="dispute_of_intent"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("wallet", "id"), name="dispute_of_organization"),
                    models.CheckConstraint(
                        condition=models.Q(("amount_cents__gt", 0), ("amount_cents__lte", 100000000)),
                        name="dispute_amount_bounded",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DisputeMovement",
            fields=[
                (
                    "id",
                    models.CharField(
                        max_length=64, primary_key=True, serialize=False, verbose_name="balance transaction"
                    ),
                ),
                ("amount_cents", models.BigIntegerField()),
                ("at", models.DateTimeField()),
                ("posted_at", models.DateTimeField()),
                (
                    "dispute",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="movements", to="billing.dispute"
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "dispute_movement",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("amount_cents__gte", -100000000),
                            ("amount_cents__lte", 100000000),
                            models.Q(("amount_cents", 0), _negated=True),
                        ),
                        name="dispute_movement_amount_bounded",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Refund",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("amount_cents", models.BigIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("asked", "Asked"),
                            ("unknown", "Outcome unknown"),
                            ("pending", "On its way"),
                            ("succeeded", "Refunded"),
                            ("failed", "Failed"),
                        ],
                        default="asked",
                        max_length=10,
                    ),
                ),
                ("attempt", models.PositiveSmallIntegerField(default=1)),
                ("key", models.CharField(max_length=120, unique=True)),
                ("reason", models.TextField(blank=True, default="")),
                (
                    "stripe_reason",
                    models.CharField(blank=True, default="", max_length=40, verbose_name="reason at Stripe"),
                ),
                ("created_at", models.DateTimeField()),
                ("called_at", models.DateTimeField(null=True)),
                ("checked_at", models.DateTimeField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
                (
                    "provider_id",
                    models.CharField(max_length=64, null=True, unique=True, verbose_name="refund at Stripe"),
                ),
                ("failure_code", models.CharField(blank=True, default="", max_length=64)),
                ("needs_review", models.BooleanField(db_default=False, default=False)),
                ("reviewed_at", models.DateTimeField(null=True)),
                (
                    "asked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "intent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="refunds", to="billing.intent"
                    ),
                ),
                (
                    "reviewed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "refund",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ("asked", "unknown", "pending"))),
                        fields=["created_at"],
                        name="refund_open",
                    ),
                    models.Index(fields=["intent"], name="refund_of_intent"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount_cents__gt", 0), ("amount_cents__lte", 100000000)),
                        name="refund_amount_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["asked", "unknown", "pending", "succeeded", "failed"])),
                        name="refund_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["pending", "succeeded"]), _negated=True),
                            ("provider_id__isnull", False),
                            _connector="OR",
                        ),
                        name="refund_done_is_named",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("asked_by__isnull", True), models.Q(("reason", ""), _negated=True), _connector="OR"
                        ),
                        name="refund_by_staff_has_reason",
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="intent",
            constraint=models.UniqueConstraint(fields=("wallet", "id"), name="payment_intent_of_organization"),
        ),
    ]
