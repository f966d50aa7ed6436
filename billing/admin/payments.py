"""Money coming in and going back: payments, which staff may refund, refunds and disputes."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from billing import flows
from billing.admin import moving
from billing.admin.acts import WithActs
from billing.admin.reading import ReadOnly, exact
from billing.money import from_cents
from billing.payments.card_setups import CardSetup
from billing.payments.models import Customer, Dispute, DisputeMovement, Intent, PaymentMethod, Refund


@admin.register(Intent)
class IntentAdmin(WithActs[Intent]):
    acts = (moving.REFUND,)
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


@admin.register(CardSetup)
class CardSetupAdmin(ReadOnly[CardSetup]):
    """Somebody added a card without paying, and what came of it."""

    list_display = ("created_at", "organization", "state", "created_by", "settled_at", "failure_code", "method")
    list_filter = ("state",)
    search_fields = ("=id", "=page_id", "=method__stripe_id", "wallet__organization__slug")
    list_select_related = ("wallet__organization", "created_by", "method")
    date_hierarchy = "created_at"
    exclude = ("page_url",)  # opens the page for whoever has it

    @admin.display(ordering="wallet_id")
    def organization(self, setup: CardSetup) -> object:
        return setup.wallet.organization


@admin.register(Customer)
class CustomerAdmin(ReadOnly[Customer]):
    list_display = ("stripe_id", "wallet_id")
    search_fields = ("=stripe_id", "wallet__organization__slug")


@admin.register(Refund)
class RefundAdmin(ReadOnly[Refund]):
    """Those that were made in Stripe's dashboard wait here until staff have looked at them; so do those that the rules asked
    for (days of a plan that were not used) and that failed: that money has to reach its customer another way."""

    list_display = ("created_at", "organization", "amount", "state", "asked_by", "stripe_reason", "needs_review")
    list_filter = ("needs_review", "state", "stripe_reason")
    search_fields = ("=id", "=provider_id", "=intent__id", "=intent__charge_id", "wallet__organization__slug")
    list_select_related = ("wallet__organization", "asked_by")
    date_hierarchy = "created_at"
    actions = ("reviewed",)

    @admin.display(ordering="wallet_id")
    def organization(self, refund: Refund) -> object:
        return refund.wallet.organization

    @admin.display(ordering="amount_cents")
    def amount(self, refund: Refund) -> str:
        return exact(from_cents(refund.amount_cents))

    def has_reviewed_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_refund")

    @admin.action(description="Reviewed: it may stand", permissions=["reviewed"])
    def reviewed(self, request: HttpRequest, chosen: QuerySet[Refund]) -> None:
        waiting = list(chosen.filter(needs_review=True))
        for refund in waiting:
            flows.review_refund(refund.pk, by=request.user.pk or 0, now=datetime.now(UTC))
            self.log_change(request, refund, "Reviewed.")
        self.message_user(request, f"Reviewed {len(waiting)} refunds.")


class MovementInline(admin.TabularInline[DisputeMovement, Dispute]):
    """What the dispute moved."""

    model = DisputeMovement
    fields = ("id", "amount", "at", "posted_at")
    readonly_fields = fields
    can_delete = False
    extra = 0
    ordering = ("at", "id")

    @admin.display()
    def amount(self, movement: DisputeMovement) -> str:
        return exact(from_cents(movement.amount_cents))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Dispute)
class DisputeAdmin(ReadOnly[Dispute]):
    list_display = ("provider_id", "organization", "amount", "reason", "status", "opened_at", "closed_at")
    list_filter = ("status", "reason")
    search_fields = ("=provider_id", "=intent__id", "=intent__charge_id", "wallet__organization__slug")
    list_select_related = ("wallet__organization",)
    date_hierarchy = "opened_at"
    inlines = (MovementInline,)

    @admin.display(ordering="wallet_id")
    def organization(self, dispute: Dispute) -> object:
        return dispute.wallet.organization

    @admin.display(ordering="amount_cents")
    def amount(self, dispute: Dispute) -> str:
        return exact(from_cents(dispute.amount_cents))
