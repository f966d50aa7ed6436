"""What is sold. Prices, limits and plans are published from a file (`manage.py import_catalog`), all of it or nothing,
so that notice periods hold: here they are shown."""

from django.contrib import admin

from billing.admin.reading import ReadOnly, exact, lines
from billing.catalog.current import WINDOWS
from billing.catalog.models import AIModel, Plan, Price, RateLimit

PER_MILLION = 1_000_000


@admin.register(AIModel)
class AIModelAdmin(ReadOnly[AIModel]):
    list_display = ("slug", "name", "provider", "deprecated_on")
    search_fields = ("slug", "name")
    readonly_fields = ("price_versions", "limits")

    @admin.display(description="USD per million tokens")
    def price_versions(self, model: AIModel) -> str:
        return lines(
            f"from {price.valid_from:%d %b %Y}: {exact(price.input_usd * PER_MILLION)} in, "
            f"{exact(price.cached_usd * PER_MILLION)} cached, {exact(price.output_usd * PER_MILLION)} out"
            for price in model.prices.all()
        )

    @admin.display(description="rate limits by tier")
    def limits(self, model: AIModel) -> str:
        return lines(
            f"{limit.tier}: {', '.join(_windows(limit)) or 'not limited'}" for limit in model.rate_limits.all()
        )


def _windows(limit: RateLimit) -> list[str]:
    return [
        f"{getattr(limit, name):,} {name.replace('_', ' ')}" for name in WINDOWS if getattr(limit, name) is not None
    ]


@admin.register(Price)
class PriceAdmin(ReadOnly[Price]):
    list_display = ("model", "valid_from", "input", "cached", "output")
    list_select_related = ("model",)
    list_filter = ("model",)

    @admin.display(description="USD per million input")
    def input(self, price: Price) -> str:
        return exact(price.input_usd * PER_MILLION)

    @admin.display(description="cached input")
    def cached(self, price: Price) -> str:
        return exact(price.cached_usd * PER_MILLION)

    @admin.display(description="output")
    def output(self, price: Price) -> str:
        return exact(price.output_usd * PER_MILLION)


@admin.register(Plan)
class PlanAdmin(ReadOnly[Plan]):
    list_display = ("name", "slug", "price", "daily_tokens", "rank")

    @admin.display(description="USD a month", ordering="price_usd")
    def price(self, plan: Plan) -> str:
        return exact(plan.price_usd)
