"""Use coming in: the gateways, and what was refused."""

from datetime import UTC, datetime

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from billing.admin.reading import ReadOnly
from billing.metering import gateways, reingesting
from billing.metering.models import Gateway, RefusedUsage, SweepRun, UsageReversal


@admin.register(Gateway)
class GatewayAdmin(ReadOnly[Gateway]):
    """A gateway that is gone for good is retired here: until then it holds back what counts as complete (A13)."""

    list_display = ("name", "created_at", "last_seen_at", "complete_through", "retired_at")
    search_fields = ("name",)
    actions = ("retire",)

    def has_retire_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_gateway")

    @admin.action(description="Retire: it reports no more", permissions=["retire"])
    def retire(self, request: HttpRequest, chosen: QuerySet[Gateway]) -> None:
        now = datetime.now(UTC)
        for gateway in chosen:
            gateways.retire(gateway, now=now)
            self.log_change(request, gateway, "Retired.")
        self.message_user(request, f"Retired {len(chosen)} gateways.")


@admin.register(RefusedUsage)
class RefusedUsageAdmin(ReadOnly[RefusedUsage]):
    """Events of a model or price that was missing are let in here once it is there (A19)."""

    list_display = ("received_at", "gateway", "reason", "event_id", "detail", "reingested_at")
    list_select_related = ("gateway",)
    list_filter = ("reason", "gateway")
    search_fields = ("=event_id",)
    date_hierarchy = "received_at"
    actions = ("take_in",)

    def has_take_in_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_refusedusage")

    @admin.action(description="Take in again: the cause is mended", permissions=["take_in"])
    def take_in(self, request: HttpRequest, chosen: QuerySet[RefusedUsage]) -> None:
        rows = list(chosen.order_by("pk"))
        taken = reingesting.again(rows, now=datetime.now(UTC))
        for row in rows:
            self.log_change(request, row, "Asked to take in again.")
        self.message_user(request, f"{taken} of {len(rows)} are in now and are charged within seconds.")


@admin.register(UsageReversal)
class UsageReversalAdmin(ReadOnly[UsageReversal]):
    list_display = ("reversed_at", "wallet_id", "event_id", "cost", "gateway", "reason")
    list_select_related = ("gateway",)
    search_fields = ("=event_id", "=id")


@admin.register(SweepRun)
class SweepRunAdmin(ReadOnly[SweepRun]):
    list_display = ("at", "complete_through", "rows", "milliseconds")
