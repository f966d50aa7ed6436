"""The tables of month ends: what was decided when a month was closed, and the ceilings that staff set."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.ledger.models import Wallet
from billing.money import UsdField, bounded
from billing.payments.models import MOST_CENTS, Intent

MOST_CEILING = Decimal(1_000)
"""USD: no organization has a higher ceiling."""


class Decided(models.TextChoices):
    """What became of the overdraft when the month was closed."""

    NOTHING = "nothing", "Nothing was owed"
    CHARGE = "charge", "To be charged"
    SMALL = "small", "Less than can be charged: carried"
    SMALL_OLD = "small_old", "Less than can be charged, for six months: written off"
    NEVER_BOUGHT = "never_bought", "Credit was never bought: written off"
    IN_FLIGHT = "in_flight", "A payment was under way: carried"
    RECHARGING = "recharging", "Auto-recharge pays it: carried"
    DISPUTED = "disputed", "A payment is disputed: carried"
    EARLIER = "earlier", "The charge of an earlier month is not paid: carried"
    NO_CARD = "no_card", "No card to charge: carried"


class WrittenOff(models.TextChoices):
    """Why a part of the overdraft was let go (posting row 21)."""

    EXCESS = "excess", "Beyond the ceiling"
    SMALL = "small", "Too small to charge, for six months"
    NEVER_BOUGHT = "never_bought", "Credit was never bought"


class Stage(models.TextChoices):
    """Where collecting stands. The last three are for ever (trigger), but money that arrives late makes any of them paid."""

    DUE = "due", "To be charged"
    CHARGING = "charging", "Being charged"
    NO_CARD = "no_card", "Waits for the customer"
    UNPAID = "unpaid", "Not paid"
    PAID = "paid", "Paid"
    OVER = "over", "Nothing to collect"
    REPLACED = "replaced", "Collected with a later month"


OPEN_STAGES = (Stage.DUE, Stage.CHARGING, Stage.NO_CARD, Stage.UNPAID)


class Settlement(models.Model):
    """One organization's month, closed. All but the last six columns is what was decided then, for ever (trigger).

    What was due is the smaller of the overdraft at the month's end and at its closing, both as posted:
    `charge_cents` + `written_off` + `carried` add up to it. While collecting, `intent` is the charge that was made last,
    `tries` how many were made, `next_try_at` when the next one is due.
    """

    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="settlements")
    period = models.DateField()
    closed_at = models.DateTimeField()
    overdraft_at_end = UsdField()
    overdraft_at_closing = UsdField()
    ceiling = UsdField()
    decided = models.CharField(max_length=12, choices=Decided)
    charge_cents = models.BigIntegerField(default=0)
    written_off = UsdField(default=0)
    written_off_as = models.CharField(max_length=12, choices=WrittenOff, blank=True, default="")
    carried = UsdField(default=0)
    stage = models.CharField(max_length=8, choices=Stage)
    intent = models.ForeignKey(Intent, models.PROTECT, null=True, related_name="settlements")
    tries = models.PositiveSmallIntegerField(default=0)
    first_failed_at = models.DateTimeField(null=True)
    next_try_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "settlement"
        constraints = [
            models.UniqueConstraint(fields=["wallet", "period"], name="settlement_once"),
            models.UniqueConstraint(
                fields=["wallet"], condition=Q(stage__in=OPEN_STAGES), name="settlement_one_collected"
            ),
            models.CheckConstraint(condition=Q(period__day=1), name="settlement_first_of_month"),
            models.CheckConstraint(condition=Q(decided__in=Decided.values), name="settlement_decided_known"),
            models.CheckConstraint(condition=Q(stage__in=Stage.values), name="settlement_stage_known"),
            models.CheckConstraint(
                condition=bounded("overdraft_at_end", at_least=0)
                & bounded("overdraft_at_closing", at_least=0)
                & bounded("ceiling", at_least=0)
                & bounded("written_off", at_least=0)
                & bounded("carried", at_least=0)
                & Q(charge_cents__gte=0, charge_cents__lte=MOST_CENTS),
                name="settlement_bounded",
            ),
            models.CheckConstraint(
                condition=Q(decided="charge", charge_cents__gt=0) | ~Q(decided="charge") & Q(charge_cents=0),
                name="settlement_charges_as_decided",
            ),
            models.CheckConstraint(
                condition=Q(written_off=0, written_off_as="")
                | Q(written_off__gt=0, written_off_as__in=WrittenOff.values),
                name="settlement_written_off_as",
            ),
            models.CheckConstraint(
                condition=~Q(stage="due") | Q(next_try_at__isnull=False), name="settlement_due_has_moment"
            ),
            models.CheckConstraint(
                condition=~Q(stage="charging") | Q(intent__isnull=False), name="settlement_charging_has_payment"
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=Q(stage="due"), name="settlement_due"),
            models.Index(fields=["-period", "-id"], name="settlement_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.period:%Y-%m} of {self.wallet}"


class OverdraftCeiling(models.Model):
    """Staff set the ceiling of one organization: in force from `set_at` until the next one. Append-only (trigger)."""

    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="ceilings")
    usd = UsdField("ceiling, USD")
    reason = models.TextField()
    key = models.CharField(max_length=120, unique=True)
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    set_at = models.DateTimeField()

    class Meta:
        db_table = "overdraft_ceiling"
        constraints = [
            models.CheckConstraint(condition=Q(usd__gt=0, usd__lte=MOST_CEILING), name="overdraft_ceiling_bounded"),
            models.CheckConstraint(condition=~Q(reason=""), name="overdraft_ceiling_has_reason"),
        ]
        indexes = [models.Index(fields=["wallet", "-set_at", "-id"], name="overdraft_ceiling_newest")]

    def __str__(self) -> str:
        return f"${self.usd:,.2f} for {self.wallet}"
