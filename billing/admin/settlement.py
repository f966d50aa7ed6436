"""Settled months, and a button that settles and collects what is due: pressed at any time, it does nothing twice."""

from celery import current_app
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from billing import queue
from billing.admin.reading import ReadOnly, exact
from billing.money import from_cents
from billing.settlement.models import Settlement

TASKS = ("billing.tasks.settle_periods", "billing.tasks.collect_settlements")


@admin.register(Settlement)
class SettlementAdmin(ReadOnly[Settlement]):
    change_list_template = "admin/billing/settlements.html"
    list_display = (
        "period", "organization", "at_end", "at_closing", "decided", "charge", "let_go", "carried_over", "stage", "tries",
        "next_try_at",
    )  # fmt: skip
    list_filter = ("stage", "decided", "period")
    list_select_related = ("wallet__organization",)
    search_fields = ("wallet__organization__slug", "=intent__id")
    ordering = ("-period", "-id")

    def get_urls(self) -> list[URLPattern]:
        again = path(
            "again/", self.admin_site.admin_view(require_POST(self.settle_again)), name="billing_settlement_again"
        )
        return [again, *super().get_urls()]

    def settle_again(self, request: HttpRequest) -> HttpResponse:
        """Through the queue: there may be many organizations. A month that is closed stays as it is."""
        if not request.user.has_perm("billing.add_settlement"):
            raise PermissionDenied
        for task in TASKS:
            queue.hint(current_app.signature(task))
        self.message_user(request, "Asked for: what is due is settled and charged within a minute.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:billing_settlement_changelist"))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        may_run = request.user.has_perm("billing.add_settlement")
        return super().changelist_view(request, {**(extra_context or {}), "may_run": may_run})

    @admin.display(ordering="wallet_id")
    def organization(self, settlement: Settlement) -> object:
        return settlement.wallet.organization

    @admin.display(description="owed at the end", ordering="overdraft_at_end")
    def at_end(self, settlement: Settlement) -> str:
        return exact(settlement.overdraft_at_end)

    @admin.display(description="owed at closing", ordering="overdraft_at_closing")
    def at_closing(self, settlement: Settlement) -> str:
        return exact(settlement.overdraft_at_closing)

    @admin.display(ordering="charge_cents")
    def charge(self, settlement: Settlement) -> str:
        return exact(from_cents(settlement.charge_cents))

    @admin.display(description="written off", ordering="written_off")
    def let_go(self, settlement: Settlement) -> str:
        return exact(settlement.written_off)

    @admin.display(description="carried", ordering="carried")
    def carried_over(self, settlement: Settlement) -> str:
        return exact(settlement.carried)
