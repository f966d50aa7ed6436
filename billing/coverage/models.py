"""The tables of who pays."""

from django.db import models
from django.db.models import F, Q


class Payer(models.IntegerChoices):
    FREE = 1, "Free"
    CREDITS = 2, "Credits"
    SUBSCRIPTION = 3, "Subscription"
    CONTRACT = 4, "Contract"
    MARKETPLACE = 5, "Marketplace"


ANY_MODEL = 0
"""The model id of a row that tells the past of an organization's base payer."""


class Coverage(models.Model):
    """One payer for one organization and model over one half-open span. Spans of the same model never overlap (EXCLUDE)."""

    wallet = models.ForeignKey("billing.Wallet", models.PROTECT, db_column="org_id", related_name="coverage")
    model_id = models.SmallIntegerField()
    payer = models.SmallIntegerField(choices=Payer)
    source_id = models.BigIntegerField(null=True)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField()

    class Meta:
        db_table = "coverage"
        constraints = [
            models.CheckConstraint(condition=Q(payer__in=Payer.values), name="coverage_payer_known"),
            models.CheckConstraint(condition=Q(valid_to__gt=F("valid_from")), name="coverage_span_not_empty"),
        ]
        indexes = [
            models.Index(
                fields=["wallet", "valid_to"],
                include=["model_id", "valid_from", "payer", "source_id"],
                name="coverage_by_end",
            )
        ]


class PayerBase(models.Model):
    """Who pays where nothing covers, since when. Made with the organization (trigger): Personal free, Team credits."""

    wallet = models.OneToOneField(
        "billing.Wallet", models.PROTECT, primary_key=True, db_column="org_id", related_name="payer_base"
    )
    payer = models.SmallIntegerField(choices=Payer)
    since = models.DateTimeField()
    covered = models.BooleanField(default=False, db_default=False)

    class Meta:
        db_table = "payer_base"
        constraints = [
            models.CheckConstraint(
                condition=Q(payer__in=[Payer.FREE, Payer.CREDITS, Payer.MARKETPLACE]), name="payer_base_known"
            )
        ]
