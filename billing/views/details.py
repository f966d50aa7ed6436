"""Whom statements and receipts are made out to."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from billing.statements.models import BillingDetails
from billing.views.details_form import DetailsForm
from orgs import access
from orgs.access import OrgRequest


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(access.MOVE_MONEY)
def details(request: OrgRequest, slug: str) -> HttpResponse:
    org_id = request.organization.pk
    stored = BillingDetails.objects.filter(pk=org_id).first()
    form = DetailsForm(request.POST if request.method == "POST" else None, initial=_said(stored, request))
    if request.method == "POST" and form.is_valid():
        changed = {**form.cleaned_data, "changed_by": request.user, "changed_at": timezone.now()}
        BillingDetails.objects.update_or_create(pk=org_id, defaults=changed)
        messages.success(
            request, "From now on statements and receipts say this. Those that were issued stay as they are."
        )
        return redirect("billing:details", slug=slug)
    return render(request, "billing/details.html", {"form": form})


def _said(stored: BillingDetails | None, request: OrgRequest) -> dict[str, str]:
    if stored is None:
        return {"legal_name": request.organization.name}
    return {
        "legal_name": stored.legal_name, "address": stored.address, "country": stored.country, "tax_id": stored.tax_id,
    }  # fmt: skip
