"""Making a Team, and what an organization is called."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from orgs import access, founding, throttle
from orgs.access import OrgRequest, PersonRequest
from orgs.forms import OrganizationNameForm, TeamForm
from orgs.models import Organization


@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
@throttle.posts(throttle.NEW_TEAM)
def new_team(request: PersonRequest) -> HttpResponse:
    form = TeamForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        team = founding.found_team(request.user, form.cleaned_data["name"], timezone.now())
        messages.success(request, f"{team.name} is yours. Its keys work once it has credit or a plan.")
        return redirect("billing:overview", slug=team.slug)
    return render(request, "orgs/new_team.html", {"form": form})


@require_safe
@access.requires(access.READ)
def settings(request: OrgRequest, slug: str) -> HttpResponse:
    return _settings_page(request, OrganizationNameForm(instance=request.organization))


@require_POST
@access.requires(access.MANAGE_MEMBERS)
def rename(request: OrgRequest, slug: str) -> HttpResponse:
    # A copy is edited: the frame goes on showing the name that is stored.
    organization = Organization.objects.get(pk=request.organization.pk)
    form = OrganizationNameForm(request.POST, instance=organization)
    if not form.is_valid():
        return _settings_page(request, form)
    form.save()
    messages.success(request, f"The organization is called {organization.name} now.")
    return redirect("orgs:settings", slug=slug)


def _settings_page(request: OrgRequest, form: OrganizationNameForm) -> HttpResponse:
    return render(request, "orgs/settings.html", {"form": form})
