"""The tables of money coming in, and of what goes back: refunds and disputes."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.ledger.models import Wallet

MOST_CENTS = 100_000_000
"""A million dollars: no payment, refund or dispute is of more."""


class Customer(models.Model):
    """The organization as Stripe knows it."""

    wallet = models.OneToOneField(Wallet, models.PROTECT, primary_key=True, db_column="org_id", related_name="customer")
    stripe_id = models.CharField(max_length=64, unique=True)

    class Meta:
        db_table = "stripe_customer"


class PaymentMethod(models.Model):
    """A saved card. Belongs to the organization, whoever added it.

    From `detached_at` on it is never charged again; from `released_at` on Stripe does not hold it any more either.
    """

    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="payment_methods")
    stripe_id = models.CharField(max_length=64, unique=True)
    brand = models.CharField(max_length=24)
    last4 = models.CharField(max_length=4)
    exp_month = models.PositiveSmallIntegerField()
    exp_year = models.PositiveSmallIntegerField()
    is_default = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField()
    detached_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    released_at = models.DateTimeField("let go at Stripe", null=True)

    class Meta:
        db_table = "payment_method"
        constraints = [
            models.CheckConstraint(
                condition=Q(released_at__isnull=True) | Q(detached_at__isnull=False),
                name="payment_method_detached_here_first",
            ),
            models.UniqueConstraint(
                fields=["wallet"],
                condition=Q(is_default=True, detached_at__isnull=True),
                name="payment_method_one_default",
            ),
            models.UniqueConstraint(fields=["wallet", "id"], name="payment_method_of_organization"),
        ]
        indexes = [
            models.Index(
                fields=["detached_at"],
                condition=Q(detached_at__isnull=False, released_at__isnull=True),
                name="payment_method_to_release",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand.capitalize()} ending {self.last4}"


class Purpose(models.TextChoices):
    CREDITS = "credits", "Buying credits"
    RECHARGE = "recharge", "Auto-recharge"
    SETTLEMENT = "settlement", "Period end"
    CONTRACT = "contract", "Reserved capacity"
    SUBSCRIPTION = "subscription", "Plan"


OFF_SESSION = (Purpose.RECHARGE, Purpose.SETTLEMENT, Purpose.CONTRACT)
"""Always charged to a saved card without its customer; a plan is charged so, or paid on Stripe's page. Whatever names a card
(`Intent.method`) is charged without its customer: of these one at a time for an organization."""

LIFTING = (Purpose.RECHARGE, Purpose.SETTLEMENT)
"""Those of them whose money lifts the balance."""


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
    Stripe's metadata, so that whatever Stripe says can be traced back here. `method` is the saved card that is charged
    without its customer; a purchase names none, it is paid on Stripe's page.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="intents")
    purpose = models.CharField(max_length=12, choices=Purpose)
    amount_cents = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.CREATED)
    attempt = models.PositiveSmallIntegerField(default=1)
    key = models.CharField(max_length=120, unique=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    method = models.ForeignKey(PaymentMethod, models.PROTECT, null=True, related_name="intents")
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
            models.UniqueConstraint(fields=["wallet", "id"], name="payment_intent_of_organization"),
            models.CheckConstraint(
                condition=Q(amount_cents__gt=0, amount_cents__lte=MOST_CENTS), name="payment_intent_amount_bounded"
            ),
            models.CheckConstraint(condition=Q(purpose__in=Purpose.values), name="payment_intent_purpose_known"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="payment_intent_state_known"),
            models.CheckConstraint(
                condition=~Q(state=State.SUCCEEDED) | Q(charged_at__isnull=False, provider_id__isnull=False),
                name="payment_intent_paid_has_charge",
            ),
            models.UniqueConstraint(
                fields=["wallet"],
                condition=Q(method__isnull=False, state__in=OPEN_STATES),
                name="payment_intent_one_off_session",
            ),
            models.CheckConstraint(
                condition=~Q(purpose__in=OFF_SESSION) | Q(method__isnull=False),
                name="payment_intent_off_session_has_card",
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=Q(state__in=OPEN_STATES), name="payment_intent_open"),
            models.Index(fields=["wallet", "-created_at"], name="payment_intent_of_wallet"),
        ]

    def __str__(self) -> str:
        return str(self.id)


# --- Money going back --------------------------------------------------------------------------------------------------


class RefundState(models.TextChoices):
    """A refund moves down this list only (trigger). Stripe may fail one that had succeeded: the bank sent it back."""

    ASKED = "asked", "Asked"
    UNKNOWN = "unknown", "Outcome unknown"
    PENDING = "pending", "On its way"
    SUCCEEDED = "succeeded", "Refunded"
    FAILED = "failed", "Failed"


OPEN_REFUNDS = (RefundState.ASKED, RefundState.UNKNOWN, RefundState.PENDING)


class Refund(models.Model):
    """Money of one payment on its way back to the card: asked for by staff, or made in Stripe's dashboard (A17).

    What it takes is in the ledger from the moment it is asked (account 2300). `key`: `staff:{form}` or `stripe:{refund}`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="refunds")
    intent = models.ForeignKey(Intent, models.PROTECT, related_name="refunds")
    amount_cents = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=RefundState, default=RefundState.ASKED)
    attempt = models.PositiveSmallIntegerField(default=1)
    key = models.CharField(max_length=120, unique=True)
    reason = models.TextField(blank=True, default="")
    stripe_reason = models.CharField("reason at Stripe", max_length=40, blank=True, default="")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    called_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    provider_id = models.CharField("refund at Stripe", max_length=64, unique=True, null=True)
    failure_code = models.CharField(max_length=64, blank=True, default="")
    needs_review = models.BooleanField(default=False, db_default=False)
    reviewed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reviewed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "refund"
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_cents__gt=0, amount_cents__lte=MOST_CENTS), name="refund_amount_bounded"
            ),
            models.CheckConstraint(condition=Q(state__in=RefundState.values), name="refund_state_known"),
            models.CheckConstraint(
                condition=~Q(state__in=["pending", "succeeded"]) | Q(provider_id__isnull=False),
                name="refund_done_is_named",
            ),
            models.CheckConstraint(
                condition=Q(asked_by__isnull=True) | ~Q(reason=""), name="refund_by_staff_has_reason"
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=Q(state__in=OPEN_REFUNDS), name="refund_open"),
            models.Index(fields=["intent"], name="refund_of_intent"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Dispute(models.Model):
    """A payment that its cardholder's bank disputes, or inquires about; one row per dispute of Stripe's (A18).

    `status` is Stripe's and moves forward only (trigger). From `created_at` until `closed_at` the payment's grant is held
    and no card of the organization is charged without its customer.
    """

    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="disputes")
    intent = models.ForeignKey(Intent, models.PROTECT, related_name="disputes")
    provider_id = models.CharField("dispute at Stripe", max_length=64, unique=True)
    amount_cents = models.BigIntegerField()
    reason = models.CharField(max_length=40, blank=True, default="")
    status = models.CharField(max_length=24)
    opened_at = models.DateTimeField("opened at Stripe")
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "dispute"
        constraints = [
            models.UniqueConstraint(fields=["wallet", "id"], name="dispute_of_organization"),
            models.CheckConstraint(
                condition=Q(amount_cents__gt=0, amount_cents__lte=MOST_CENTS), name="dispute_amount_bounded"
            ),
        ]
        indexes = [
            models.Index(fields=["wallet"], condition=Q(closed_at__isnull=True), name="dispute_open"),
            models.Index(fields=["intent"], name="dispute_of_intent"),
        ]

    def __str__(self) -> str:
        return self.provider_id


class DisputeMovement(models.Model):
    """One of Stripe's balance transactions for a dispute, once it is in the ledger: less than 0 withdrawn, more reinstated.

    Gross, without Stripe's fee. Its id makes sure that each is posted once, whoever tells of it.
    """

    id = models.CharField("balance transaction", max_length=64, primary_key=True)
    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="+")
    dispute = models.ForeignKey(Dispute, models.PROTECT, related_name="movements")
    amount_cents = models.BigIntegerField()
    at = models.DateTimeField()
    posted_at = models.DateTimeField()

    class Meta:
        db_table = "dispute_movement"
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_cents__gte=-MOST_CENTS, amount_cents__lte=MOST_CENTS) & ~Q(amount_cents=0),
                name="dispute_movement_amount_bounded",
            ),
        ]
