"""The billing address is confirmed: by whoever has the link of the letter to it, signed in or not, with one button."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from billing.notices import confirming
from orgs import access
from orgs.access import OrgRequest
from orgs.models import Organization


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Looking changes nothing. Pressing twice, or following the link later, says that it is confirmed."""
    now = timezone.now()
    try:
        if request.method == "POST":
            confirming.confirm(token, now=now)
            return redirect("billing:billing_email", token=token)
        link = confirming.read(token, now)
    except confirming.LinkOver as over:
        return render(request, "billing/link_over.html", {"why": str(over)}, status=404)
    organization = Organization.objects.values_list("name", flat=True).get(pk=link.org_id)
    return render(request, "billing/billing_email.html", {"link": link, "organization": organization})


@require_POST
@access.requires(access.MOVE_MONEY)
def again(request: OrgRequest, slug: str) -> HttpResponse:
    """The letter once more, with a new link."""
    try:
        if confirming.again(request.organization.pk, by=request.user.pk, now=timezone.now()):
            messages.success(request, "Sent again. Only the newest link works.")
        else:
            messages.info(request, "No address waits to be confirmed.")
    except confirming.TooManyLetters as refusal:
        messages.error(request, str(refusal))
    return redirect("billing:alerts", slug=slug)
