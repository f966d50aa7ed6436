"""The tables that belong to organizations and people, and those that refer to them."""

import uuid
from decimal import Decimal

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import billing.money


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("billing", "0001_tables"),
        ("orgs", "0001_tables"),
        ("orgs", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="Wallet",
            fields=[
                ("id", models.BigIntegerField(db_column="org_id", primary_key=True, serialize=False)),
                ("posted", billing.money.UsdField(db_default=0, default=0)),
                ("accrued", billing.money.UsdField(db_default=0, default=0)),
                (
                    "organization",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="wallet",
                        to="orgs.organization",
                    ),
                ),
            ],
            options={
                "db_table": "wallet",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("posted__gte", Decimal("-1E+13")), ("posted__lt", Decimal("1E+13"))),
                        name="wallet_posted_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("accrued__gte", 0), ("accrued__lt", Decimal("1E+13"))),
                        name="wallet_accrued_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("id", 0), ("organization__isnull", True)),
                            models.Q(("id", models.F("organization_id")), ("id__gt", 0)),
                            _connector="OR",
                        ),
                        name="wallet_of_organization_or_house",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Account",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "code",
                    models.SmallIntegerField(
                        choices=[
                            (1000, "Stripe"),
                            (1100, "Overdraft"),
                            (1110, "Claw-back debt"),
                            (1120, "Contract receivable"),
                            (1200, "AWS receivable"),
                            (2000, "Paid credit"),
                            (2010, "Promotional credit"),
                            (2090, "Promotional credit issued"),
                            (2100, "Plan fees not earned"),
                            (2200, "Commitment not used"),
                            (2300, "Refunds asked"),
                            (2900, "Unapplied receipts"),
                            (4000, "Usage revenue"),
                            (4100, "Plan revenue"),
                            (4200, "Contract revenue"),
                            (4210, "Unused commitment"),
                            (4220, "Contract overage"),
                            (4300, "AWS revenue"),
                            (4800, "Promotions"),
                            (4810, "Goodwill"),
                            (4900, "Breakage"),
                            (6000, "Bad debt"),
                            (6010, "Overdraft beyond ceiling"),
                        ]
                    ),
                ),
                ("balance", billing.money.UsdField(db_default=0, default=0)),
                ("accrued", billing.money.UsdField(db_default=0, default=0)),
                ("granted", billing.money.UsdField(null=True)),
                ("expires_at", models.DateTimeField(null=True)),
                ("exhausted", models.BooleanField(db_default=False, default=False)),
                ("held", models.BooleanField(db_default=False, default=False)),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="accounts",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "account",
                "indexes": [
                    models.Index(
                        models.F("wallet"),
                        models.F("expires_at"),
                        models.OrderBy(models.F("code"), descending=True),
                        models.F("id"),
                        condition=models.Q(("code__in", (2000, 2010)), ("exhausted", False)),
                        name="account_burn_down",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("wallet", "id"), name="account_of_wallet"),
                    models.UniqueConstraint(
                        condition=models.Q(("code__in", (2000, 2010)), _negated=True),
                        fields=("wallet", "code"),
                        name="account_once_per_wallet",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "code__in",
                                [
                                    1000,
                                    1100,
                                    1110,
                                    1120,
                                    1200,
                                    2000,
                                    2010,
                                    2090,
                                    2100,
                                    2200,
                                    2300,
                                    2900,
                                    4000,
                                    4100,
                                    4200,
                                    4210,
                                    4220,
                                    4300,
                                    4800,
                                    4810,
                                    4900,
                                    6000,
                                    6010,
                                ],
                            )
                        ),
                        name="account_code_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("accrued", 0),
                                ("balance", 0),
                                (
                                    "code__in",
                                    (
                                        1000,
                                        2090,
                                        2900,
                                        4000,
                                        4100,
                                        4200,
                                        4210,
                                        4220,
                                        4300,
                                        4800,
                                        4810,
                                        4900,
                                        6000,
                                        6010,
                                    ),
                                ),
                                ("wallet", 0),
                            ),
                            models.Q(
                                ("wallet__gt", 0),
                                models.Q(
                                    (
                                        "code__in",
                                        (
                                            1000,
                                            2090,
                                            2900,
                                            4000,
                                            4100,
                                            4200,
                                            4210,
                                            4220,
                                            4300,
                                            4800,
                                            4810,
                                            4900,
                                            6000,
                                            6010,
                                        ),
                                    ),
                                    _negated=True,
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="account_house_or_organization",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("balance__gte", Decimal("-1E+13")),
                            ("balance__lt", Decimal("1E+13")),
                            ("accrued__gte", 0),
                            ("accrued__lt", Decimal("1E+13")),
                        ),
                        name="account_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("code__in", (2000, 2010)), _negated=True),
                            models.Q(
                                ("granted__gt", 0),
                                ("granted__lt", Decimal("1E+13")),
                                ("expires_at__isnull", False),
                                ("granted__isnull", False),
                                ("accrued__lte", models.F("balance")),
                                ("balance__lte", models.F("granted")),
                                models.Q(("exhausted", False), ("balance", models.F("accrued")), _connector="OR"),
                            ),
                            _connector="OR",
                        ),
                        name="account_grant_within_granted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("code__in", (2000, 2010)),
                            models.Q(
                                ("exhausted", False),
                                ("expires_at__isnull", True),
                                ("granted__isnull", True),
                                ("held", False),
                            ),
                            _connector="OR",
                        ),
                        name="account_only_grants_expire",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("code__in", [1100, 1110, 1120, 1200]), _negated=True),
                            ("balance__lte", 0),
                            _connector="OR",
                        ),
                        name="account_debt_not_positive",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("code__in", [2100, 2200, 2300]), _negated=True),
                            ("balance__gte", 0),
                            _connector="OR",
                        ),
                        name="account_liability_not_negative",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Coverage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("model_id", models.SmallIntegerField()),
                (
                    "payer",
                    models.SmallIntegerField(
                        choices=[(1, "Free"), (2, "Credits"), (3, "Subscription"), (4, "Contract"), (5, "Marketplace")]
                    ),
                ),
                ("source_id", models.BigIntegerField(null=True)),
                ("valid_from", models.DateTimeField()),
                ("valid_to", models.DateTimeField()),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="coverage",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "coverage",
                "indexes": [
                    models.Index(
                        fields=["wallet", "valid_to"],
                        include=("model_id", "valid_from", "payer", "source_id"),
                        name="coverage_by_end",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("payer__in", [1, 2, 3, 4, 5])), name="coverage_payer_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("valid_to__gt", models.F("valid_from"))), name="coverage_span_not_empty"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="GatewayToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hash", models.BinaryField(max_length=32, unique=True)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "gateway",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="tokens", to="billing.gateway"
                    ),
                ),
            ],
            options={
                "db_table": "gateway_token",
            },
        ),
        migrations.CreateModel(
            name="Intent",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("credits", "Buying credits"),
                            ("recharge", "Auto-recharge"),
                            ("settlement", "Period end"),
                        ],
                        max_length=12,
                    ),
                ),
                ("amount_cents", models.BigIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("created", "Created"),
                            ("unknown", "Outcome unknown"),
                            ("waiting", "Waiting for the customer"),
                            ("processing", "Confirming"),
                            ("failed", "Not paid"),
                            ("canceled", "Canceled"),
                            ("succeeded", "Paid"),
                        ],
                        default="created",
                        max_length=10,
                    ),
                ),
                ("attempt", models.PositiveSmallIntegerField(default=1)),
                ("key", models.CharField(max_length=120, unique=True)),
                ("created_at", models.DateTimeField()),
                ("deadline", models.DateTimeField(null=True)),
                ("called_at", models.DateTimeField(null=True)),
                ("checked_at", models.DateTimeField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
                ("checkout_id", models.CharField(max_length=128, null=True, unique=True)),
                ("checkout_url", models.TextField(blank=True, default="")),
                (
                    "provider_id",
                    models.CharField(max_length=64, null=True, unique=True, verbose_name="payment intent at Stripe"),
                ),
                ("charge_id", models.CharField(max_length=64, null=True, unique=True)),
                ("charged_at", models.DateTimeField(null=True)),
                ("card_brand", models.CharField(blank=True, default="", max_length=24)),
                ("card_last4", models.CharField(blank=True, default="", max_length=4)),
                ("failure_code", models.CharField(blank=True, default="", max_length=64)),
                ("failure_message", models.TextField(blank=True, default="")),
                (
                    "created_by",
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
                        related_name="intents",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "payment_intent",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ("created", "unknown", "waiting", "processing"))),
                        fields=["created_at"],
                        name="payment_intent_open",
                    ),
                    models.Index(fields=["wallet", "-created_at"], name="payment_intent_of_wallet"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount_cents__gt", 0), ("amount_cents__lte", 100000000)),
                        name="payment_intent_amount_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("purpose__in", ["credits", "recharge", "settlement"])),
                        name="payment_intent_purpose_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                ["created", "unknown", "waiting", "processing", "failed", "canceled", "succeeded"],
                            )
                        ),
                        name="payment_intent_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "succeeded"), _negated=True),
                            models.Q(("charged_at__isnull", False), ("provider_id__isnull", False)),
                            _connector="OR",
                        ),
                        name="payment_intent_paid_has_charge",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("purpose__in", ["recharge", "settlement"]),
                            ("state__in", ("created", "unknown", "waiting", "processing")),
                        ),
                        fields=("wallet",),
                        name="payment_intent_one_off_session",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PaymentMethod",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("stripe_id", models.CharField(max_length=64, unique=True)),
                ("brand", models.CharField(max_length=24)),
                ("last4", models.CharField(max_length=4)),
                ("exp_month", models.PositiveSmallIntegerField()),
                ("exp_year", models.PositiveSmallIntegerField()),
                ("is_default", models.BooleanField(db_default=False, default=False)),
                ("created_at", models.DateTimeField()),
                ("detached_at", models.DateTimeField(null=True)),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payment_methods",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "payment_method",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("detached_at__isnull", True), ("is_default", True)),
                        fields=("wallet",),
                        name="payment_method_one_default",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Plan",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slug", models.SlugField(max_length=40, unique=True)),
                ("name", models.CharField(max_length=60)),
                ("price_usd", billing.money.UsdField(verbose_name="USD a month")),
                ("daily_tokens", models.PositiveBigIntegerField(verbose_name="tokens per UTC day")),
                ("rank", models.PositiveSmallIntegerField(unique=True)),
                ("covers", models.ManyToManyField(related_name="plans", to="billing.aimodel")),
            ],
            options={
                "db_table": "plan",
                "ordering": ("rank",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("price_usd__gt", 0), ("price_usd__lt", Decimal("1E+13"))),
                        name="plan_price_bounded",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Price",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from", models.DateTimeField()),
                ("input_usd", billing.money.UsdField(verbose_name="USD per input token")),
                ("cached_usd", billing.money.UsdField(verbose_name="USD per cached input token")),
                ("output_usd", billing.money.UsdField(verbose_name="USD per output token")),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="prices", to="billing.aimodel"
                    ),
                ),
            ],
            options={
                "db_table": "price",
                "ordering": ("model", "valid_from"),
                "constraints": [
                    models.UniqueConstraint(fields=("model", "valid_from"), name="price_version_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("input_usd__gte", 0),
                            ("input_usd__lt", Decimal("1E+13")),
                            ("cached_usd__gte", 0),
                            ("cached_usd__lt", Decimal("1E+13")),
                            ("output_usd__gte", 0),
                            ("output_usd__lt", Decimal("1E+13")),
                        ),
                        name="price_bounded",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RateLimit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tier", models.CharField(help_text="free, payg, or plan:<slug>", max_length=48)),
                ("requests_per_minute", models.PositiveBigIntegerField(blank=True, null=True)),
                ("requests_per_hour", models.PositiveBigIntegerField(blank=True, null=True)),
                ("requests_per_day", models.PositiveBigIntegerField(blank=True, null=True)),
                ("tokens_per_minute", models.PositiveBigIntegerField(blank=True, null=True)),
                ("tokens_per_hour", models.PositiveBigIntegerField(blank=True, null=True)),
                ("tokens_per_day", models.PositiveBigIntegerField(blank=True, null=True)),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="rate_limits", to="billing.aimodel"
                    ),
                ),
            ],
            options={
                "db_table": "rate_limit",
                "ordering": ("model", "tier"),
                "constraints": [
                    models.UniqueConstraint(fields=("model", "tier"), name="rate_limit_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("tier__in", ["free", "payg"]), ("tier__startswith", "plan:"), _connector="OR"
                        ),
                        name="rate_limit_tier_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RefusedUsage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("received_at", models.DateTimeField()),
                ("reason", models.CharField(max_length=32)),
                ("detail", models.TextField()),
                ("event_id", models.CharField(blank=True, default="", max_length=64)),
                ("body", models.JSONField()),
                ("reingested_at", models.DateTimeField(null=True)),
                (
                    "gateway",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="refused", to="billing.gateway"
                    ),
                ),
            ],
            options={
                "verbose_name": "refused usage event",
                "db_table": "usage_refused",
                "indexes": [models.Index(fields=["-received_at"], name="usage_refused_newest")],
            },
        ),
        migrations.CreateModel(
            name="Transfer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("period", models.DateField()),
                ("seq", models.BigIntegerField()),
                ("amount", billing.money.UsdField()),
                ("reason", models.CharField(max_length=24)),
                ("key", models.CharField(max_length=120, unique=True)),
                ("cause_kind", models.CharField(max_length=24)),
                ("cause_id", models.CharField(max_length=64)),
                ("effective_at", models.DateTimeField()),
                ("posted_at", models.DateTimeField()),
                ("hour", models.DateTimeField(null=True)),
                ("note_digest", models.BinaryField(max_length=32, null=True)),
                ("hash", models.BinaryField(max_length=32)),
                (
                    "credit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="credits", to="billing.account"
                    ),
                ),
                (
                    "debit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="debits", to="billing.account"
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="billing.aimodel"
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="transfers",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "transfer",
                "ordering": ("-id",),
                "indexes": [
                    models.Index(fields=["wallet", "-effective_at", "-id"], name="transfer_newest"),
                    models.Index(fields=["debit"], name="transfer_debit"),
                    models.Index(fields=["credit"], name="transfer_credit"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("wallet", "period", "seq"), name="transfer_numbered_once"),
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0), ("amount__lt", Decimal("1E+13"))),
                        name="transfer_amount_positive",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("debit", models.F("credit")), _negated=True),
                        name="transfer_between_two_accounts",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("period__day", 1)), name="transfer_period_first_of_month"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("reason__contains", "|"),
                            ("key__contains", "|"),
                            ("cause_kind__contains", "|"),
                            ("cause_id__contains", "|"),
                            _connector="OR",
                            _negated=True,
                        ),
                        name="transfer_no_separator",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageReversal",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("event_id", models.UUIDField(unique=True)),
                ("reason", models.CharField(max_length=200)),
                ("cost", billing.money.UsdField()),
                ("reversed_at", models.DateTimeField()),
                (
                    "gateway",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="reversals", to="billing.gateway"
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="usage_reversals",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "usage_reversal",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("cost__gte", 0), ("cost__lt", Decimal("1E+13"))),
                        name="usage_reversal_cost_bounded",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CreditGrant",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="grant",
                        serialize=False,
                        to="billing.account",
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("purchase", "Purchase"),
                            ("recharge", "Auto-recharge"),
                            ("promotion", "Promotional"),
                            ("settlement_rest", "Rest of a settlement payment"),
                            ("correction", "Correction"),
                            ("dispute", "Returned after a dispute"),
                            ("moved", "Moved"),
                        ],
                        max_length=16,
                    ),
                ),
                ("title", models.CharField(max_length=80)),
                ("payment_id", models.UUIDField(null=True, unique=True, verbose_name="payment intent")),
                ("key", models.CharField(max_length=120, unique=True)),
                ("reason", models.TextField(blank=True, db_default="", default="")),
                ("issued_at", models.DateTimeField()),
                (
                    "issued_by",
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
                        related_name="grants",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "credit_grant",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "source__in",
                                [
                                    "purchase",
                                    "recharge",
                                    "promotion",
                                    "settlement_rest",
                                    "correction",
                                    "dispute",
                                    "moved",
                                ],
                            )
                        ),
                        name="credit_grant_source_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("payment_id__isnull", False),
                            models.Q(("source__in", ["purchase", "recharge", "settlement_rest"]), _negated=True),
                            _connector="OR",
                        ),
                        name="credit_grant_bought_has_payment",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Accrual",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hour", models.DateTimeField()),
                ("amount", billing.money.UsdField()),
                ("closes_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="accruals", to="billing.account"
                    ),
                ),
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
                        related_name="accruals",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "accrual",
                "indexes": [models.Index(fields=["closes_at"], name="accrual_closes")],
                "constraints": [
                    models.UniqueConstraint(fields=("wallet", "account", "model", "hour"), name="accrual_line_once"),
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0), ("amount__lt", Decimal("1E+13"))),
                        name="accrual_amount_positive",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Customer",
            fields=[
                (
                    "wallet",
                    models.OneToOneField(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="customer",
                        serialize=False,
                        to="billing.wallet",
                    ),
                ),
                ("stripe_id", models.CharField(max_length=64, unique=True)),
            ],
            options={
                "db_table": "stripe_customer",
            },
        ),
        migrations.CreateModel(
            name="PayerBase",
            fields=[
                (
                    "wallet",
                    models.OneToOneField(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="payer_base",
                        serialize=False,
                        to="billing.wallet",
                    ),
                ),
                (
                    "payer",
                    models.SmallIntegerField(
                        choices=[(1, "Free"), (2, "Credits"), (3, "Subscription"), (4, "Contract"), (5, "Marketplace")]
                    ),
                ),
                ("since", models.DateTimeField()),
                ("covered", models.BooleanField(db_default=False, default=False)),
            ],
            options={
                "db_table": "payer_base",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("payer__in", [1, 2, 5])), name="payer_base_known")
                ],
            },
        ),
        migrations.CreateModel(
            name="LedgerPeriod",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "wallet_id", "period", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="periods",
                        to="billing.wallet",
                    ),
                ),
                ("period", models.DateField()),
                ("seq", models.BigIntegerField(db_default=0, default=0)),
                (
                    "head",
                    models.BinaryField(
                        default=b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
                        max_length=32,
                    ),
                ),
                ("closed_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "ledger_period",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("period__day", 1)), name="ledger_period_first_of_month"),
                    models.CheckConstraint(condition=models.Q(("seq__gte", 0)), name="ledger_period_seq_not_negative"),
                ],
            },
        ),
        migrations.CreateModel(
            name="TransferNote",
            fields=[
                (
                    "transfer",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="note",
                        serialize=False,
                        to="billing.transfer",
                    ),
                ),
                ("salt", models.BinaryField(max_length=16)),
                ("text", models.TextField()),
            ],
            options={
                "db_table": "transfer_note",
            },
        ),
    ]
