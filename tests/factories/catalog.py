"""What is sold: the first catalog as it is published, or one model made to measure."""

from datetime import UTC, date, datetime
from decimal import Decimal

from billing.catalog import publishing
from billing.catalog.models import AIModel, Plan, Price, RateLimit
from billing.catalog.offer import MILLION
from billing.management.commands.import_catalog import FIRST_CATALOG

FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)


def first_catalog(*, now: datetime = FIRST_DAY) -> dict[str, AIModel]:
    """The catalog of a new portal, by slug."""
    publishing.import_file(FIRST_CATALOG, now=now)
    return {model.slug: model for model in AIModel.objects.all()}


def model(
    slug: str = "gpt-oss-120b",
    *,
    input_usd: str = "0.35",
    cached_usd: str | None = None,
    output_usd: str = "0.75",
    valid_from: datetime = FIRST_DAY,
    deprecated_on: date | None = None,
) -> AIModel:
    """A model with one price (USD per million tokens), offered to everybody."""
    row = AIModel.objects.create(slug=slug, name=slug, provider="Example", deprecated_on=deprecated_on)
    price(row, valid_from, input_usd=input_usd, cached_usd=cached_usd, output_usd=output_usd)
    RateLimit.objects.create(model=row, tier="payg", requests_per_minute=1_000, tokens_per_minute=1_000_000)
    RateLimit.objects.create(model=row, tier="free", requests_per_minute=10, tokens_per_day=1_000_000)
    return row


def price(
    row: AIModel, valid_from: datetime, *, input_usd: str, cached_usd: str | None = None, output_usd: str
) -> Price:
    """One more price version, in USD per million tokens, whatever the notice."""
    per_token = [Decimal(usd) / MILLION for usd in (input_usd, cached_usd or input_usd, output_usd)]
    return Price.objects.create(
        model=row, valid_from=valid_from, input_usd=per_token[0], cached_usd=per_token[1], output_usd=per_token[2]
    )


def plan(row: AIModel, slug: str = "code-pro", *, daily_tokens: int = 24_000_000, rank: int = 1) -> Plan:
    """A plan that covers this model, at half the speed of pay-as-you-go."""
    made = Plan.objects.create(
        slug=slug, name=slug.replace("-", " ").title(), price_usd=Decimal(50), daily_tokens=daily_tokens, rank=rank
    )
    made.covers.add(row)
    RateLimit.objects.create(model=row, tier=f"plan:{slug}", requests_per_minute=50, tokens_per_minute=250_000)
    return made
