"""Alerts: what the organization was told, and what it wants to be told by mail."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from billing.notices import confirming, listing, wishes
from billing.notices.models import Notice
from billing.views import reading
from billing.views.alert_form import AlertForm
from orgs import access
from orgs.access import OrgRequest


@require_safe
@access.requires(access.READ)
@reading.page
def alerts(request: OrgRequest, slug: str) -> HttpResponse:
    return _page(request)


@require_POST
@access.requires(access.MOVE_MONEY)
def settings(request: OrgRequest, slug: str) -> HttpResponse:
    org_id = request.organization.pk
    form = AlertForm(request.POST, wishes.of(org_id))
    if not form.is_valid():
        return _page(request, form)
    said = form.cleaned_data
    try:
        wishes.keep(
            org_id,
            billing_email=said["billing_email"],
            mailed=form.mailed(),
            thresholds=said["thresholds"],
            by=request.user.pk,
            now=timezone.now(),
        )
    except confirming.TooManyLetters as refusal:
        form.add_error("billing_email", str(refusal))
        return _page(request, form)
    messages.success(request, "Saved. From now on mail goes out like this.")
    return redirect("billing:alerts", slug=slug)


def _page(request: OrgRequest, form: AlertForm | None = None) -> HttpResponse:
    """`form`: one that was sent and cannot be kept."""
    org_id = request.organization.pk
    kept = wishes.of(org_id)
    told = listing.read(org_id, before=_cursor(request, "before"), after=_cursor(request, "after"))
    here = reverse("billing:alerts", args=[request.organization.slug])
    number = listing.number(org_id)
    page = {
        "form": form or AlertForm(None, kept),
        "wishes": kept,
        "told": told.told,
        "summary": f"{number:,} {'alert' if number == 1 else 'alerts'}",
        "newest_url": here,
        "newer": told.newer,
        "newer_url": f"{here}?after={told.told[0].notice.pk}#told" if told.newer and told.told else "",
        "older_url": f"{here}?before={told.told[-1].notice.pk}#told" if told.older and told.told else "",
    }
    return render(request, "billing/alerts.html", page)


def _cursor(request: OrgRequest, name: str) -> Notice | None:
    """A notice of this organization; any other is 404."""
    given = request.GET.get(name)
    found = listing.named(request.organization.pk, given) if given is not None else None
    if given is not None and found is None:
        raise Http404("No such alert.")
    return found
