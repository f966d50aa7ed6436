"""Money coming in, to look at."""

from django.contrib import admin

from billing.admin.reading import ReadOnly, exact
from billing.money import from_cents
from billing.payments.models import Customer, Intent, PaymentMethod


@admin.register(Intent)
class IntentAdmin(ReadOnly[Intent]):
    list_display = ("id", "organization", "purpose", "amount", "state", "created_at", "settled_at", "failure_code")
    list_filter = ("state", "purpose")
    search_fields = ("=id", "=provider_id", "=charge_id", "=checkout_id", "wallet__organization__slug")
    list_select_related = ("wallet__organization",)
    date_hierarchy = "created_at"

    @admin.display(ordering="wallet_id")
    def organization(self, intent: Intent) -> object:
        return intent.wallet.organization

    @admin.display(ordering="amount_cents")
    def amount(self, intent: Intent) -> str:
        return exact(from_cents(intent.amount_cents))


@admin.register(PaymentMethod)
class PaymentMethodAdmin(ReadOnly[PaymentMethod]):
    list_display = ("stripe_id", "wallet_id", "brand", "last4", "exp_month", "exp_year", "is_default", "detached_at")
    search_fields = ("=stripe_id", "wallet__organization__slug")


@admin.register(Customer)
class CustomerAdmin(ReadOnly[Customer]):
    list_display = ("stripe_id", "wallet_id")
    search_fields = ("=stripe_id", "wallet__organization__slug")
