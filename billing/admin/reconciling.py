"""What was compared with Stripe's own lists, what did not agree, and a button to compare now."""

from celery import current_app
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.views.decorators.http import require_POST

from billing import queue
from billing.admin.reading import ReadOnly, exact
from billing.money import from_cents
from billing.payments.reconciliations import Reconciliation, ReconciliationFinding

RECONCILE = "billing.tasks.reconcile_stripe"
SHOWN = 100
"""Findings shown with their run; the list of findings has them all."""


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnly[Reconciliation]):
    """One row a night, and one for each time somebody asked for it."""

    change_list_template = "admin/billing/reconciliations.html"
    list_display = (
        "started_at", "state", "since", "through", "charges", "refunds", "disputes", "healed", "not_ours", "found",
        "at_stripe", "in_ledger",
    )  # fmt: skip
    date_hierarchy = "started_at"
    readonly_fields = ("state", "at_stripe", "in_ledger", "what_was_found")

    def get_urls(self) -> list[URLPattern]:
        run = path("run/", self.admin_site.admin_view(require_POST(self.run_now)), name="billing_reconciliation_run")
        return [run, *super().get_urls()]

    def run_now(self, request: HttpRequest) -> HttpResponse:
        """Through the queue: Stripe's lists may be long."""
        if not request.user.has_perm("billing.add_reconciliation"):
            raise PermissionDenied
        queue.hint(current_app.signature(RECONCILE), True)
        self.message_user(request, "Asked for: it appears below within seconds.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:billing_reconciliation_changelist"))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        may_run = request.user.has_perm("billing.add_reconciliation")
        return super().changelist_view(request, {**(extra_context or {}), "may_run": may_run})

    @admin.display()
    def state(self, run: Reconciliation) -> str:
        if run.finished_at is None:
            return "Under way, or its process died"
        return "Not finished: a part only" if run.error else "Something is left" if run.found else "All agrees"

    @admin.display(description="moved at Stripe")
    def at_stripe(self, run: Reconciliation) -> str:
        return exact(from_cents(run.there_cents))

    @admin.display(description="moved in the ledger")
    def in_ledger(self, run: Reconciliation) -> str:
        return exact(from_cents(run.here_cents))

    @admin.display(description="what was found")
    def what_was_found(self, run: Reconciliation) -> str:
        if not run.found:
            return "Nothing."
        rows = format_html_join(
            "",
            "<li>{}: {} <strong>{}</strong> {} {} (first seen {})</li>",
            (
                (found.get_kind_display(), found.get_thing_display(), found.provider_id, about(found), found.words,
                 f"{found.first_seen_at:%d %b %Y %H:%M}")
                for found in run.findings.select_related("wallet__organization")[:SHOWN]
            ),
        )  # fmt: skip
        everything = reverse("admin:billing_reconciliationfinding_changelist") + f"?run__id__exact={run.pk}"
        return format_html('<ul>{}</ul><a href="{}">All {} as a list</a>', rows, everything, run.found)


def about(finding: ReconciliationFinding) -> str:
    """Whose it is and which payment, to click on."""
    links = []
    if finding.wallet and finding.wallet.organization:
        organization = finding.wallet.organization
        links.append((reverse("admin:orgs_organization_change", args=[organization.pk]), str(organization)))
    if finding.intent_id:
        links.append((reverse("admin:billing_intent_change", args=[finding.intent_id]), "its payment"))
    return format_html_join(", ", '<a href="{}">{}</a>', links)


@admin.register(ReconciliationFinding)
class ReconciliationFindingAdmin(ReadOnly[ReconciliationFinding]):
    list_display = ("run", "kind", "thing", "provider_id", "whose", "here", "there", "first_seen_at")
    list_select_related = ("run", "wallet__organization")
    list_filter = ("kind", "thing")
    search_fields = ("=provider_id", "wallet__organization__slug")
    readonly_fields = ("whose", "here", "there")

    @admin.display(description="of")
    def whose(self, finding: ReconciliationFinding) -> str:
        return about(finding)

    @admin.display(ordering="here_cents")
    def here(self, finding: ReconciliationFinding) -> str:
        return exact(None if finding.here_cents is None else from_cents(finding.here_cents))

    @admin.display(description="at Stripe", ordering="there_cents")
    def there(self, finding: ReconciliationFinding) -> str:
        return exact(None if finding.there_cents is None else from_cents(finding.there_cents))
