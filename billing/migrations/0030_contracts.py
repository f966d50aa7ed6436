"""Reserved capacity: contracts, their months, and what is due for them."""

import uuid
from decimal import Decimal

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import billing.money


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0029_subscription_guards"),
        ("orgs", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="Contract",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("offered", "Offered"),
                            ("accepted", "Accepted"),
                            ("active", "Active"),
                            ("past_due", "Past due"),
                            ("ended", "Ended"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        default="draft",
                        max_length=10,
                    ),
                ),
                ("tokens", models.BigIntegerField(verbose_name="tokens a month")),
                ("price_usd", billing.money.UsdField(verbose_name="USD per token")),
                ("overage_usd", billing.money.UsdField(verbose_name="USD per token beyond")),
                ("amount_cents", models.BigIntegerField(verbose_name="cents a month")),
                ("overage_limit_cents", models.BigIntegerField(verbose_name="cents of overage a month")),
                ("starts_on", models.DateField()),
                ("ends_on", models.DateField()),
                ("drafted_at", models.DateTimeField()),
                ("offered_at", models.DateTimeField(null=True)),
                ("accepted_at", models.DateTimeField(null=True)),
                ("active_from", models.DateTimeField(null=True)),
                ("over_at", models.DateTimeField(null=True, verbose_name="ended or withdrawn at")),
                (
                    "ended_as",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("term", "At the end of its term"),
                            ("retired", "Its last model was retired"),
                            ("unpaid", "It was not paid"),
                        ],
                        default="",
                        max_length=8,
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="contracts",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "contract",
                "indexes": [
                    models.Index(fields=["wallet"], name="contract_of_wallet"),
                    models.Index(
                        condition=models.Q(("state__in", ("accepted", "active", "past_due"))),
                        fields=["starts_on"],
                        name="contract_live",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("wallet", "id"), name="contract_of_organization"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["draft", "offered", "accepted", "active", "past_due", "ended", "withdrawn"])
                        ),
                        name="contract_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("tokens__gte", 10000000), ("tokens__lte", 1000000000000000)),
                        name="contract_tokens_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("price_usd__gt", 0),
                            ("price_usd__lt", Decimal("1E+13")),
                            ("overage_usd__gt", 0),
                            ("overage_usd__lt", Decimal("1E+13")),
                        ),
                        name="contract_prices_positive",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("amount_cents__gte", 500),
                            ("amount_cents__lte", 100000000),
                            ("overage_limit_cents__gte", 0),
                            ("overage_limit_cents__lte", 100000000),
                        ),
                        name="contract_amounts_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ends_on__day", 1), ("starts_on__day", 1)),
                        name="contract_from_first_of_month",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ("active", "past_due")), _negated=True),
                            ("active_from__isnull", False),
                            _connector="OR",
                        ),
                        name="contract_active_since",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("over_at__isnull", False), ("state__in", ["ended", "withdrawn"])),
                            models.Q(
                                models.Q(("state__in", ["ended", "withdrawn"]), _negated=True),
                                ("over_at__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="contract_over_has_moment",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_as__in", ["term", "retired", "unpaid"]), ("state", "ended")),
                            models.Q(models.Q(("state", "ended"), _negated=True), ("ended_as", "")),
                            _connector="OR",
                        ),
                        name="contract_ended_has_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ContractAct",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "act",
                    models.CharField(
                        choices=[
                            ("drafted", "Drafted"),
                            ("offered", "Offered"),
                            ("withdrawn", "Withdrawn"),
                            ("limit_set", "Overage limit set"),
                            ("put_off", "Start put off by a month"),
                            ("end_proposed", "End for non-payment proposed"),
                            ("end_approved", "End for non-payment approved"),
                        ],
                        max_length=12,
                    ),
                ),
                ("at", models.DateTimeField()),
                ("reason", models.TextField(blank=True, default="")),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "contract",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="acts", to="billing.contract"
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
                "db_table": "contract_act",
                "indexes": [models.Index(fields=["contract", "id"], name="contract_act_in_order")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "act__in",
                                [
                                    "drafted",
                                    "offered",
                                    "withdrawn",
                                    "limit_set",
                                    "put_off",
                                    "end_proposed",
                                    "end_approved",
                                ],
                            )
                        ),
                        name="contract_act_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("act__in", ["end_proposed", "end_approved"]), _negated=True),
                            models.Q(("by__isnull", False), models.Q(("reason", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="contract_act_of_staff_has_reason",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("act__in", ["end_proposed", "end_approved"])),
                        fields=("contract", "by"),
                        name="contract_end_by_two_people",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ContractMonth",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("period", models.DateField()),
                ("tokens", models.BigIntegerField(verbose_name="tokens committed")),
                ("amount_cents", models.BigIntegerField()),
                ("total", models.BigIntegerField(default=0, verbose_name="tokens used")),
                ("posted", models.BigIntegerField(default=0, verbose_name="tokens posted")),
                ("returned", billing.money.UsdField(default=0)),
                ("begun_at", models.DateTimeField(null=True)),
                ("closed_at", models.DateTimeField(null=True)),
                ("lapsed_at", models.DateTimeField(null=True)),
                (
                    "contract",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="months", to="billing.contract"
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="contract_months",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "contract_month",
                "indexes": [
                    models.Index(
                        condition=models.Q(("closed_at__isnull", True), ("lapsed_at__isnull", True)),
                        fields=["period", "wallet"],
                        name="contract_month_open",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("contract", "period"), name="contract_month_once"),
                    models.UniqueConstraint(fields=("wallet", "id"), name="contract_month_of_organization"),
                    models.CheckConstraint(
                        condition=models.Q(("period__day", 1)), name="contract_month_first_of_month"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("tokens__gte", 0),
                            ("tokens__lte", 1000000000000000),
                            ("amount_cents__gte", 0),
                            ("amount_cents__lte", 100000000),
                            ("posted__gte", 0),
                            ("total__gte", 0),
                            ("returned__gte", 0),
                            ("returned__lt", Decimal("1E+13")),
                        ),
                        name="contract_month_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("closed_at__isnull", True), ("begun_at__isnull", False), _connector="OR"),
                        name="contract_month_begun_first",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ContractDue",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "what",
                    models.CharField(choices=[("commitment", "Commitment"), ("overage", "Overage")], max_length=10),
                ),
                ("number", models.PositiveSmallIntegerField(default=1)),
                ("amount_cents", models.BigIntegerField()),
                ("due_at", models.DateTimeField()),
                ("closes_at", models.DateTimeField()),
                (
                    "stage",
                    models.CharField(
                        choices=[
                            ("due", "To be charged"),
                            ("charging", "Being charged"),
                            ("no_card", "Waits for a card"),
                            ("unpaid", "Not paid"),
                            ("paid", "Paid"),
                            ("over", "Nothing to collect"),
                            ("lapsed", "Not made: the contract starts later"),
                        ],
                        default="due",
                        max_length=8,
                    ),
                ),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("first_failed_at", models.DateTimeField(null=True)),
                ("next_try_at", models.DateTimeField(null=True)),
                ("paid_at", models.DateTimeField(null=True)),
                (
                    "contract",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="dues", to="billing.contract"
                    ),
                ),
                (
                    "intent",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="contract_dues",
                        to="billing.intent",
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="contract_dues",
                        to="billing.wallet",
                    ),
                ),
                (
                    "month",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="dues", to="billing.contractmonth"
                    ),
                ),
            ],
            options={
                "db_table": "contract_due",
                "indexes": [
                    models.Index(
                        condition=models.Q(("stage", "due")), fields=["next_try_at"], name="contract_due_next"
                    ),
                    models.Index(
                        condition=models.Q(("stage__in", ("due", "charging", "no_card", "unpaid"))),
                        fields=["wallet"],
                        name="contract_due_open",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("month", "what", "number"), name="contract_due_once"),
                    models.CheckConstraint(
                        condition=models.Q(("what__in", ["commitment", "overage"])), name="contract_due_what_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("stage__in", ["due", "charging", "no_card", "unpaid", "paid", "over", "lapsed"])
                        ),
                        name="contract_due_stage_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount_cents__gt", 0), ("amount_cents__lte", 100000000)),
                        name="contract_due_amount_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("stage", "due"), _negated=True), ("next_try_at__isnull", False), _connector="OR"
                        ),
                        name="contract_due_has_moment",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("stage", "charging"), _negated=True), ("intent__isnull", False), _connector="OR"
                        ),
                        name="contract_due_charging_has_payment",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ContractLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hour", models.DateTimeField()),
                ("tokens", models.BigIntegerField()),
                ("closes_at", models.DateTimeField()),
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
                        related_name="contract_lines",
                        to="billing.wallet",
                    ),
                ),
                (
                    "month",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="lines", to="billing.contractmonth"
                    ),
                ),
            ],
            options={
                "db_table": "contract_line",
                "indexes": [models.Index(fields=["closes_at"], name="contract_line_closes")],
                "constraints": [models.UniqueConstraint(fields=("month", "model", "hour"), name="contract_line_once")],
            },
        ),
        migrations.CreateModel(
            name="ContractModel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("since", models.DateField()),
                ("until", models.DateField()),
                ("live", models.BooleanField(default=False)),
                ("requests_per_minute", models.IntegerField(null=True)),
                ("requests_per_hour", models.IntegerField(null=True)),
                ("tokens_per_minute", models.BigIntegerField(null=True)),
                ("tokens_per_hour", models.BigIntegerField(null=True)),
                (
                    "contract",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="covers", to="billing.contract"
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
                        related_name="+",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "contract_model",
                "constraints": [
                    models.UniqueConstraint(fields=("contract", "model"), name="contract_model_once"),
                    models.CheckConstraint(
                        condition=models.Q(("since__day", 1), ("until__gt", models.F("since"))),
                        name="contract_model_span_not_empty",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("requests_per_minute__isnull", True), ("requests_per_minute__gt", 0), _connector="OR"
                            ),
                            models.Q(
                                ("requests_per_hour__isnull", True), ("requests_per_hour__gt", 0), _connector="OR"
                            ),
                            models.Q(
                                ("tokens_per_minute__isnull", True), ("tokens_per_minute__gt", 0), _connector="OR"
                            ),
                            models.Q(("tokens_per_hour__isnull", True), ("tokens_per_hour__gt", 0), _connector="OR"),
                        ),
                        name="contract_model_limits_positive",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Acceptance",
            fields=[
                (
                    "contract",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="acceptance",
                        serialize=False,
                        to="billing.contract",
                    ),
                ),
                ("name", models.CharField(max_length=120, verbose_name="typed name")),
                ("at", models.DateTimeField()),
                ("wording", models.CharField(max_length=8)),
                ("text", models.TextField()),
                ("digest", models.BinaryField(max_length=32)),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
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
                "db_table": "contract_acceptance",
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
            model_name="intent",
            name="payment_intent_off_session_has_card",
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
                    ("contract", "Reserved capacity"),
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
                    ("contract_offered", "Contract to accept"),
                    ("contract_started", "Contract started"),
                    ("contract_failed", "Contract charge failed"),
                    ("contract_limit", "Contract overage limit reached"),
                    ("contract_ending", "Contract ends"),
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
                condition=models.Q(("purpose__in", ["credits", "recharge", "settlement", "contract", "subscription"])),
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
            model_name="intent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("purpose__in", ("recharge", "settlement", "contract")), _negated=True),
                    ("method__isnull", False),
                    _connector="OR",
                ),
                name="payment_intent_off_session_has_card",
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
                            "contract_offered",
                            "contract_started",
                            "contract_failed",
                            "contract_limit",
                            "contract_ending",
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
