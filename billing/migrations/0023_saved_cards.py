"""Saving a card without paying, and letting one go. Their guards follow in 0024."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0022_notices_sending"),
        ("orgs", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="CardSetup",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("created", "Created"),
                            ("unknown", "Outcome unknown"),
                            ("waiting", "Waiting for the customer"),
                            ("ended", "Not saved"),
                            ("saved", "Saved"),
                        ],
                        default="created",
                        max_length=8,
                    ),
                ),
                ("key", models.CharField(max_length=120, unique=True)),
                ("created_at", models.DateTimeField()),
                ("deadline", models.DateTimeField()),
                ("called_at", models.DateTimeField(null=True)),
                ("checked_at", models.DateTimeField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
                ("page_id", models.CharField(max_length=128, null=True, unique=True, verbose_name="session at Stripe")),
                ("page_url", models.TextField(blank=True, default="")),
                ("failure_code", models.CharField(blank=True, default="", max_length=64)),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "method",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.paymentmethod",
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="card_setups",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "card_setup",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ("created", "unknown", "waiting"))),
                        fields=["created_at"],
                        name="card_setup_open",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["created", "unknown", "waiting", "ended", "saved"])),
                        name="card_setup_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("method__isnull", False), ("state", "saved")),
                            models.Q(models.Q(("state", "saved"), _negated=True), ("method__isnull", True)),
                            _connector="OR",
                        ),
                        name="card_setup_saved_has_card",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="paymentmethod",
            name="checked_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="paymentmethod",
            name="released_at",
            field=models.DateTimeField(null=True, verbose_name="let go at Stripe"),
        ),
        migrations.AddIndex(
            model_name="paymentmethod",
            index=models.Index(
                condition=models.Q(("detached_at__isnull", False), ("released_at__isnull", True)),
                fields=["detached_at"],
                name="payment_method_to_release",
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentmethod",
            constraint=models.CheckConstraint(
                condition=models.Q(("released_at__isnull", True), ("detached_at__isnull", False), _connector="OR"),
                name="payment_method_detached_here_first",
            ),
        ),
    ]
