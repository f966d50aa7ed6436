"""The tables of money coming in."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.ledger.models import Wallet


class Customer(models.Model):
    """The organization as Stripe knows it."""

    wallet = models.OneToOneField(Wallet, models.PROTECT, primary_key=True, db_column="org_id", related_name="customer")
    stripe_id = models.CharField(max_length=64, unique=True)

    class Meta:
        db_table = "stripe_customer"


class PaymentMethod(models.Model):
    """A saved card. Belongs to the organization, whoever added it."""

    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="payment_methods")
    stripe_id = models.CharField(max_length=64, unique=True)
    brand = models.CharField(max_length=24)
    last4 = models.CharField(max_length=4)
    exp_month = models.PositiveSmallIntegerField()
    exp_year = models.PositiveSmallIntegerField()
    is_default = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField()
    detached_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "payment_method"
        constraints = [
            models.UniqueConstraint(
                fields=["wallet"],
                condition=Q(is_default=True, detached_at__isnull=True),
                name="payment_method_one_default",
            )
        ]

    def __str__(self) -> str:
        return f"{self.brand.capitalize()} ending {self.last4}"


class Purpose(models.TextChoices):
    CREDITS = "credits", "Buying credits"
    RECHARGE = "recharge", "Auto-recharge"
    SETTLEMENT = "settlement", "Period end"


class State(models.TextChoices):
    """A payment moves down this list only (trigger). Failed and canceled may still become succeeded: money that
    arrives late is credited (A15)."""

    CREATED = "created", "Created"
    UNKNOWN = "unknown", "Outcome unknown"
    WAITING = "waiting", "Waiting for the customer"
    PROCESSING = "processing", "Confirming"
    FAILED = "failed", "Not paid"
    CANCELED = "canceled", "Canceled"
    SUCCEEDED = "succeeded", "Paid"


OPEN_STATES = (State.CREATED, State.UNKNOWN, State.WAITING, State.PROCESSING)


class Intent(models.Model):
    """What we mean to collect, written before Stripe hears of it.

    `key` is the natural idempotency key of the cause (one form, one period, one recharge attempt). Its id travels in
    Stripe's metadata, so that whatever Stripe says can be traced back here.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="intents")
    purpose = models.CharField(max_length=12, choices=Purpose)
    amount_cents = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.CREATED)
    attempt = models.PositiveSmallIntegerField(default=1)
    key = models.CharField(max_length=120, unique=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    deadline = models.DateTimeField(null=True)
    called_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    checkout_id = models.CharField(max_length=128, unique=True, null=True)
    checkout_url = models.TextField(blank=True, default="")
    provider_id = models.CharField("payment intent at Stripe", max_length=64, unique=True, null=True)
    charge_id = models.CharField(max_length=64, unique=True, null=True)
    charged_at = models.DateTimeField(null=True)
    card_brand = models.CharField(max_length=24, blank=True, default="")
    card_last4 = models.CharField(max_length=4, blank=True, default="")
    failure_code = models.CharField(max_length=64, blank=True, default="")
    failure_message = models.TextField(blank=True, default="")

    class Meta:
        db_table = "payment_intent"
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_cents__gt=0, amount_cents__lte=100_000_000), name="payment_intent_amount_bounded"
            ),
            models.CheckConstraint(condition=Q(purpose__in=Purpose.values), name="payment_intent_purpose_known"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="payment_intent_state_known"),
            models.CheckConstraint(
                condition=~Q(state=State.SUCCEEDED) | Q(charged_at__isnull=False, provider_id__isnull=False),
                name="payment_intent_paid_has_charge",
            ),
            models.UniqueConstraint(
                fields=["wallet"],
                condition=Q(purpose__in=["recharge", "settlement"], state__in=OPEN_STATES),
                name="payment_intent_one_off_session",
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=Q(state__in=OPEN_STATES), name="payment_intent_open"),
            models.Index(fields=["wallet", "-created_at"], name="payment_intent_of_wallet"),
        ]

    def __str__(self) -> str:
        return str(self.id)
