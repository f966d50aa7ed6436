import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0027_minutes_by_model"),
        ("orgs", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="Subscription",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("incomplete", "Waiting for the first payment"),
                            ("active", "Active"),
                            ("past_due", "Past due"),
                            ("suspended", "Suspended: a payment is disputed"),
                            ("ended", "Ended"),
                        ],
                        default="incomplete",
                        max_length=10,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("anchor", models.DateTimeField(null=True)),
                ("number", models.PositiveSmallIntegerField(default=0)),
                ("starts_at", models.DateTimeField(null=True)),
                ("ends_at", models.DateTimeField(null=True)),
                ("price_cents", models.BigIntegerField(default=0)),
                ("renewals", models.PositiveSmallIntegerField(default=0, verbose_name="renewals that were paid")),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("grace_from", models.DateTimeField(null=True)),
                ("next_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "ended_as",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("not_paid", "The first payment was not made"),
                            ("canceled", "Canceled"),
                            ("unpaid", "The renewal was not paid"),
                            ("retired", "Its last model was retired"),
                            ("disputed", "A payment was disputed"),
                            ("taken", "Its models were covered otherwise when it was paid"),
                        ],
                        default="",
                        max_length=10,
                    ),
                ),
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
                    "method",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.paymentmethod",
                    ),
                ),
                (
                    "plan",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="billing.plan"),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="subscriptions",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "subscription",
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_at__isnull", False)), fields=["next_at"], name="subscription_due"
                    ),
                    models.Index(fields=["wallet", "-created_at"], name="subscription_of_wallet"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("wallet", "id"), name="subscription_of_organization"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["incomplete", "active", "past_due", "suspended", "ended"])),
                        name="subscription_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("ended_as__in", ["not_paid", "canceled", "unpaid", "retired", "disputed", "taken"]),
                                ("ended_at__isnull", False),
                                ("state", "ended"),
                            ),
                            models.Q(
                                models.Q(("state", "ended"), _negated=True),
                                ("ended_as", ""),
                                ("ended_at__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="subscription_ended_says_why",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ("active", "past_due", "suspended")), _negated=True),
                            models.Q(
                                ("anchor__isnull", False),
                                ("ends_at__gt", models.F("starts_at")),
                                ("number__gte", 1),
                                ("starts_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="subscription_begun_has_period",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("price_cents__gte", 0), ("price_cents__lte", 100000000)),
                        name="subscription_price_bounded",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Change",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("effective_at", models.DateTimeField()),
                ("made_at", models.DateTimeField()),
                ("withdrawn_at", models.DateTimeField(null=True)),
                ("applied_at", models.DateTimeField(null=True)),
                (
                    "made_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "plan",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="billing.plan"
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
                (
                    "withdrawn_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="changes", to="billing.subscription"
                    ),
                ),
            ],
            options={
                "db_table": "plan_change",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("applied_at__isnull", True), ("withdrawn_at__isnull", True)),
                        fields=("subscription",),
                        name="plan_change_one_pending",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("withdrawn_at__isnull", True), ("applied_at__isnull", True), _connector="OR"
                        ),
                        name="plan_change_ends_one_way",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Quote",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(choices=[("first", "First"), ("upgrade", "Upgrade")], max_length=8)),
                ("price_cents", models.BigIntegerField()),
                ("amount_cents", models.BigIntegerField()),
                ("arrears_cents", models.BigIntegerField(default=0)),
                ("fingerprint", models.CharField(max_length=64)),
                ("made_at", models.DateTimeField()),
                ("held_until", models.DateTimeField()),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "plan",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="billing.plan"),
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
                (
                    "subscription",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="quotes",
                        to="billing.subscription",
                    ),
                ),
            ],
            options={
                "db_table": "plan_quote",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("price_cents__gt", 0),
                            ("price_cents__lte", 100000000),
                            ("amount_cents__gte", 0),
                            ("amount_cents__lte", 100000000),
                            ("arrears_cents__gte", 0),
                            ("arrears_cents__lte", models.F("amount_cents")),
                        ),
                        name="plan_quote_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("amount_cents__gt", 0), ("kind", "first"), ("subscription__isnull", True)),
                            models.Q(("arrears_cents", 0), ("kind", "upgrade"), ("subscription__isnull", False)),
                            _connector="OR",
                        ),
                        name="plan_quote_is_of_its_kind",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Charge",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("first", "First period"), ("renewal", "Renewal"), ("upgrade", "Upgrade")],
                        max_length=8,
                    ),
                ),
                ("number", models.PositiveSmallIntegerField()),
                ("price_cents", models.BigIntegerField()),
                ("amount_cents", models.BigIntegerField()),
                ("arrears_cents", models.BigIntegerField(default=0)),
                ("made_at", models.DateTimeField()),
                (
                    "intent",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="plan_charge",
                        to="billing.intent",
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "plan",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="billing.plan"),
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
                (
                    "quote",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="charge",
                        to="billing.quote",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="charges", to="billing.subscription"
                    ),
                ),
            ],
            options={
                "db_table": "plan_charge",
                "constraints": [
                    models.UniqueConstraint(fields=("wallet", "id"), name="plan_charge_of_organization"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("amount_cents", 0), ("intent__isnull", True)),
                            models.Q(
                                ("amount_cents__gt", 0), ("amount_cents__lte", 100000000), ("intent__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="plan_charge_has_its_payment",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("arrears_cents__gte", 0),
                            ("arrears_cents__lte", models.F("amount_cents")),
                            ("price_cents__gt", 0),
                            ("price_cents__lte", 100000000),
                        ),
                        name="plan_charge_bounded",
                    ),
                    models.CheckConstraint(condition=models.Q(("number__gte", 1)), name="plan_charge_of_a_period"),
                ],
            },
        ),
        migrations.CreateModel(
            name="CoveredModel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("open", models.BooleanField(db_default=True, default=True)),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="billing.aimodel"
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
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="covered", to="billing.subscription"
                    ),
                ),
            ],
            options={
                "db_table": "subscription_model",
                "constraints": [
                    models.UniqueConstraint(fields=("subscription", "model"), name="subscription_model_listed_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("open", True)),
                        fields=("wallet", "model"),
                        name="subscription_model_one_open",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PaidPeriod",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveSmallIntegerField()),
                ("part", models.PositiveSmallIntegerField(default=0)),
                ("price_cents", models.BigIntegerField()),
                ("charged_cents", models.BigIntegerField()),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("paid_at", models.DateTimeField()),
                ("earned_cents", models.BigIntegerField(default=0)),
                ("earned_until", models.DateField(null=True)),
                (
                    "charge",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="periods", to="billing.charge"
                    ),
                ),
                (
                    "plan",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="billing.plan"),
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
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="periods", to="billing.subscription"
                    ),
                ),
            ],
            options={
                "db_table": "subscription_period",
                "indexes": [
                    models.Index(
                        condition=models.Q(("earned_cents__lt", models.F("charged_cents"))),
                        fields=["wallet"],
                        name="subscription_period_unearned",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("subscription", "number", "part"), name="subscription_period_paid_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("starts_at"))), name="subscription_period_not_empty"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("charged_cents__gte", 0),
                            ("charged_cents__lte", 100000000),
                            ("earned_cents__gte", 0),
                            ("earned_cents__lte", models.F("charged_cents")),
                            ("price_cents__gt", 0),
                            ("price_cents__lte", 100000000),
                        ),
                        name="subscription_period_bounded",
                    ),
                ],
            },
        ),
        migrations.RemoveConstraint(
            model_name="intent",
            name="payment_intent_purpose_known",
        ),
        migrations.RemoveConstraint(
            model_name="intent",
            name="payment_intent_one_off_session",
        ),
        migrations.RemoveConstraint(
            model_name="notice",
            name="notice_kind_known",
        ),
        migrations.AlterField(
            model_name="intent",
            name="purpose",
            field=models.CharField(
                choices=[
                    ("credits", "Buying credits"),
                    ("recharge", "Auto-recharge"),
                    ("settlement", "Period end"),
                    ("subscription", "Plan"),
                ],
                max_length=12,
            ),
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
                    ("plan_started", "Plan started, upgraded or renewed"),
                    ("plan_failed", "Plan payment failed"),
                    ("plan_changed", "Plan change scheduled or withdrawn"),
                    ("plan_ended", "Plan ended"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddConstraint(
            model_name="intent",
            constraint=models.CheckConstraint(
                condition=models.Q(("purpose__in", ["credits", "recharge", "settlement", "subscription"])),
                name="payment_intent_purpose_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="intent",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("method__isnull", False), ("state__in", ("created", "unknown", "waiting", "processing"))
                ),
                fields=("wallet",),
                name="payment_intent_one_off_session",
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
                            "plan_started",
                            "plan_failed",
                            "plan_changed",
                            "plan_ended",
                        ],
                    )
                ),
                name="notice_kind_known",
            ),
        ),
    ]
