import django.db.models.functions.datetime
from django.db import migrations, models

import billing.money


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="UsageDelta",
            fields=[
                ("org_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("key_id", models.BigIntegerField()),
                ("coverage_id", models.BigIntegerField(null=True)),
                ("minute", models.DateTimeField()),
                ("price_id", models.IntegerField()),
                ("model_id", models.SmallIntegerField()),
                (
                    "payer",
                    models.SmallIntegerField(
                        choices=[(1, "Free"), (2, "Credits"), (3, "Subscription"), (4, "Contract"), (5, "Marketplace")]
                    ),
                ),
                ("events", models.BigIntegerField()),
                ("input_tokens", models.BigIntegerField()),
                ("cached_tokens", models.BigIntegerField()),
                ("output_tokens", models.BigIntegerField()),
                ("late_tokens", models.BigIntegerField()),
            ],
            options={
                "db_table": "usage_delta",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="UsageEvent",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("ts", models.DateTimeField()),
                ("occurred_at", models.DateTimeField()),
                ("accepted_at", models.DateTimeField()),
                ("org_id", models.BigIntegerField()),
                ("key_id", models.BigIntegerField()),
                ("coverage_id", models.BigIntegerField(null=True)),
                ("price_id", models.IntegerField()),
                ("input_tokens", models.BigIntegerField()),
                ("cached_tokens", models.BigIntegerField()),
                ("output_tokens", models.BigIntegerField()),
                ("model_id", models.SmallIntegerField()),
                ("gateway_id", models.SmallIntegerField()),
                (
                    "payer",
                    models.SmallIntegerField(
                        choices=[(1, "Free"), (2, "Credits"), (3, "Subscription"), (4, "Contract"), (5, "Marketplace")]
                    ),
                ),
            ],
            options={
                "db_table": "usage_event",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="UsageSeen",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("ts", models.DateTimeField()),
            ],
            options={
                "db_table": "usage_seen",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="AIModel",
            fields=[
                ("id", models.SmallAutoField(primary_key=True, serialize=False)),
                ("slug", models.SlugField(max_length=64, unique=True)),
                ("name", models.CharField(max_length=80)),
                ("provider", models.CharField(max_length=80)),
                ("deprecated_on", models.DateField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "AI model",
                "db_table": "ai_model",
                "ordering": ("slug",),
            },
        ),
        migrations.CreateModel(
            name="AllowanceDay",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "org_id", "day", "coverage_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("org_id", models.BigIntegerField()),
                ("day", models.DateField()),
                ("coverage_id", models.BigIntegerField()),
                ("tokens", models.BigIntegerField()),
            ],
            options={
                "db_table": "allowance_day",
            },
        ),
        migrations.CreateModel(
            name="Gateway",
            fields=[
                ("id", models.SmallAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=80, unique=True)),
                ("created_at", models.DateTimeField()),
                ("last_seen_at", models.DateTimeField(blank=True, null=True)),
                ("complete_through", models.DateTimeField(blank=True, null=True)),
                ("retired_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "db_table": "gateway",
            },
        ),
        migrations.CreateModel(
            name="InboxEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.CharField(max_length=12)),
                ("provider_event_id", models.CharField(max_length=128)),
                ("type", models.CharField(max_length=80)),
                ("body", models.TextField()),
                ("received_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[("new", "To do"), ("done", "Done"), ("ignored", "Not for us"), ("failed", "Failed")],
                        default="new",
                        max_length=8,
                    ),
                ),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("next_try_at", models.DateTimeField()),
                ("done_at", models.DateTimeField(null=True)),
                ("error", models.TextField(blank=True, default="")),
            ],
            options={
                "verbose_name": "inbound webhook",
                "db_table": "inbox_event",
                "indexes": [
                    models.Index(condition=models.Q(("state", "new")), fields=["next_try_at"], name="inbox_event_to_do")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("provider", "provider_event_id"), name="inbox_event_once"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["new", "done", "ignored", "failed"])),
                        name="inbox_event_state_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="KeySpend",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "key_id", "month", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key_id", models.BigIntegerField()),
                ("month", models.DateField()),
                ("spent", billing.money.UsdField()),
            ],
            options={
                "db_table": "key_spend",
            },
        ),
        migrations.CreateModel(
            name="LimitsAnswer",
            fields=[
                ("org_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("open", models.BooleanField(db_default=False, default=False)),
                ("version", models.BigIntegerField(db_default=0, default=0)),
                ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "db_table": "limits_answer",
                "indexes": [models.Index(fields=["version"], name="limits_answer_version")],
            },
        ),
        migrations.CreateModel(
            name="LimitsClock",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("v", models.BigIntegerField(db_default=0, default=0)),
            ],
            options={
                "db_table": "limits_clock",
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="limits_clock_one_row")],
            },
        ),
        migrations.CreateModel(
            name="SweepRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("complete_through", models.DateTimeField(null=True)),
                ("rows", models.IntegerField()),
                ("milliseconds", models.IntegerField()),
            ],
            options={
                "db_table": "sweep_run",
                "indexes": [models.Index(fields=["-at"], name="sweep_run_newest")],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("rows__gte", 0)), name="sweep_run_rows_not_negative")
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageHour",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "org_id",
                        "hour",
                        "key_id",
                        "model_id",
                        "payer",
                        "price_id",
                        "period",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("org_id", models.BigIntegerField()),
                ("hour", models.DateTimeField()),
                ("key_id", models.BigIntegerField()),
                ("model_id", models.SmallIntegerField()),
                (
                    "payer",
                    models.SmallIntegerField(
                        choices=[(1, "Free"), (2, "Credits"), (3, "Subscription"), (4, "Contract"), (5, "Marketplace")]
                    ),
                ),
                ("price_id", models.IntegerField()),
                ("period", models.DateField()),
                ("events", models.BigIntegerField()),
                ("input_tokens", models.BigIntegerField()),
                ("cached_tokens", models.BigIntegerField()),
                ("output_tokens", models.BigIntegerField()),
                ("late_tokens", models.BigIntegerField()),
                ("cost", billing.money.UsdField()),
            ],
            options={
                "db_table": "usage_hour",
            },
        ),
        migrations.CreateModel(
            name="UsageMinute",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "org_id", "minute", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("org_id", models.BigIntegerField()),
                ("minute", models.DateTimeField()),
                ("events", models.BigIntegerField()),
                ("input_tokens", models.BigIntegerField()),
                ("cached_tokens", models.BigIntegerField()),
                ("output_tokens", models.BigIntegerField()),
                ("cost", billing.money.UsdField()),
            ],
            options={
                "db_table": "usage_minute",
            },
        ),
    ]
