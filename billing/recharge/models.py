"""The tables of auto-recharge."""

import uuid
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from billing.ledger.models import Wallet
from billing.payments.models import Intent, PaymentMethod

LEAST_CENTS, LEAST_LIFT_CENTS, MOST_CENTS = 100, 500, 1_000_000
"""Threshold at least 1.00 (A14), recharge-to at least 5.00 above it, one charge at most 10,000.00 (A16)."""
LINK_VALID = timedelta(hours=72)


class Standing(models.TextChoices):
    OFF = "off", "Off"
    ON = "on", "On"
    PAUSED = "paused", "Paused"


class Why(models.TextChoices):
    """Why a rule is off or paused."""

    CUSTOMER = "customer", "Switched off in the portal"
    LINK = "link", "Stopped by the link in a mail"
    DECLINES = "declines", "The card was declined four times"
    HARD_DECLINE = "hard_decline", "The bank refused the card"
    AUTHENTICATION = "authentication", "The bank wants the cardholder to confirm"
    NO_CARD = "no_card", "No card to charge"
    BURST = "burst", "Three charges within ten minutes"
    DISPUTE = "dispute", "A payment is disputed"


class Consent(models.Model):
    """Who allowed what, when, in which words. Append-only (trigger)."""

    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="consents")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    wording = models.TextField()
    threshold_cents = models.BigIntegerField()
    recharge_to_cents = models.BigIntegerField()
    cap_cents = models.BigIntegerField("most in a calendar month", null=True)
    per_day = models.PositiveSmallIntegerField("most charges in a day")
    card = models.CharField(max_length=60)

    class Meta:
        db_table = "recharge_consent"
        constraints = [models.UniqueConstraint(fields=["wallet", "id"], name="recharge_consent_of_organization")]


class Rule(models.Model):
    """One per organization, from its first consent on. `version` counts changes, so that a form shown before one is noticed.

    `low_since`: charged usage has left the balance below the threshold, since then and until credit lifts it; one that fell
    for another reason alone is not charged for (A14). While a card is declined softly, `ladder` names the first attempt,
    `rung` how many retries were made, `retry_at` when the next is due.
    """

    wallet = models.OneToOneField(
        Wallet, models.PROTECT, primary_key=True, db_column="org_id", related_name="recharge_rule"
    )
    standing = models.CharField(max_length=6, choices=Standing, default=Standing.OFF)
    why = models.CharField(max_length=16, choices=Why, blank=True, default="")
    since = models.DateTimeField()
    threshold_cents = models.BigIntegerField()
    recharge_to_cents = models.BigIntegerField()
    cap_cents = models.BigIntegerField("most in a calendar month", null=True)
    per_day = models.PositiveSmallIntegerField("most charges in a day", default=5)
    method = models.ForeignKey(PaymentMethod, models.PROTECT, related_name="+")
    consent = models.ForeignKey(Consent, models.PROTECT, related_name="+")
    version = models.PositiveIntegerField(default=1)
    ladder = models.UUIDField(null=True)
    rung = models.PositiveSmallIntegerField(default=0)
    retry_at = models.DateTimeField(null=True)
    low_since = models.DateTimeField(null=True)

    class Meta:
        db_table = "recharge_rule"
        indexes = [
            models.Index(
                fields=["low_since"], condition=Q(standing="on", low_since__isnull=False), name="recharge_rule_low"
            )
        ]
        constraints = [
            models.CheckConstraint(condition=Q(standing__in=Standing.values), name="recharge_rule_standing_known"),
            models.CheckConstraint(
                condition=Q(standing=Standing.ON, why="") | ~Q(standing=Standing.ON) & Q(why__in=Why.values),
                name="recharge_rule_says_why",
            ),
            models.CheckConstraint(
                condition=Q(
                    threshold_cents__gte=LEAST_CENTS,
                    recharge_to_cents__gte=F("threshold_cents") + LEAST_LIFT_CENTS,
                    recharge_to_cents__lte=MOST_CENTS,
                ),
                name="recharge_rule_amounts",
            ),
            models.CheckConstraint(
                condition=Q(cap_cents__isnull=True)
                | Q(cap_cents__gte=LEAST_LIFT_CENTS, cap_cents__lte=100 * MOST_CENTS),
                name="recharge_rule_cap_bounded",
            ),
            models.CheckConstraint(condition=Q(per_day__gte=1, per_day__lte=50), name="recharge_rule_per_day_bounded"),
            models.CheckConstraint(
                condition=Q(ladder__isnull=True, rung=0, retry_at__isnull=True) | Q(ladder__isnull=False, rung__lte=3),
                name="recharge_rule_on_a_ladder",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_standing_display()} for {self.wallet}"


class Attempt(models.Model):
    """One time the card was to be charged, with the figures of that second: why it was, and how much (append-only but for
    `finish`). What became of it is its payment's state."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="recharges")
    intent = models.OneToOneField(Intent, models.PROTECT, related_name="recharge")
    consent = models.ForeignKey(Consent, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    balance = models.DecimalField("balance then, USD", max_digits=26, decimal_places=12)
    pending_cents = models.BigIntegerField("on its way then")
    threshold_cents = models.BigIntegerField()
    recharge_to_cents = models.BigIntegerField()
    amount_cents = models.BigIntegerField()
    capped = models.BooleanField("less than wanted, for the cap", default=False)
    ladder = models.UUIDField("first attempt of the row of retries")
    rung = models.PositiveSmallIntegerField(default=0)
    finish = models.OneToOneField(
        Intent, models.PROTECT, null=True, related_name="+", verbose_name="payment by which the customer finished it"
    )

    class Meta:
        db_table = "recharge_attempt"
        constraints = [
            models.UniqueConstraint(fields=["ladder", "rung"], name="recharge_attempt_once_per_rung"),
            models.CheckConstraint(
                condition=Q(amount_cents__gt=0, amount_cents__lte=MOST_CENTS), name="recharge_attempt_amount_bounded"
            ),
            models.CheckConstraint(
                condition=Q(balance__gt=-(10**13), balance__lt=10**13), name="recharge_attempt_balance_bounded"
            ),
        ]
        indexes = [models.Index(fields=["wallet", "-at"], name="recharge_attempt_newest")]

    def __str__(self) -> str:
        return str(self.id)
