"""Policies: pages that anybody may read, signed in or not."""

from datetime import UTC

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing.policies import versions


@require_safe
def cancellation(request: HttpRequest, number: int | None = None) -> HttpResponse:
    """The version that is in force, or the one that is named."""
    today = timezone.now().astimezone(UTC).date()
    now = versions.in_force(today)
    version = now if number is None else versions.numbered(number)
    if version is None:
        raise Http404("There is no such version of this policy.")
    page = {
        "version": version,
        "policy": versions.words(version),
        "in_force": now,
        "coming": versions.coming(today),
        "others": [one for one in reversed(versions.VERSIONS) if one != version],
        "operators": {"billing_email": settings.SUPPORT["email"], "usage_days": settings.USAGE_RETENTION_DAYS},
    }
    return render(request, "billing/cancellation_policy.html", page)
