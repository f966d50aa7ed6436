"""Where people arrive: at the organization they looked at last."""

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from orgs import access, founding
from orgs.access import OrgRequest, PersonRequest


@require_http_methods(["GET", "HEAD", "POST"])
def home(request: HttpRequest) -> HttpResponseBase:
    if not request.user.is_authenticated:
        return redirect("account_login")
    return _arrive(request)


@access.signed_in
def _arrive(request: PersonRequest) -> HttpResponse:
    """Somebody without any organization (an account made on the command line) may make the Personal one."""
    if request.membership:
        return redirect("billing:overview", slug=request.membership.organization.slug)
    if request.method != "POST":
        return render(request, "orgs/no_organization.html")
    personal = founding.found_personal(request.user, timezone.now())
    return redirect("billing:overview", slug=personal.slug)


@require_safe
@access.requires(access.READ)
def more(request: OrgRequest, slug: str) -> HttpResponse:
    """The phone's page of everything that its bottom bar has no room for."""
    return render(request, "orgs/more.html")
