"""The tables of what people are told."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.ledger.models import Wallet
from billing.money import UsdField, bounded


class Kind(models.TextChoices):
    RECEIPT = "receipt", "Receipt"
    LOW_BALANCE = "low_balance", "Low balance"
    EXPIRING = "expiring", "Credit expiring"
    RECHARGE_MADE = "recharge_made", "Auto-recharge made"
    RECHARGE_FAILED = "recharge_failed", "Auto-recharge failed"
    RECHARGE_PAUSED = "recharge_paused", "Auto-recharge paused"
    RECHARGE_CHANGED = "recharge_changed", "Auto-recharge switched on or off"
    STATEMENT = "statement", "Statement"
    SETTLEMENT_FAILED = "settlement_failed", "Month-end charge failed"
    CARD_EXPIRING = "card_expiring", "Card expiring"
    CARD_CHANGED = "card_changed", "Card added or removed"
    BILLING_EMAIL = "billing_email", "Billing e-mail to confirm"
    CONTRACT_OFFERED = "contract_offered", "Contract to accept"
    CONTRACT_STARTED = "contract_started", "Contract started"
    CONTRACT_FAILED = "contract_failed", "Contract charge failed"
    CONTRACT_LIMIT = "contract_limit", "Contract overage limit reached"
    CONTRACT_ENDING = "contract_ending", "Contract ends"
    PLAN_STARTED = "plan_started", "Plan started, upgraded or renewed"
    PLAN_FAILED = "plan_failed", "Plan payment failed"
    PLAN_CHANGED = "plan_changed", "Plan change scheduled or withdrawn"
    PLAN_ENDED = "plan_ended", "Plan ended"


ALWAYS = (
    Kind.RECHARGE_PAUSED,
    Kind.SETTLEMENT_FAILED,
    Kind.RECEIPT,
    Kind.RECHARGE_CHANGED,
    Kind.BILLING_EMAIL,
    Kind.CONTRACT_OFFERED,
    Kind.CONTRACT_STARTED,
    Kind.CONTRACT_FAILED,
    Kind.CONTRACT_LIMIT,
    Kind.CONTRACT_ENDING,
    Kind.PLAN_STARTED,
    Kind.PLAN_FAILED,
    Kind.PLAN_CHANGED,
    Kind.PLAN_ENDED,
)
"""Mail about these cannot be switched off: something was charged, or stops unless somebody acts."""


class Mail(models.TextChoices):
    WAITING = "waiting", "To be sent"
    SENT = "sent", "Sent"
    MUTED = "muted", "Not wanted by mail"
    FAILED = "failed", "Could not be sent"


class Notice(models.Model):
    """One thing an organization is told, once. `key` names what it is about and which crossing or step of it.

    `facts` are what its words are made of: money as plain decimal text in USD, moments as ISO text in UTC, ids. No names of
    people, no addresses: `sent_to` says to how many it went. `unclear` counts the mails of which nobody knows whether they
    went out; `error` is the kind of the last failure.
    """

    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="notices")
    kind = models.CharField(max_length=20, choices=Kind)
    key = models.CharField(max_length=160, unique=True)
    facts = models.JSONField()
    created_at = models.DateTimeField()
    mail = models.CharField(max_length=8, choices=Mail, default=Mail.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    sent_to = models.PositiveSmallIntegerField(default=0, db_default=0)
    unclear = models.PositiveSmallIntegerField(default=0, db_default=0)
    error = models.CharField(max_length=80, blank=True, default="", db_default="")

    class Meta:
        db_table = "notice"
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="notice_kind_known"),
            models.CheckConstraint(condition=Q(mail__in=Mail.values), name="notice_mail_known"),
            models.CheckConstraint(
                condition=Q(mail=Mail.SENT, sent_at__isnull=False) | ~Q(mail=Mail.SENT) & Q(sent_at__isnull=True),
                name="notice_sent_has_moment",
            ),
        ]
        indexes = [
            models.Index(fields=["wallet", "-created_at", "-id"], name="notice_newest"),
            models.Index(fields=["next_try_at"], condition=Q(mail=Mail.WAITING), name="notice_to_be_sent"),
        ]

    def __str__(self) -> str:
        return self.key


class NoticeSettings(models.Model):
    """What an organization wants to be told, and where. No row: everything, to its owners and billing people.

    `billing_email` was confirmed. `asked_email` is to be it and waits for that, since `asked_at`; `asked_number` counts the
    letters to such addresses, and what ends them.
    """

    wallet = models.OneToOneField(
        Wallet, models.PROTECT, primary_key=True, db_column="org_id", related_name="notice_settings"
    )
    billing_email = models.EmailField(blank=True, default="")
    asked_email = models.EmailField("address to be confirmed", blank=True, default="", db_default="")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    asked_at = models.DateTimeField(null=True)
    asked_number = models.PositiveIntegerField(default=0, db_default=0)
    muted = models.JSONField("kinds not wanted by mail", default=list)
    low_balance = models.JSONField("balances to be told at, plain decimal USD", default=list)
    changed_at = models.DateTimeField()

    class Meta:
        db_table = "notice_settings"
        constraints = [
            models.CheckConstraint(
                condition=Q(asked_email="", asked_by__isnull=True, asked_at__isnull=True)
                | ~Q(asked_email="") & Q(asked_by__isnull=False, asked_at__isnull=False),
                name="notice_settings_asked_whole",
            )
        ]


class LowBalanceArmed(models.Model):
    """The balance was above `threshold`, USD, and has not been below it since: the next time it is, that is told.

    The row goes with the telling and comes back with the balance, so that a balance around the threshold is told once.
    """

    pk = models.CompositePrimaryKey("wallet_id", "threshold")
    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="low_balance_armed")
    threshold = UsdField()

    class Meta:
        db_table = "low_balance_armed"
        constraints = [
            models.CheckConstraint(condition=bounded("threshold", above=0), name="low_balance_armed_bounded")
        ]
