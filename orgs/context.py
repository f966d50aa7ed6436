"""What every page knows about who is looking."""

from typing import Any

from django.http import HttpRequest

from orgs.models import Membership


def organizations(request: HttpRequest) -> dict[str, Any]:
    """`memberships`: the organizations this person belongs to, Personal first, for the switcher (one query, when used).
    `membership` and `organization`: what `orgs/access.py` let this request into, None elsewhere."""
    user = getattr(request, "user", None)
    here: Membership | None = getattr(request, "membership", None)
    known = {"membership": here, "organization": here.organization if here else None}
    if user is None or not user.is_authenticated:
        return {**known, "memberships": Membership.objects.none()}
    mine = Membership.objects.filter(user=user).select_related("organization")
    return {**known, "memberships": mine.order_by("organization__kind", "organization__name")}
