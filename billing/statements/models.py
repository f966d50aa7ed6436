"""The tables of what people keep. The triggers that guard them are in `billing/migrations/`."""

import re

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.ledger.models import Wallet
from billing.payments.models import Intent

LAYOUT = 1
"""The version of what a statement says and in which order. A new one never changes what was issued."""


class BillingDetails(models.Model):
    """Whom an organization's statements and receipts are made out to. No row: its name alone."""

    wallet = models.OneToOneField(
        Wallet, models.PROTECT, primary_key=True, db_column="org_id", related_name="billing_details"
    )
    legal_name = models.CharField(max_length=120)
    address = models.TextField("address lines")
    country = models.CharField(max_length=2)
    tax_id = models.CharField(max_length=32, blank=True, default="")
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    changed_at = models.DateTimeField()

    class Meta:
        db_table = "billing_details"
        verbose_name_plural = "billing details"

    def __str__(self) -> str:
        return self.legal_name


class Series(models.TextChoices):
    STATEMENT = "statement", "Statements"
    RECEIPT = "receipt", "Receipts"


class DocumentCounter(models.Model):
    """The last number given in a series. Its row is the lock under which the next one is given."""

    series = models.CharField(max_length=9, choices=Series, primary_key=True)
    last = models.BigIntegerField()

    class Meta:
        db_table = "document_counter"
        constraints = [
            models.CheckConstraint(condition=Q(series__in=Series.values), name="document_counter_series_known"),
            models.CheckConstraint(condition=Q(last__gte=0), name="document_counter_not_negative"),
        ]


class Statement(models.Model):
    """One closed month of one organization, as it was told. Immutable (trigger).

    `body` is canonical JSON. `hash` = sha256(hash of the organization's statement before, 32 zero bytes for the first ||
    `ledger_head` || body), where `ledger_head` is the head of the month's hash chain in the ledger.
    """

    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="statements")
    period = models.DateField()
    number = models.BigIntegerField(unique=True)
    layout = models.SmallIntegerField(default=LAYOUT)
    ledger_head = models.BinaryField(max_length=32)
    body = models.TextField()
    hash = models.BinaryField(max_length=32)
    issued_at = models.DateTimeField()

    class Meta:
        db_table = "statement"
        constraints = [
            models.UniqueConstraint(fields=["wallet", "period"], name="statement_once_per_month"),
            models.CheckConstraint(condition=Q(period__day=1), name="statement_period_first_of_month"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """How the statement is called on paper and in addresses: "S-2026-03-000418"."""
        return f"S-{self.period:%Y-%m}-{self.number:06d}"


class StatementParty(models.Model):
    """Names, addresses and free text of a statement, kept apart so that they can be erased: the body holds
    sha256(salt || text) (A45)."""

    statement = models.OneToOneField(Statement, models.PROTECT, primary_key=True, related_name="party")
    salt = models.BinaryField(max_length=16)
    text = models.TextField()

    class Meta:
        db_table = "statement_party"


class Receipt(models.Model):
    """One payment that became credit, as it was told. Immutable (trigger)."""

    intent = models.OneToOneField(Intent, models.PROTECT, primary_key=True, related_name="receipt")
    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="receipts")
    number = models.BigIntegerField(unique=True)
    layout = models.SmallIntegerField(default=LAYOUT)
    body = models.TextField()
    issued_at = models.DateTimeField()

    class Meta:
        db_table = "receipt"

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """ "R-2026-03-000418": the month in which it was written."""
        return f"R-{self.issued_at:%Y-%m}-{self.number:06d}"


class ReceiptParty(models.Model):
    """Names, addresses and the card of a receipt, kept apart as those of a statement are."""

    receipt = models.OneToOneField(Receipt, models.PROTECT, primary_key=True, related_name="party")
    salt = models.BinaryField(max_length=16)
    text = models.TextField()

    class Meta:
        db_table = "receipt_party"


WRITTEN = re.compile(r"S-[0-9]{4}-[0-9]{2}-([0-9]{6,12})", re.ASCII)


def number_in(name: str) -> int | None:
    """The number in a statement's name, None where it is none."""
    found = WRITTEN.fullmatch(name)
    return int(found[1]) if found else None
