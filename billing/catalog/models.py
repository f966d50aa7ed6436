"""The tables of what is sold."""

from datetime import UTC, datetime, time, timedelta

from django.db import models
from django.db.models import Q

from billing.money import UsdField, bounded


class AIModel(models.Model):
    """A model that is sold by the token. Usable through `deprecated_on` in UTC, refused from the next midnight (A30)."""

    id = models.SmallAutoField(primary_key=True)
    slug = models.SlugField(max_length=64, unique=True, allow_unicode=False)
    name = models.CharField(max_length=80)
    provider = models.CharField(max_length=80)
    deprecated_on = models.DateField(null=True, blank=True)

    class Meta:
        db_table = "ai_model"
        verbose_name = "AI model"
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.slug

    @property
    def refused_from(self) -> datetime | None:
        """The first instant at which requests are refused, None while no end is announced."""
        if self.deprecated_on is None:
            return None
        return datetime.combine(self.deprecated_on + timedelta(days=1), time.min, UTC)


class Price(models.Model):
    """One price version in USD per token, in force from `valid_from` until the model's next version.

    Append-only (trigger). Only the start is stored, so versions can neither gap nor overlap. A version starts in the
    future unless it is the model's first (A32).
    """

    model = models.ForeignKey(AIModel, models.PROTECT, related_name="prices")
    valid_from = models.DateTimeField()
    input_usd = UsdField("USD per input token")
    cached_usd = UsdField("USD per cached input token")
    output_usd = UsdField("USD per output token")

    class Meta:
        db_table = "price"
        ordering = ("model", "valid_from")
        constraints = [
            models.UniqueConstraint(fields=["model", "valid_from"], name="price_version_once"),
            models.CheckConstraint(
                condition=bounded("input_usd", at_least=0)
                & bounded("cached_usd", at_least=0)
                & bounded("output_usd", at_least=0),
                name="price_bounded",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} from {self.valid_from:%Y-%m-%d}"


class RateLimit(models.Model):
    """What a tier may do on a model. An absent window is unlimited; an absent row means not offered to the tier (A50)."""

    model = models.ForeignKey(AIModel, models.PROTECT, related_name="rate_limits")
    tier = models.CharField(max_length=48, help_text="free, payg, or plan:<slug>")
    requests_per_minute = models.PositiveBigIntegerField(null=True, blank=True)
    requests_per_hour = models.PositiveBigIntegerField(null=True, blank=True)
    requests_per_day = models.PositiveBigIntegerField(null=True, blank=True)
    tokens_per_minute = models.PositiveBigIntegerField(null=True, blank=True)
    tokens_per_hour = models.PositiveBigIntegerField(null=True, blank=True)
    tokens_per_day = models.PositiveBigIntegerField(null=True, blank=True)

    class Meta:
        db_table = "rate_limit"
        ordering = ("model", "tier")
        constraints = [
            models.UniqueConstraint(fields=["model", "tier"], name="rate_limit_once"),
            models.CheckConstraint(
                condition=Q(tier__in=["free", "payg"]) | Q(tier__startswith="plan:"), name="rate_limit_tier_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model}, {self.tier}"


class Plan(models.Model):
    """A monthly subscription. `rank` decides what is an upgrade and what a downgrade."""

    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=60)
    price_usd = UsdField("USD a month")
    daily_tokens = models.PositiveBigIntegerField("tokens per UTC day")
    rank = models.PositiveSmallIntegerField(unique=True)
    covers = models.ManyToManyField(AIModel, related_name="plans")

    class Meta:
        db_table = "plan"
        ordering = ("rank",)
        constraints = [models.CheckConstraint(condition=bounded("price_usd", above=0), name="plan_price_bounded")]

    def __str__(self) -> str:
        return self.name
