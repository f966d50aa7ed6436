"""What is sold. Prices, limits and plans are published from a file (`manage.py import_catalog`), all of it or nothing,
so that notice periods hold: here they are shown."""

from django.contrib import admin

from billing.admin.reading import ReadOnly, exact
from billing.catalog.models import AIModel, Plan, Price, RateLimit

PER_MILLION = 1_000_000


class PriceInline(admin.TabularInline[Price, AIModel]):
    model = Price
    fields = ("valid_from", "input_usd", "cached_usd", "output_usd")
    extra = 0
    can_delete = False


class RateLimitInline(admin.TabularInline[RateLimit, AIModel]):
    model = RateLimit
    extra = 0
    can_delete = False


@admin.register(AIModel)
class AIModelAdmin(ReadOnly[AIModel]):
    list_display = ("slug", "name", "provider", "deprecated_on")
    search_fields = ("slug", "name")
    inlines = (PriceInline, RateLimitInline)


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
