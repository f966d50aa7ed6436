"""The Plans page: what each plan gives on which models beside pay as you go, what there is, and what a change would cost."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing.catalog import current
from billing.graphs import held_plans, plan_cards
from billing.payments import card_charges, methods
from billing.subscriptions import choosing
from billing.subscriptions.choosing import Offer
from billing.views import reading
from orgs import access
from orgs.access import OrgRequest


@require_safe
@access.requires(access.READ)
@reading.page
def plans(request: OrgRequest, slug: str) -> HttpResponse:
    now, org_id = timezone.now(), request.organization.pk
    offers, held = choosing.offers(org_id, now=now), held_plans.of(org_id, now=now)
    page: dict[str, Any] = {
        "now": now,
        "held": held,
        "shelf": plan_cards.shelf(org_id, offers, held, current.latest(), now=now),
        "not_sold": _refused_alike(offers),
        "cards": [card for card in methods.of(org_id) if card_charges.is_usable(card, now=now)] if held else [],
    }
    return render(request, "billing/plans/plans.html", page)


def _refused_alike(offers: Sequence[Offer]) -> str:
    """Why no plan at all can be had now, where it is the same for each: it is said once."""
    why = {offer.refused for offer in offers}
    return why.pop() if len(why) == 1 and len(offers) > 1 else ""
