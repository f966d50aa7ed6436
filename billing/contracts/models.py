"""The tables of what was promised; those of its months are in `monthly.py`.

The triggers that guard them are in `billing/migrations/`; the rules in `terms.py`.
"""

import uuid
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from billing.catalog.models import AIModel
from billing.contracts.terms import FEWEST_TOKENS, LEAST_CENTS, MILLION, MOST_CENTS, MOST_TOKENS, Terms
from billing.ledger.models import Wallet
from billing.money import UsdField, bounded


class State(models.TextChoices):
    """A contract moves down this list only (trigger), but that past due and active may follow each other."""

    DRAFT = "draft", "Draft"
    OFFERED = "offered", "Offered"
    ACCEPTED = "accepted", "Accepted"
    ACTIVE = "active", "Active"
    PAST_DUE = "past_due", "Past due"
    ENDED = "ended", "Ended"
    WITHDRAWN = "withdrawn", "Withdrawn"


RUNNING = (State.ACTIVE, State.PAST_DUE)
LIVE = (State.ACCEPTED, *RUNNING)
"""Those whose models are reserved: no plan and no other contract can cover them."""


class Ended(models.TextChoices):
    """Why it ended."""

    TERM = "term", "At the end of its term"
    RETIRED = "retired", "Its last model was retired"
    UNPAID = "unpaid", "It was not paid"


class Contract(models.Model):
    """Reserved capacity of one organization. Money in USD per token; `amount_cents` is what a month costs.

    `starts_on` moves on by a month each time its first month is not paid on its first day; once active nothing of this
    changes but the state and the overage limit.
    """

    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="contracts")
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    tokens = models.BigIntegerField("tokens a month")
    price_usd = UsdField("USD per token")
    overage_usd = UsdField("USD per token beyond")
    amount_cents = models.BigIntegerField("cents a month")
    overage_limit_cents = models.BigIntegerField("cents of overage a month")
    starts_on = models.DateField()
    ends_on = models.DateField()
    drafted_at = models.DateTimeField()
    offered_at = models.DateTimeField(null=True)
    accepted_at = models.DateTimeField(null=True)
    active_from = models.DateTimeField(null=True)
    over_at = models.DateTimeField("ended or withdrawn at", null=True)
    ended_as = models.CharField(max_length=8, choices=Ended, blank=True, default="")

    class Meta:
        db_table = "contract"
        constraints = [
            models.UniqueConstraint(fields=["wallet", "id"], name="contract_of_organization"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="contract_state_known"),
            models.CheckConstraint(
                condition=Q(tokens__gte=FEWEST_TOKENS, tokens__lte=MOST_TOKENS), name="contract_tokens_bounded"
            ),
            models.CheckConstraint(
                condition=bounded("price_usd", above=0) & bounded("overage_usd", above=0),
                name="contract_prices_positive",
            ),
            models.CheckConstraint(
                condition=Q(amount_cents__gte=LEAST_CENTS, amount_cents__lte=MOST_CENTS)
                & Q(overage_limit_cents__gte=0, overage_limit_cents__lte=MOST_CENTS),
                name="contract_amounts_bounded",
            ),
            models.CheckConstraint(condition=Q(starts_on__day=1, ends_on__day=1), name="contract_from_first_of_month"),
            models.CheckConstraint(
                condition=~Q(state__in=RUNNING) | Q(active_from__isnull=False), name="contract_active_since"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["ended", "withdrawn"], over_at__isnull=False)
                | ~Q(state__in=["ended", "withdrawn"]) & Q(over_at__isnull=True),
                name="contract_over_has_moment",
            ),
            models.CheckConstraint(
                condition=Q(state="ended", ended_as__in=Ended.values) | ~Q(state="ended") & Q(ended_as=""),
                name="contract_ended_has_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["wallet"], name="contract_of_wallet"),
            models.Index(fields=["starts_on"], condition=Q(state__in=LIVE), name="contract_live"),
        ]

    def __str__(self) -> str:
        return f"{self.tokens:,} tokens a month from {self.starts_on:%b %Y}"

    @property
    def terms(self) -> Terms:
        return Terms(
            self.tokens, self.price_usd * MILLION, self.overage_usd * MILLION, self.starts_on, self.overage_limit_cents
        )

    @property
    def amount(self) -> Decimal:
        """What a month costs, in USD."""
        return Decimal(self.amount_cents) / 100


class ContractModel(models.Model):
    """A model of a contract, with the rates at which it is served; None: that window is not limited.

    `since`, `until` and `live` repeat the contract's, so that the database can refuse two contracts for one model at once.
    """

    contract = models.ForeignKey(Contract, models.PROTECT, related_name="covers")
    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="+")
    model = models.ForeignKey(AIModel, models.PROTECT, related_name="+")
    since = models.DateField()
    until = models.DateField()
    live = models.BooleanField(default=False)
    requests_per_minute = models.IntegerField(null=True)
    requests_per_hour = models.IntegerField(null=True)
    tokens_per_minute = models.BigIntegerField(null=True)
    tokens_per_hour = models.BigIntegerField(null=True)

    class Meta:
        db_table = "contract_model"
        constraints = [
            models.UniqueConstraint(fields=["contract", "model"], name="contract_model_once"),
            models.CheckConstraint(
                condition=Q(since__day=1) & Q(until__gt=F("since")), name="contract_model_span_not_empty"
            ),
            models.CheckConstraint(
                condition=(Q(requests_per_minute__isnull=True) | Q(requests_per_minute__gt=0))
                & (Q(requests_per_hour__isnull=True) | Q(requests_per_hour__gt=0))
                & (Q(tokens_per_minute__isnull=True) | Q(tokens_per_minute__gt=0))
                & (Q(tokens_per_hour__isnull=True) | Q(tokens_per_hour__gt=0)),
                name="contract_model_limits_positive",
            ),
        ]

    def __str__(self) -> str:
        return self.model.name


class Acceptance(models.Model):
    """Who accepted a contract, when, under which name, and in which exact words (`digest`: their SHA-256)."""

    contract = models.OneToOneField(Contract, models.PROTECT, primary_key=True, related_name="acceptance")
    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    name = models.CharField("typed name", max_length=120)
    at = models.DateTimeField()
    wording = models.CharField(max_length=8)
    text = models.TextField()
    digest = models.BinaryField(max_length=32)

    class Meta:
        db_table = "contract_acceptance"


class Act(models.TextChoices):
    """What people did to a contract."""

    DRAFTED = "drafted", "Drafted"
    OFFERED = "offered", "Offered"
    WITHDRAWN = "withdrawn", "Withdrawn"
    LIMIT_SET = "limit_set", "Overage limit set"
    PUT_OFF = "put_off", "Start put off by a month"
    END_PROPOSED = "end_proposed", "End for non-payment proposed"
    END_APPROVED = "end_approved", "End for non-payment approved"


class ContractAct(models.Model):
    """Who did what to a contract, when and why; `by` None: it happened by itself. Written once."""

    contract = models.ForeignKey(Contract, models.PROTECT, related_name="acts")
    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="+")
    act = models.CharField(max_length=12, choices=Act)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField()
    reason = models.TextField(blank=True, default="")

    class Meta:
        db_table = "contract_act"
        constraints = [
            models.CheckConstraint(condition=Q(act__in=Act.values), name="contract_act_known"),
            models.CheckConstraint(
                condition=~Q(act__in=["end_proposed", "end_approved"]) | Q(by__isnull=False) & ~Q(reason=""),
                name="contract_act_of_staff_has_reason",
            ),
            models.UniqueConstraint(
                fields=["contract", "by"],
                condition=Q(act__in=["end_proposed", "end_approved"]),
                name="contract_end_by_two_people",
            ),
        ]
        indexes = [models.Index(fields=["contract", "id"], name="contract_act_in_order")]
