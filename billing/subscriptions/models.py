"""The tables of plans: subscriptions, what they cover, their paid periods, and what was quoted, charged and scheduled."""

import uuid
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from billing.catalog.models import AIModel, Plan
from billing.ledger.models import Wallet
from billing.payments.models import MOST_CENTS, Intent, PaymentMethod


class State(models.TextChoices):
    """A subscription is over for good once it has ended (trigger); a new one has an anchor of its own (A52)."""

    INCOMPLETE = "incomplete", "Waiting for the first payment"
    ACTIVE = "active", "Active"
    PAST_DUE = "past_due", "Past due"
    SUSPENDED = "suspended", "Suspended: a payment is disputed"
    ENDED = "ended", "Ended"


NOTICE = timedelta(days=30)
"""So long before the renewal at which it holds a higher price is told of (A32)."""
PAID_STATES = (State.ACTIVE, State.PAST_DUE, State.SUSPENDED)
"""What has begun and has not ended: at least one period of it was paid."""
OPEN_STATES = (State.INCOMPLETE, *PAID_STATES)


class Ended(models.TextChoices):
    """Why it ended."""

    NOT_PAID = "not_paid", "The first payment was not made"
    CANCELED = "canceled", "Canceled"
    UNPAID = "unpaid", "The renewal was not paid"
    RETIRED = "retired", "Its last model was retired"
    DISPUTED = "disputed", "A payment was disputed"
    TAKEN = "taken", "Its models were covered otherwise when it was paid"


class Subscription(models.Model):
    """A plan of an organization. `number`, `starts_at`, `ends_at` and `price_cents` are those of the last period that was
    paid; the periods are counted from `anchor`. `method` is the saved card that renewals charge.

    `next_at`: when the clock looks at it: the period's end, the next try, the void of a first payment; None while a charge
    is open. `tries` and `grace_from` tell of the renewal that is being collected.
    """

    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="subscriptions")
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=State, default=State.INCOMPLETE)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    method = models.ForeignKey(PaymentMethod, models.PROTECT, null=True, related_name="+")
    anchor = models.DateTimeField(null=True)
    number = models.PositiveSmallIntegerField(default=0)
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    price_cents = models.BigIntegerField(default=0)
    renewals = models.PositiveSmallIntegerField("renewals that were paid", default=0)
    tries = models.PositiveSmallIntegerField(default=0)
    grace_from = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_as = models.CharField(max_length=10, choices=Ended, blank=True, default="")

    class Meta:
        db_table = "subscription"
        constraints = [
            models.UniqueConstraint(fields=["wallet", "id"], name="subscription_of_organization"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="subscription_state_known"),
            models.CheckConstraint(
                condition=Q(state=State.ENDED, ended_at__isnull=False, ended_as__in=Ended.values)
                | ~Q(state=State.ENDED) & Q(ended_at__isnull=True, ended_as=""),
                name="subscription_ended_says_why",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=PAID_STATES)
                | Q(anchor__isnull=False, starts_at__isnull=False, ends_at__gt=F("starts_at"), number__gte=1),
                name="subscription_begun_has_period",
            ),
            models.CheckConstraint(
                condition=Q(price_cents__gte=0, price_cents__lte=MOST_CENTS), name="subscription_price_bounded"
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="subscription_due"),
            models.Index(fields=["wallet", "-created_at"], name="subscription_of_wallet"),
        ]

    def __str__(self) -> str:
        return str(self.public_id)


class CoveredModel(models.Model):
    """A model that a subscription covers, or once did. At most one open row for an organization and model."""

    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="+")
    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="covered")
    model = models.ForeignKey(AIModel, models.PROTECT, related_name="+")
    open = models.BooleanField(default=True, db_default=True)

    class Meta:
        db_table = "subscription_model"
        constraints = [
            models.UniqueConstraint(fields=["subscription", "model"], name="subscription_model_listed_once"),
            models.UniqueConstraint(
                fields=["wallet", "model"], condition=Q(open=True), name="subscription_model_one_open"
            ),
        ]


class Kind(models.TextChoices):
    """What a payment for a plan is for."""

    FIRST = "first", "First period"
    RENEWAL = "renewal", "Renewal"
    UPGRADE = "upgrade", "Upgrade"


class Quote(models.Model):
    """What a customer was shown and may agree to once, until `held_until`: exactly this amount, or nothing (A28).

    `fingerprint` is of everything the amount follows from. `arrears_cents` is what used grace costs, and part of the amount.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="+")
    subscription = models.ForeignKey(Subscription, models.PROTECT, null=True, related_name="quotes")
    kind = models.CharField(max_length=8, choices=[(Kind.FIRST, "First"), (Kind.UPGRADE, "Upgrade")])
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="+")
    price_cents = models.BigIntegerField()
    amount_cents = models.BigIntegerField()
    arrears_cents = models.BigIntegerField(default=0)
    fingerprint = models.CharField(max_length=64)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    held_until = models.DateTimeField()

    class Meta:
        db_table = "plan_quote"
        constraints = [
            models.CheckConstraint(
                condition=Q(price_cents__gt=0, price_cents__lte=MOST_CENTS)
                & Q(amount_cents__gte=0, amount_cents__lte=MOST_CENTS)
                & Q(arrears_cents__gte=0, arrears_cents__lte=F("amount_cents")),
                name="plan_quote_bounded",
            ),
            models.CheckConstraint(
                condition=Q(kind=Kind.FIRST, subscription__isnull=True, amount_cents__gt=0)
                | Q(kind=Kind.UPGRADE, subscription__isnull=False, arrears_cents=0),
                name="plan_quote_is_of_its_kind",
            ),
        ]


class Charge(models.Model):
    """What is to be collected for a plan, as it was decided: period `number` at `price_cents` a month. Its payment says what
    became of it; a free upgrade has none. One for each quote at most."""

    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="+")
    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="charges")
    kind = models.CharField(max_length=8, choices=Kind)
    number = models.PositiveSmallIntegerField()
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="+")
    price_cents = models.BigIntegerField()
    amount_cents = models.BigIntegerField()
    arrears_cents = models.BigIntegerField(default=0)
    intent = models.OneToOneField(Intent, models.PROTECT, null=True, related_name="plan_charge")
    quote = models.OneToOneField(Quote, models.PROTECT, null=True, related_name="charge")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField()

    class Meta:
        db_table = "plan_charge"
        constraints = [
            models.UniqueConstraint(fields=["wallet", "id"], name="plan_charge_of_organization"),
            models.CheckConstraint(
                condition=Q(amount_cents=0, intent__isnull=True)
                | Q(amount_cents__gt=0, amount_cents__lte=MOST_CENTS, intent__isnull=False),
                name="plan_charge_has_its_payment",
            ),
            models.CheckConstraint(
                condition=Q(arrears_cents__gte=0, arrears_cents__lte=F("amount_cents"))
                & Q(price_cents__gt=0, price_cents__lte=MOST_CENTS),
                name="plan_charge_bounded",
            ),
            models.CheckConstraint(condition=Q(number__gte=1), name="plan_charge_of_a_period"),
        ]


class PaidPeriod(models.Model):
    """A fee that was paid, for the time it is for. Part 0 is the whole period, later parts are upgrades within it.

    `earned_cents` of it are revenue as of the UTC day `earned_until`; nothing else of a row ever changes (trigger).
    """

    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="+")
    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="periods")
    number = models.PositiveSmallIntegerField()
    part = models.PositiveSmallIntegerField(default=0)
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="+")
    price_cents = models.BigIntegerField()
    charged_cents = models.BigIntegerField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    paid_at = models.DateTimeField()
    charge = models.ForeignKey(Charge, models.PROTECT, related_name="periods")
    earned_cents = models.BigIntegerField(default=0)
    earned_until = models.DateField(null=True)

    class Meta:
        db_table = "subscription_period"
        constraints = [
            models.UniqueConstraint(fields=["subscription", "number", "part"], name="subscription_period_paid_once"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="subscription_period_not_empty"),
            models.CheckConstraint(
                condition=Q(charged_cents__gte=0, charged_cents__lte=MOST_CENTS)
                & Q(earned_cents__gte=0, earned_cents__lte=F("charged_cents"))
                & Q(price_cents__gt=0, price_cents__lte=MOST_CENTS),
                name="subscription_period_bounded",
            ),
        ]
        indexes = [
            models.Index(
                fields=["wallet"],
                condition=Q(earned_cents__lt=F("charged_cents")),
                name="subscription_period_unearned",
            )
        ]


class Change(models.Model):
    """What happens at the period's end: another plan, or (None) the end. One at most is pending; what was withdrawn or has
    happened stays as it was said (trigger). `price_cents`: what that plan cost a month when it was chosen."""

    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="+")
    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="changes")
    plan = models.ForeignKey(Plan, models.PROTECT, null=True, related_name="+")
    price_cents = models.BigIntegerField(null=True)
    effective_at = models.DateTimeField()
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField()
    withdrawn_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    withdrawn_at = models.DateTimeField(null=True)
    applied_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "plan_change"
        constraints = [
            models.UniqueConstraint(
                fields=["subscription"],
                condition=Q(withdrawn_at__isnull=True, applied_at__isnull=True),
                name="plan_change_one_pending",
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at__isnull=True) | Q(applied_at__isnull=True), name="plan_change_ends_one_way"
            ),
            models.CheckConstraint(
                condition=Q(price_cents__isnull=True)
                | Q(plan__isnull=False, price_cents__gt=0, price_cents__lte=MOST_CENTS),
                name="plan_change_price_bounded",
            ),
        ]


class PriceRise(models.Model):
    """A customer was told that his plan costs more from a renewal on, 30 days ahead at least (A32). Written once."""

    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="+")
    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="rises")
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="+")
    from_cents = models.BigIntegerField()
    to_cents = models.BigIntegerField()
    told_at = models.DateTimeField()
    effective_at = models.DateTimeField()

    class Meta:
        db_table = "plan_price_rise"
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "plan", "to_cents", "effective_at"], name="plan_price_rise_told_once"
            ),
            models.CheckConstraint(
                condition=Q(from_cents__gt=0, to_cents__gt=F("from_cents"), to_cents__lte=MOST_CENTS),
                name="plan_price_rise_bounded",
            ),
            models.CheckConstraint(
                condition=Q(effective_at__gte=F("told_at") + NOTICE), name="plan_price_rise_told_in_time"
            ),
        ]
