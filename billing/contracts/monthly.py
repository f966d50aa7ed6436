"""The tables of a contract's months: how far each is used, its open hour lines, and what is due."""

from django.db import models
from django.db.models import Q

from billing.catalog.models import AIModel
from billing.contracts.models import Contract
from billing.contracts.terms import MOST_CENTS, MOST_TOKENS
from billing.ledger.models import Wallet
from billing.money import UsdField, bounded
from billing.payments.models import Intent


class ContractMonth(models.Model):
    """A calendar month of a contract: what was committed, and how far use has drawn it down.

    `total`: tokens charged so far, late ones too (A22). `posted`: those whose hour lines are in the ledger. From `begun_at`
    on the commitment is due (row 27); at `closed_at` its unused rest became income (row 31). `lapsed`: its first payment was
    not made, and it never was. `returned`: overage that was paid and taken back, USD, which went to credit.
    """

    contract = models.ForeignKey(Contract, models.PROTECT, related_name="months")
    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="contract_months")
    period = models.DateField()
    tokens = models.BigIntegerField("tokens committed")
    amount_cents = models.BigIntegerField()
    total = models.BigIntegerField("tokens used", default=0)
    posted = models.BigIntegerField("tokens posted", default=0)
    returned = UsdField(default=0)
    begun_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    lapsed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "contract_month"
        constraints = [
            models.UniqueConstraint(fields=["contract", "period"], name="contract_month_once"),
            models.UniqueConstraint(fields=["wallet", "id"], name="contract_month_of_organization"),
            models.CheckConstraint(condition=Q(period__day=1), name="contract_month_first_of_month"),
            models.CheckConstraint(
                condition=Q(tokens__gte=0, tokens__lte=MOST_TOKENS)
                & Q(amount_cents__gte=0, amount_cents__lte=MOST_CENTS)
                & Q(total__gte=0, posted__gte=0)
                & bounded("returned", at_least=0),
                name="contract_month_bounded",
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | Q(begun_at__isnull=False), name="contract_month_begun_first"
            ),
        ]
        indexes = [
            models.Index(
                fields=["period", "wallet"],
                condition=Q(closed_at__isnull=True, lapsed_at__isnull=True),
                name="contract_month_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.period:%Y-%m}"


class ContractLine(models.Model):
    """An open hour line: tokens of a model in one hour that are charged and not posted yet, below zero if taken back."""

    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="contract_lines")
    month = models.ForeignKey(ContractMonth, models.PROTECT, related_name="lines")
    model = models.ForeignKey(AIModel, models.PROTECT, related_name="+")
    hour = models.DateTimeField()
    tokens = models.BigIntegerField()
    closes_at = models.DateTimeField()

    class Meta:
        db_table = "contract_line"
        constraints = [models.UniqueConstraint(fields=["month", "model", "hour"], name="contract_line_once")]
        indexes = [models.Index(fields=["closes_at"], name="contract_line_closes")]


# --- What is due -------------------------------------------------------------------------------------------------------


class What(models.TextChoices):
    COMMITMENT = "commitment", "Commitment"
    OVERAGE = "overage", "Overage"


class Stage(models.TextChoices):
    """Where collecting stands. The last three are for ever (trigger), but money that arrives late makes any of them paid."""

    DUE = "due", "To be charged"
    CHARGING = "charging", "Being charged"
    NO_CARD = "no_card", "Waits for a card"
    UNPAID = "unpaid", "Not paid"
    PAID = "paid", "Paid"
    OVER = "over", "Nothing to collect"
    LAPSED = "lapsed", "Not made: the contract starts later"


OPEN_STAGES = (Stage.DUE, Stage.CHARGING, Stage.NO_CARD, Stage.UNPAID)


class ContractDue(models.Model):
    """One amount that a card is to be charged for a contract: a month's commitment, or overage that has come together.

    `number` counts those of a month. From `closes_at` on, 14 days after it was due, an unpaid one refuses requests (A57).
    """

    contract = models.ForeignKey(Contract, models.PROTECT, related_name="dues")
    month = models.ForeignKey(ContractMonth, models.PROTECT, related_name="dues")
    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="contract_dues")
    what = models.CharField(max_length=10, choices=What)
    number = models.PositiveSmallIntegerField(default=1)
    amount_cents = models.BigIntegerField()
    due_at = models.DateTimeField()
    closes_at = models.DateTimeField()
    stage = models.CharField(max_length=8, choices=Stage, default=Stage.DUE)
    intent = models.ForeignKey(Intent, models.PROTECT, null=True, related_name="contract_dues")
    tries = models.PositiveSmallIntegerField(default=0)
    first_failed_at = models.DateTimeField(null=True)
    next_try_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "contract_due"
        constraints = [
            models.UniqueConstraint(fields=["month", "what", "number"], name="contract_due_once"),
            models.CheckConstraint(condition=Q(what__in=What.values), name="contract_due_what_known"),
            models.CheckConstraint(condition=Q(stage__in=Stage.values), name="contract_due_stage_known"),
            models.CheckConstraint(
                condition=Q(amount_cents__gt=0, amount_cents__lte=MOST_CENTS), name="contract_due_amount_bounded"
            ),
            models.CheckConstraint(
                condition=~Q(stage="due") | Q(next_try_at__isnull=False), name="contract_due_has_moment"
            ),
            models.CheckConstraint(
                condition=~Q(stage="charging") | Q(intent__isnull=False), name="contract_due_charging_has_payment"
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=Q(stage="due"), name="contract_due_next"),
            models.Index(fields=["wallet"], condition=Q(stage__in=OPEN_STAGES), name="contract_due_open"),
        ]

    def __str__(self) -> str:
        return f"{self.get_what_display()} of {self.month}"
