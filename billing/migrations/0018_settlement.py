from decimal import Decimal

import django.db.models.deletion
from django.db import migrations, models

import billing.money


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0017_recharge_low_since"),
    ]

    operations = [
        migrations.CreateModel(
            name="Settlement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("period", models.DateField()),
                ("closed_at", models.DateTimeField()),
                ("overdraft_at_end", billing.money.UsdField()),
                ("overdraft_at_closing", billing.money.UsdField()),
                ("ceiling", billing.money.UsdField()),
                (
                    "decided",
                    models.CharField(
                        choices=[
                            ("nothing", "Nothing was owed"),
                            ("charge", "To be charged"),
                            ("small", "Less than can be charged: carried"),
                            ("small_old", "Less than can be charged, for six months: written off"),
                            ("never_bought", "Credit was never bought: written off"),
                            ("in_flight", "A payment was under way: carried"),
                            ("recharging", "Auto-recharge pays it: carried"),
                            ("disputed", "A payment is disputed: carried"),
                            ("earlier", "The charge of an earlier month is not paid: carried"),
                            ("no_card", "No card to charge: carried"),
                        ],
                        max_length=12,
                    ),
                ),
                ("charge_cents", models.BigIntegerField(default=0)),
                ("written_off", billing.money.UsdField(default=0)),
                (
                    "written_off_as",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("excess", "Beyond the ceiling"),
                            ("small", "Too small to charge, for six months"),
                            ("never_bought", "Credit was never bought"),
                        ],
                        default="",
                        max_length=12,
                    ),
                ),
                ("carried", billing.money.UsdField(default=0)),
                (
                    "stage",
                    models.CharField(
                        choices=[
                            ("due", "To be charged"),
                            ("charging", "Being charged"),
                            ("no_card", "Waits for the customer"),
                            ("unpaid", "Not paid"),
                            ("paid", "Paid"),
                            ("over", "Nothing to collect"),
                            ("replaced", "Collected with a later month"),
                        ],
                        max_length=8,
                    ),
                ),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("first_failed_at", models.DateTimeField(null=True)),
                ("next_try_at", models.DateTimeField(null=True)),
                (
                    "intent",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="settlements",
                        to="billing.intent",
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        db_column="org_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="settlements",
                        to="billing.wallet",
                    ),
                ),
            ],
            options={
                "db_table": "settlement",
                "indexes": [
                    models.Index(condition=models.Q(("stage", "due")), fields=["next_try_at"], name="settlement_due"),
                    models.Index(fields=["-period", "-id"], name="settlement_newest"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("wallet", "period"), name="settlement_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("stage__in", ("due", "charging", "no_card", "unpaid"))),
                        fields=("wallet",),
                        name="settlement_one_collected",
                    ),
                    models.CheckConstraint(condition=models.Q(("period__day", 1)), name="settlement_first_of_month"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "decided__in",
                                [
                                    "nothing",
                                    "charge",
                                    "small",
                                    "small_old",
                                    "never_bought",
                                    "in_flight",
                                    "recharging",
                                    "disputed",
                                    "earlier",
                                    "no_card",
                                ],
                            )
                        ),
                        name="settlement_decided_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("stage__in", ["due", "charging", "no_card", "unpaid", "paid", "over", "replaced"])
                        ),
                        name="settlement_stage_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("overdraft_at_end__gte", 0),
                            ("overdraft_at_end__lt", Decimal("1E+13")),
                            ("overdraft_at_closing__gte", 0),
                            ("overdraft_at_closing__lt", Decimal("1E+13")),
                            ("ceiling__gte", 0),
                            ("ceiling__lt", Decimal("1E+13")),
                            ("written_off__gte", 0),
                            ("written_off__lt", Decimal("1E+13")),
                            ("carried__gte", 0),
                            ("carried__lt", Decimal("1E+13")),
                            ("charge_cents__gte", 0),
                            ("charge_cents__lte", 100000000),
                        ),
                        name="settlement_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("charge_cents__gt", 0), ("decided", "charge")),
                            models.Q(models.Q(("decided", "charge"), _negated=True), ("charge_cents", 0)),
                            _connector="OR",
                        ),
                        name="settlement_charges_as_decided",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("written_off", 0), ("written_off_as", "")),
                            models.Q(
                                ("written_off__gt", 0), ("written_off_as__in", ["excess", "small", "never_bought"])
                            ),
                            _connector="OR",
                        ),
                        name="settlement_written_off_as",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("stage", "due"), _negated=True), ("next_try_at__isnull", False), _connector="OR"
                        ),
                        name="settlement_due_has_moment",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("stage", "charging"), _negated=True), ("intent__isnull", False), _connector="OR"
                        ),
                        name="settlement_charging_has_payment",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="ledgerperiod",
            index=models.Index(
                condition=models.Q(("closed_at__isnull", True)), fields=["period", "wallet"], name="ledger_period_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgerperiod",
            constraint=models.UniqueConstraint(
                fields=("wallet", "period", "closed_at"), name="ledger_period_closed_when"
            ),
        ),
    ]
