"""The tables of what was compared with Stripe's own lists, and what did not agree. `reconciling` writes them."""

from django.db import models
from django.db.models import Q

from billing.ledger.models import Wallet
from billing.payments.models import Intent


class Kind(models.TextChoices):
    """In which way Stripe and the books do not agree. `docs/operations.md` says what staff does about each."""

    UNKNOWN_HERE = "unknown_here", "Marked as ours, and unknown here"
    UNKNOWN_THERE = "unknown_there", "In our books, and unknown to Stripe"
    AMOUNT = "amount", "Another amount"
    CURRENCY = "currency", "Another currency"
    ORGANIZATION = "organization", "Another organization's customer"
    PAYMENT = "payment", "Of another payment"
    STATE = "state", "Another state"
    LEDGER = "ledger", "Another sum in the ledger"
    MOVEMENTS = "movements", "Other movements of a dispute"
    NO_CAUSE = "no_cause", "Moved at Stripe for nothing Stripe can know"
    NOT_APPLIED = "not_applied", "Could not be applied"


class Thing(models.TextChoices):
    """What a finding is about; its name is Stripe's id, of a transfer our key."""

    CHARGE = "charge", "Charge"
    REFUND = "refund", "Refund"
    DISPUTE = "dispute", "Dispute"
    TRANSFER = "transfer", "Transfer"


class Reconciliation(models.Model):
    """One comparison of Stripe's lists with the books, both ways, of what happened from `since` (null: ever) to `through`.

    Unfinished while it runs, or because its process died. With an `error` it saw only a part, and its findings are a part.
    `by_hand`: somebody chose `since`; the nightly run goes on from the last one that nobody chose.
    """

    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    since = models.DateTimeField(null=True)
    through = models.DateTimeField()
    by_hand = models.BooleanField(default=False, db_default=False)
    charges = models.PositiveIntegerField("charges seen", default=0)
    refunds = models.PositiveIntegerField("refunds seen", default=0)
    disputes = models.PositiveIntegerField("disputes seen", default=0)
    healed = models.PositiveIntegerField(default=0)
    not_ours = models.PositiveIntegerField(default=0)
    found = models.PositiveIntegerField("findings", default=0)
    there_cents = models.BigIntegerField("cents moved at Stripe", default=0)
    here_cents = models.BigIntegerField("cents moved in the ledger", default=0)
    error = models.TextField(blank=True, default="")

    class Meta:
        db_table = "reconciliation"
        ordering = ("-started_at", "-id")
        indexes = [models.Index(fields=["-started_at"], name="reconciliation_newest")]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}"


class ReconciliationFinding(models.Model):
    """One thing that did not agree and that its run could not settle. `first_seen_at`: when a run said so first."""

    run = models.ForeignKey(Reconciliation, models.PROTECT, related_name="findings")
    kind = models.CharField(max_length=16, choices=Kind)
    thing = models.CharField(max_length=8, choices=Thing)
    provider_id = models.CharField("name", max_length=120)
    wallet = models.ForeignKey(Wallet, models.PROTECT, null=True, db_column="org_id", related_name="+")
    intent = models.ForeignKey(Intent, models.PROTECT, null=True, related_name="+")
    here_cents = models.BigIntegerField(null=True)
    there_cents = models.BigIntegerField(null=True)
    words = models.TextField()
    first_seen_at = models.DateTimeField()

    class Meta:
        db_table = "reconciliation_finding"
        ordering = ("id",)
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="reconciliation_finding_kind_known"),
            models.CheckConstraint(condition=Q(thing__in=Thing.values), name="reconciliation_finding_thing_known"),
        ]
        indexes = [models.Index(fields=["provider_id", "kind"], name="reconciliation_finding_named")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.provider_id}"
