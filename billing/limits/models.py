"""The tables of what a key may do."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from billing.metering.models import Gateway
from orgs.models import ApiKey


class LimitsClock(models.Model):
    """One row. Taken as the last statement before a commit, so that versions are numbered in the order of commits."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    v = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "limits_clock"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="limits_clock_one_row")]


class LimitsAnswer(models.Model):
    """When an organization's answer last changed. Organization 0: the catalog changed, everything did.

    `open` and `digest` are what was last told: whether there is credit, what a dispute closes, which
    caps and allowances are used up.
    """

    org_id = models.BigIntegerField(primary_key=True)
    open = models.BooleanField(default=False, db_default=False)
    digest = models.CharField(max_length=32, default="", db_default="")
    version = models.BigIntegerField(default=0, db_default=0)
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "limits_answer"
        indexes = [models.Index(fields=["version"], name="limits_answer_version")]


class LimitsResolved(models.Model):
    """A gateway has shown the hash of this key, so it may refresh the answer by the key's public id alone (A4)."""

    pk = models.CompositePrimaryKey("gateway_id", "key_id")
    gateway = models.ForeignKey(Gateway, models.PROTECT, related_name="resolved")
    key = models.ForeignKey(ApiKey, models.PROTECT, related_name="resolved")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "limits_resolved"
