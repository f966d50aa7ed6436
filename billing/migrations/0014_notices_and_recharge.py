import uuid

import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0013_grant_of_a_payment"),
        ("orgs", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="Consent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("wording", models.TextField()),
                ("threshold_cents", models.BigIntegerField()),
                ("recharge_to_cents", models.BigIntegerField()),
                ("cap_cents", models.BigIntegerField(null=True, verbose_name="most in a calendar month")),
                ("per_day", models.PositiveSmallIntegerField(verbose_name="most charges in a day")),
                ("card", models.CharField(max_length=60)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="consents",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "recharge_consent",
                "constraints": [
                    models.UniqueConstraint(fields=("wallet", "id"), name="recharge_consent_of_organization")
                ],
            },
        ),
        migrations.CreateModel(
            name="Attempt",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("balance", models.DecimalField(decimal_places=12, max_digits=26, verbose_name="balance then, USD")),
                ("pending_cents", models.BigIntegerField(verbose_name="on its way then")),
                ("threshold_cents", models.BigIntegerField()),
                ("recharge_to_cents", models.BigIntegerField()),
                ("amount_cents", models.BigIntegerField()),
                ("capped", models.BooleanField(default=False, verbose_name="less than wanted, for the cap")),
                ("ladder", models.UUIDField(verbose_name="first attempt of the row of retries")),
                ("rung", models.PositiveSmallIntegerField(default=0)),
                (
                    "finish",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.intent",
                        verbose_name="payment by which the customer finished it",
                    ),
                ),
                (
                    "intent",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="recharge", to="billing.intent"
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="recharges",
                        to="billing.wallet",
                    ),
                ),
                (
                    "consent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="billing.consent"
                    ),
                ),
            ],
            options={
                "db_table": "recharge_attempt",
                "indexes": [models.Index(fields=["wallet", "-at"], name="recharge_attempt_newest")],
                "constraints": [
                    models.UniqueConstraint(fields=("ladder", "rung"), name="recharge_attempt_once_per_rung"),
                    models.CheckConstraint(
                        condition=models.Q(("amount_cents__gt", 0), ("amount_cents__lte", 1000000)),
                        name="recharge_attempt_amount_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("balance__gt", -10000000000000), ("balance__lt", 10000000000000)),
                        name="recharge_attempt_balance_bounded",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
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
                        ],
                        max_length=20,
                    ),
                ),
                ("key", models.CharField(max_length=160, unique=True)),
                ("facts", models.JSONField()),
                ("created_at", models.DateTimeField()),
                (
                    "mail",
                    models.CharField(
                        choices=[
                            ("waiting", "To be sent"),
                            ("sent", "Sent"),
                            ("muted", "Not wanted by mail"),
                            ("failed", "Could not be sent"),
                        ],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("next_try_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(null=True)),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notices",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "notice",
                "indexes": [
                    models.Index(fields=["wallet", "-created_at", "-id"], name="notice_newest"),
                    models.Index(
                        condition=models.Q(("mail", "waiting")), fields=["next_try_at"], name="notice_to_be_sent"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
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
                                ],
                            )
                        ),
                        name="notice_kind_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("mail__in", ["waiting", "sent", "muted", "failed"])),
                        name="notice_mail_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("mail", "sent"), ("sent_at__isnull", False)),
                            models.Q(models.Q(("mail", "sent"), _negated=True), ("sent_at__isnull", True)),
                            _connector="OR",
                        ),
                        name="notice_sent_has_moment",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="NoticeSettings",
            fields=[
                (
                    "wallet",
                    models.OneToOneField(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="notice_settings",
                        serialize=False,
                        to="billing.wallet",
                    ),
                ),
                ("billing_email", models.EmailField(blank=True, default="", max_length=254)),
                ("muted", models.JSONField(default=list, verbose_name="kinds not wanted by mail")),
                (
                    "low_balance",
                    models.JSONField(default=list, verbose_name="balances to be told at, plain decimal USD"),
                ),
                ("changed_at", models.DateTimeField()),
            ],
            options={
                "db_table": "notice_settings",
            },
        ),
        migrations.CreateModel(
            name="Rule",
            fields=[
                (
                    "wallet",
                    models.OneToOneField(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="recharge_rule",
                        serialize=False,
                        to="billing.wallet",
                    ),
                ),
                (
                    "standing",
                    models.CharField(
                        choices=[("off", "Off"), ("on", "On"), ("paused", "Paused")], default="off", max_length=6
                    ),
                ),
                (
                    "why",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("customer", "Switched off in the portal"),
                            ("link", "Stopped by the link in a mail"),
                            ("declines", "The card was declined four times"),
                            ("hard_decline", "The bank refused the card"),
                            ("authentication", "The bank wants the cardholder to confirm"),
                            ("no_card", "No card to charge"),
                            ("burst", "Three charges within ten minutes"),
                            ("dispute", "A payment is disputed"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                ("since", models.DateTimeField()),
                ("threshold_cents", models.BigIntegerField()),
                ("recharge_to_cents", models.BigIntegerField()),
                ("cap_cents", models.BigIntegerField(null=True, verbose_name="most in a calendar month")),
                ("per_day", models.PositiveSmallIntegerField(default=5, verbose_name="most charges in a day")),
                ("version", models.PositiveIntegerField(default=1)),
                ("ladder", models.UUIDField(null=True)),
                ("rung", models.PositiveSmallIntegerField(default=0)),
                ("retry_at", models.DateTimeField(null=True)),
                (
                    "consent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="billing.consent"
                    ),
                ),
                (
                    "method",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="billing.paymentmethod"
                    ),
                ),
            ],
            options={
                "db_table": "recharge_rule",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("standing__in", ["off", "on", "paused"])),
                        name="recharge_rule_standing_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("standing", "on"), ("why", "")),
                            models.Q(
                                models.Q(("standing", "on"), _negated=True),
                                (
                                    "why__in",
                                    [
                                        "customer",
                                        "link",
                                        "declines",
                                        "hard_decline",
                                        "authentication",
                                        "no_card",
                                        "burst",
                                        "dispute",
                                    ],
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="recharge_rule_says_why",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "recharge_to_cents__gte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("threshold_cents"), "+", models.Value(500)
                                ),
                            ),
                            ("recharge_to_cents__lte", 1000000),
                            ("threshold_cents__gte", 100),
                        ),
                        name="recharge_rule_amounts",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("cap_cents__isnull", True),
                            models.Q(("cap_cents__gte", 500), ("cap_cents__lte", 100000000)),
                            _connector="OR",
                        ),
                        name="recharge_rule_cap_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("per_day__gte", 1), ("per_day__lte", 50)),
                        name="recharge_rule_per_day_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ladder__isnull", True), ("retry_at__isnull", True), ("rung", 0)),
                            models.Q(("ladder__isnull", False), ("rung__lte", 3)),
                            _connector="OR",
                        ),
                        name="recharge_rule_on_a_ladder",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="intent",
            name="method",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="intents",
                to="billing.paymentmethod",
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentmethod",
            constraint=models.UniqueConstraint(fields=("wallet", "id"), name="payment_method_of_organization"),
        ),
    ]
