"""The person's own page: name, theme, e-mail addresses, password, the way out."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from orgs import access
from orgs.access import PersonRequest
from orgs.forms import ProfileForm
from orgs.models import User


@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def account(request: PersonRequest) -> HttpResponse:
    # A copy is edited: the frame goes on showing the name that is stored.
    person = User.objects.get(pk=request.user.pk) if request.method == "POST" else request.user
    form = ProfileForm(request.POST if request.method == "POST" else None, instance=person)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Your name is saved.")
        return redirect("orgs:account")
    return render(request, "orgs/account.html", {"form": form})
