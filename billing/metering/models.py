"""The tables of use coming in. The partitioned ones are made in SQL (`billing/migrations/`) and only described here."""

from django.db import models
from django.db.models import Q

from billing.coverage.models import Payer
from billing.ledger.models import Wallet
from billing.money import UsdField, bounded


class Gateway(models.Model):
    """A machine that serves inference and reports usage. `complete_through`: it has reported everything before (A13)."""

    id = models.SmallAutoField(primary_key=True)
    name = models.CharField(max_length=80, unique=True)
    created_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(null=True, blank=True)
    complete_through = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "gateway"

    def __str__(self) -> str:
        return self.name


class GatewayToken(models.Model):
    """A gateway's bearer token, stored as its SHA-256. Several may be valid at once while one is being rotated."""

    gateway = models.ForeignKey(Gateway, models.PROTECT, related_name="tokens")
    hash = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "gateway_token"


class UsageEvent(models.Model):
    """One request that was served. Tokens only: cost = tokens x price, exactly, so nothing is stored that could differ.

    Partitioned by day on `ts`; unique (ts, id). `ts` is the time inside a version-7 id, else `occurred_at`.
    """

    id = models.UUIDField(primary_key=True)
    ts = models.DateTimeField()
    occurred_at = models.DateTimeField()
    accepted_at = models.DateTimeField()
    org_id = models.BigIntegerField()
    key_id = models.BigIntegerField()
    coverage_id = models.BigIntegerField(null=True)
    price_id = models.IntegerField()
    input_tokens = models.BigIntegerField()
    cached_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    model_id = models.SmallIntegerField()
    gateway_id = models.SmallIntegerField()
    payer = models.SmallIntegerField(choices=Payer)

    class Meta:
        db_table = "usage_event"
        managed = False


class UsageSeen(models.Model):
    """Ids that do not carry their own time, so that one cannot come back under another time (A35)."""

    id = models.UUIDField(primary_key=True)
    ts = models.DateTimeField()

    class Meta:
        db_table = "usage_seen"
        managed = False


class UsageDelta(models.Model):
    """What was accepted and is not yet charged: tokens by minute, emptied by the sweep. No index, no key."""

    org_id = models.BigIntegerField(primary_key=True)
    key_id = models.BigIntegerField()
    coverage_id = models.BigIntegerField(null=True)
    minute = models.DateTimeField()
    price_id = models.IntegerField()
    model_id = models.SmallIntegerField()
    payer = models.SmallIntegerField(choices=Payer)
    events = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    cached_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    late_tokens = models.BigIntegerField()

    class Meta:
        db_table = "usage_delta"
        managed = False


class UsageMinute(models.Model):
    """Usage of an organization by the minute it occurred in and model, kept 35 days."""

    pk = models.CompositePrimaryKey("org_id", "minute", "model_id")
    org_id = models.BigIntegerField()
    minute = models.DateTimeField()
    model_id = models.SmallIntegerField()
    events = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    cached_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    cost = UsdField()

    class Meta:
        db_table = "usage_minute"


class UsageHour(models.Model):
    """Usage by the hour it occurred in, key, model, payer and price; `period` is the month it was posted to."""

    pk = models.CompositePrimaryKey("org_id", "hour", "key_id", "model_id", "payer", "price_id", "period")
    org_id = models.BigIntegerField()
    hour = models.DateTimeField()
    key_id = models.BigIntegerField()
    model_id = models.SmallIntegerField()
    payer = models.SmallIntegerField(choices=Payer)
    price_id = models.IntegerField()
    period = models.DateField()
    events = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    cached_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    late_tokens = models.BigIntegerField()
    cost = UsdField()

    class Meta:
        db_table = "usage_hour"


class AllowanceDay(models.Model):
    """Tokens used under a coverage on one UTC day, against a plan's daily allowance."""

    pk = models.CompositePrimaryKey("org_id", "day", "coverage_id")
    org_id = models.BigIntegerField()
    day = models.DateField()
    coverage_id = models.BigIntegerField()
    tokens = models.BigIntegerField()

    class Meta:
        db_table = "allowance_day"


class KeySpend(models.Model):
    """What a key spent of credits in a UTC month of occurrence, against its cap (A25)."""

    pk = models.CompositePrimaryKey("key_id", "month")
    key_id = models.BigIntegerField()
    month = models.DateField()
    spent = UsdField()

    class Meta:
        db_table = "key_spend"


class RefusedUsage(models.Model):
    """An event that was not charged, kept whole for staff, without any raw key it carried."""

    received_at = models.DateTimeField()
    gateway = models.ForeignKey(Gateway, models.PROTECT, related_name="refused")
    reason = models.CharField(max_length=32)
    detail = models.TextField()
    event_id = models.CharField(max_length=64, blank=True, default="")
    body = models.JSONField()
    reingested_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "usage_refused"
        verbose_name = "refused usage event"
        indexes = [models.Index(fields=["-received_at"], name="usage_refused_newest")]


class UsageReversal(models.Model):
    """One event taken back whole, once, at its original price and payer (A33)."""

    id = models.UUIDField(primary_key=True)
    event_id = models.UUIDField(unique=True)
    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="usage_reversals")
    gateway = models.ForeignKey(Gateway, models.PROTECT, related_name="reversals")
    reason = models.CharField(max_length=200)
    cost = UsdField()
    reversed_at = models.DateTimeField()

    class Meta:
        db_table = "usage_reversal"
        constraints = [
            models.CheckConstraint(condition=bounded("cost", at_least=0), name="usage_reversal_cost_bounded")
        ]


class SweepRun(models.Model):
    """One run of the sweep: how many delta rows it charged and through when everything reported is charged."""

    at = models.DateTimeField()
    complete_through = models.DateTimeField(null=True)
    rows = models.IntegerField()
    milliseconds = models.IntegerField()

    class Meta:
        db_table = "sweep_run"
        constraints = [models.CheckConstraint(condition=Q(rows__gte=0), name="sweep_run_rows_not_negative")]
        indexes = [models.Index(fields=["-at"], name="sweep_run_newest")]
