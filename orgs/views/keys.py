"""API keys: the list, making one (shown once), revoking one."""

from datetime import datetime

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from orgs import access, keys, throttle
from orgs.access import OrgRequest
from orgs.forms import NewKeyForm
from orgs.models import ApiKey

REVOKED_SHOWN = 100


@require_safe
@access.requires(access.READ)
def list_keys(request: OrgRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    known = request.organization.api_keys.select_related("created_by").order_by("-created_at", "-id")
    revoked = list(known.exclude(revoked_at=None).order_by("-revoked_at")[: REVOKED_SHOWN + 1])
    page = {
        "rows": [(key, keys.state(key, now)) for key in known.filter(revoked_at=None)],
        "revoked": revoked[:REVOKED_SHOWN],
        "more_revoked": len(revoked) > REVOKED_SHOWN,
    }
    return render(request, "orgs/keys.html", page)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(access.MANAGE_KEYS)
@throttle.posts(throttle.NEW_KEY)
def new_key(request: OrgRequest, slug: str) -> HttpResponse:
    form = NewKeyForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        return _make(request, form, timezone.now())
    return render(request, "orgs/new_key.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(access.MANAGE_KEYS)
def revoke(request: OrgRequest, slug: str, public_id: str) -> HttpResponse:
    key = access.own(request, ApiKey, public_id=public_id)
    if request.method != "POST" and key.revoked_at is None:
        return render(request, "orgs/revoke_key.html", {"key": key})
    if request.method == "POST":
        keys.revoke(key, timezone.now())
    messages.success(request, f"{key.name} is revoked. Requests with it get 401 within seconds.")
    return redirect("orgs:keys", slug=slug)


@sensitive_variables("made")
def _make(request: OrgRequest, form: NewKeyForm, now: datetime) -> HttpResponse:
    """The only answer that ever holds the secret. It is stored nowhere, so a reload cannot bring it back."""
    try:
        made = keys.create(
            request.organization,
            request.user,
            form.cleaned_data["name"],
            form.expires_at(),
            None,
            now,
            once=form.cleaned_data["once"],
        )
    except keys.AlreadyMade as refusal:
        return render(request, "orgs/key_already_made.html", {"key": refusal.key}, status=409)
    except keys.ExpiresInThePast as refusal:
        form.add_error("expires_on", str(refusal))
        return render(request, "orgs/new_key.html", {"form": form})
    except keys.KeyRefused as refusal:
        form.add_error(None, str(refusal))
        return render(request, "orgs/new_key.html", {"form": form})
    answer = render(request, "orgs/key_made.html", {"key": made.key, "secret": made.secret})
    answer.headers["Cache-Control"] = "no-store"
    return answer
