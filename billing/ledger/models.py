"""The tables of what is owed. The triggers that guard them are in `billing/migrations/`; README.md states the rules."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from billing.ledger.chart import GRANT_CODES, HOUSE_CODES, Code
from billing.money import UsdField, bounded
from orgs.models import Organization

HOUSE = 0
"""The wallet id of the house: its accounts belong to no organization."""


class Wallet(models.Model):
    """One per organization, made with it (trigger); its row is the one lock for everything that moves its money.

    `posted` = sum of its transfers on credit, overdraft and claw-back debt; `accrued` = sum of its open accrual lines.
    The primary key is the organization's id; 0 is the house.
    """

    id = models.BigIntegerField(primary_key=True, db_column="org_id")
    organization = models.OneToOneField(Organization, models.PROTECT, null=True, related_name="wallet")
    posted = UsdField(default=0, db_default=0)
    accrued = UsdField(default=0, db_default=0)

    class Meta:
        db_table = "wallet"
        constraints = [
            models.CheckConstraint(condition=bounded("posted"), name="wallet_posted_bounded"),
            models.CheckConstraint(condition=bounded("accrued", at_least=0), name="wallet_accrued_bounded"),
            models.CheckConstraint(
                condition=Q(id=HOUSE, organization__isnull=True) | Q(id=F("organization_id"), id__gt=HOUSE),
                name="wallet_of_organization_or_house",
            ),
        ]

    def __str__(self) -> str:
        return str(self.organization or "The house")


class LedgerPeriod(models.Model):
    """The hash chain of one organization's calendar month: the last number given and the hash at its head."""

    pk = models.CompositePrimaryKey("wallet_id", "period")
    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="periods")
    period = models.DateField()
    seq = models.BigIntegerField(default=0, db_default=0)
    head = models.BinaryField(max_length=32, default=bytes(32))
    closed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "ledger_period"
        constraints = [
            models.CheckConstraint(condition=Q(period__day=1), name="ledger_period_first_of_month"),
            models.CheckConstraint(condition=Q(seq__gte=0), name="ledger_period_seq_not_negative"),
            models.UniqueConstraint(fields=["wallet", "period", "closed_at"], name="ledger_period_closed_when"),
        ]
        indexes = [
            models.Index(fields=["period", "wallet"], condition=Q(closed_at__isnull=True), name="ledger_period_open")
        ]


class Account(models.Model):
    """An account of the chart. `balance` = credits - debits; a grant of credit is an account of its own (2000 or 2010).

    House accounts keep no cached balance (each would be one hot row): their balance stays 0 and reports sum transfers.
    `accrued` is drawn but not yet posted. `exhausted` = nothing is left to draw. `held` = under an open dispute, since
    `held_since`: when it is released it ends that much later.
    """

    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="accounts")
    code = models.SmallIntegerField(choices=Code)
    balance = UsdField(default=0, db_default=0)
    accrued = UsdField(default=0, db_default=0)
    granted = UsdField(null=True)
    expires_at = models.DateTimeField(null=True)
    exhausted = models.BooleanField(default=False, db_default=False)
    held = models.BooleanField(default=False, db_default=False)
    held_since = models.DateTimeField(null=True)

    class Meta:
        db_table = "account"
        constraints = [
            models.UniqueConstraint(fields=["wallet", "id"], name="account_of_wallet"),
            models.UniqueConstraint(
                fields=["wallet", "code"], condition=~Q(code__in=GRANT_CODES), name="account_once_per_wallet"
            ),
            models.CheckConstraint(condition=Q(code__in=Code.values), name="account_code_known"),
            models.CheckConstraint(
                condition=Q(wallet=HOUSE, code__in=HOUSE_CODES, balance=0, accrued=0)
                | (Q(wallet__gt=HOUSE) & ~Q(code__in=HOUSE_CODES)),
                name="account_house_or_organization",
            ),
            models.CheckConstraint(
                condition=bounded("balance") & bounded("accrued", at_least=0), name="account_bounded"
            ),
            models.CheckConstraint(
                condition=~Q(code__in=GRANT_CODES)
                | (
                    bounded("granted", above=0)
                    & Q(granted__isnull=False, expires_at__isnull=False)
                    & Q(balance__lte=F("granted"), accrued__lte=F("balance"))
                    & (Q(exhausted=False) | Q(balance=F("accrued")))
                ),
                name="account_grant_within_granted",
            ),
            models.CheckConstraint(
                condition=Q(code__in=GRANT_CODES)
                | Q(granted__isnull=True, expires_at__isnull=True, exhausted=False, held=False),
                name="account_only_grants_expire",
            ),
            models.CheckConstraint(condition=Q(held_since__isnull=True) | Q(held=True), name="account_held_since_when"),
            models.CheckConstraint(
                condition=~Q(
                    code__in=[Code.OVERDRAFT, Code.CLAWBACK_DEBT, Code.CONTRACT_RECEIVABLE, Code.AWS_RECEIVABLE]
                )
                | Q(balance__lte=0),
                name="account_debt_not_positive",
            ),
            models.CheckConstraint(
                condition=~Q(code__in=[Code.PLAN_DEFERRED, Code.CONTRACT_DEFERRED, Code.REFUND_PENDING])
                | Q(balance__gte=0),
                name="account_liability_not_negative",
            ),
        ]
        indexes = [
            # The burn-down order: earliest expiry, promotional (2010) before paid (2000), oldest.
            models.Index(
                F("wallet"),
                F("expires_at"),
                F("code").desc(),
                F("id"),
                condition=Q(code__in=GRANT_CODES, exhausted=False),
                name="account_burn_down",
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.get_code_display()}"

    @property
    def rest(self) -> Decimal:
        """What is left to draw."""
        rest: Decimal = self.balance - self.accrued
        return rest


class GrantSource(models.TextChoices):
    PURCHASE = "purchase", "Purchase"
    RECHARGE = "recharge", "Auto-recharge"
    PROMOTION = "promotion", "Promotional"
    SETTLEMENT_REST = "settlement_rest", "Rest of a settlement payment"
    CORRECTION = "correction", "Correction"
    DISPUTE = "dispute", "Returned after a dispute"
    MOVED = "moved", "Moved"


class CreditGrant(models.Model):
    """Where a grant account came from. Immutable (trigger); one per payment."""

    account = models.OneToOneField(Account, models.PROTECT, primary_key=True, related_name="grant")
    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="grants")
    source = models.CharField(max_length=16, choices=GrantSource)
    title = models.CharField(max_length=80)
    payment_id = models.UUIDField("payment intent", null=True, unique=True)
    key = models.CharField(max_length=120, unique=True)
    reason = models.TextField(blank=True, default="", db_default="")
    issued_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    issued_at = models.DateTimeField()

    class Meta:
        db_table = "credit_grant"
        constraints = [
            models.CheckConstraint(condition=Q(source__in=GrantSource.values), name="credit_grant_source_known"),
            models.CheckConstraint(
                condition=Q(payment_id__isnull=False) | ~Q(source__in=["purchase", "recharge", "settlement_rest"]),
                name="credit_grant_bought_has_payment",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Transfer(models.Model):
    """One movement of one amount from one account to another, for ever. `billing.ledger.posting` is the only writer."""

    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="transfers")
    period = models.DateField()
    seq = models.BigIntegerField()
    debit = models.ForeignKey(Account, models.PROTECT, related_name="debits")
    credit = models.ForeignKey(Account, models.PROTECT, related_name="credits")
    amount = UsdField()
    reason = models.CharField(max_length=24)
    key = models.CharField(max_length=120, unique=True)
    cause_kind = models.CharField(max_length=24)
    cause_id = models.CharField(max_length=64)
    effective_at = models.DateTimeField()
    posted_at = models.DateTimeField()
    hour = models.DateTimeField(null=True)
    model = models.ForeignKey("billing.AIModel", models.PROTECT, null=True, related_name="+")
    note_digest = models.BinaryField(max_length=32, null=True)
    hash = models.BinaryField(max_length=32)

    class Meta:
        db_table = "transfer"
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=["wallet", "period", "seq"], name="transfer_numbered_once"),
            models.CheckConstraint(condition=bounded("amount", above=0), name="transfer_amount_positive"),
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="transfer_between_two_accounts"),
            models.CheckConstraint(condition=Q(period__day=1), name="transfer_period_first_of_month"),
            models.CheckConstraint(
                condition=~(
                    Q(reason__contains="|")
                    | Q(key__contains="|")
                    | Q(cause_kind__contains="|")
                    | Q(cause_id__contains="|")
                ),
                name="transfer_no_separator",
            ),
        ]
        indexes = [
            models.Index(fields=["wallet", "-effective_at", "-id"], name="transfer_newest"),
            models.Index(fields=["debit"], name="transfer_debit"),
            models.Index(fields=["credit"], name="transfer_credit"),
        ]

    def __str__(self) -> str:
        return self.key


class TransferNote(models.Model):
    """Free text about a transfer, kept outside the hash chain so that it can be erased: the chain holds its digest (A45)."""

    transfer = models.OneToOneField(Transfer, models.PROTECT, primary_key=True, related_name="note")
    salt = models.BinaryField(max_length=16)
    text = models.TextField()

    class Meta:
        db_table = "transfer_note"


class Accrual(models.Model):
    """An open ledger line: what one account owes for one model and hour of usage, until it is posted and removed.

    Its id is never given again, so late use of a posted hour opens a new line with a new key (A40); each draw gives it a new
    one, so that ids follow the order of draws.
    """

    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="accruals")
    account = models.ForeignKey(Account, models.PROTECT, related_name="accruals")
    model = models.ForeignKey("billing.AIModel", models.PROTECT, related_name="+")
    hour = models.DateTimeField()
    amount = UsdField()
    closes_at = models.DateTimeField()

    class Meta:
        db_table = "accrual"
        constraints = [
            models.UniqueConstraint(fields=["wallet", "account", "model", "hour"], name="accrual_line_once"),
            models.CheckConstraint(condition=bounded("amount", above=0), name="accrual_amount_positive"),
        ]
        indexes = [models.Index(fields=["closes_at"], name="accrual_closes")]
