"""Statements, receipts and billing details, to look at."""

from django.contrib import admin

from billing.admin.reading import ReadOnly
from billing.statements.models import BillingDetails, Receipt, Statement


@admin.register(Statement)
class StatementAdmin(ReadOnly[Statement]):
    list_display = ("name", "organization", "period", "issued_at")
    list_select_related = ("wallet__organization",)
    search_fields = ("=number", "wallet__organization__slug")
    date_hierarchy = "period"

    @admin.display(ordering="wallet_id")
    def organization(self, statement: Statement) -> object:
        return statement.wallet.organization


@admin.register(Receipt)
class ReceiptAdmin(ReadOnly[Receipt]):
    list_display = ("name", "organization", "intent_id", "issued_at")
    list_select_related = ("wallet__organization",)
    search_fields = ("=number", "=intent__id", "wallet__organization__slug")

    @admin.display(ordering="wallet_id")
    def organization(self, receipt: Receipt) -> object:
        return receipt.wallet.organization


@admin.register(BillingDetails)
class BillingDetailsAdmin(ReadOnly[BillingDetails]):
    list_display = ("legal_name", "wallet_id", "country", "tax_id", "changed_at")
    search_fields = ("legal_name", "wallet__organization__slug")
