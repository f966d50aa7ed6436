"""Models & limits: what any key of this organization may do now and why, and "Why 402?" for one key."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing import wording
from billing.catalog import current, notice, prices
from billing.catalog.offer import Catalog, Model, PerMillion, Version
from billing.limits import entitlements, explaining, reading, remedies
from billing.limits.answers import ModelAnswer
from billing.limits.entitlements import Picture
from billing.limits.explaining import Place
from billing.views import reading as pages
from orgs import access
from orgs.access import OrgRequest
from orgs.models import Kind, Membership

PUBLIC_ID = re.compile(r"[A-Za-z0-9_-]{1,24}")
TIERS = {"free": "Free usage", "payg": "Pay as you go", "contract": "Contract", "marketplace": "AWS Marketplace"}
CLOSED = ("no_credit", "payment_disputed", "settlement_unpaid")
"""Why pay as you go is closed for a whole organization."""
WORDS = {
    "payment_disputed": "402, payment disputed",
    "plan_past_due": "402, plan not paid",
    "plan_disputed": "402, plan suspended",
    "contract_past_due": "402, contract not paid",
    "contract_overage_limit": "402, overage limit reached",
}
"""A 402 that is not for want of credit."""
WINDOWS = (("minute", "minute"), ("hour", "hour"), ("day", "day"))


@dataclass(frozen=True)
class Row:
    """One model as the table shows it. `price` and `coming` are None where the model has none."""

    model: Model
    answer: ModelAnswer
    state: str
    word: str
    requests: list[str]
    tokens: list[str]
    price: PerMillion | None
    coming: Version | None


@require_safe
@access.requires(access.READ)
@pages.page
def limits(request: OrgRequest, slug: str) -> HttpResponse:
    now, catalog = timezone.now(), current.latest()
    places, facts = _places(request, now)
    here = facts[request.organization.pk]
    rows = [_row(model, here, catalog, now) for model in catalog.models]
    page: dict[str, Any] = {
        "rows": [row for row in rows if not row.model.is_retired(now)],
        "ended": [row for row in rows if row.model.is_retired(now)],
        "ending": [
            remedies.ends_soon(model) for model in catalog.models if notice.warns_of_end(model.refused_from, now)
        ],
        "closed_by": next((row.answer.reason for row in rows if row.answer.reason in CLOSED), None),
        "places": [(place, explaining.keys_of(place)) for place in places],
        "asked": request.GET.get("key", "").strip(),
    }
    if page["asked"]:
        page["why"] = _why(page["asked"], places, catalog, now)
    return render(request, "billing/limits.html", page)


def _places(request: OrgRequest, now: datetime) -> tuple[list[Place], dict[int, Picture]]:
    """The reader's organizations, this one first, and what any key of each would be told."""
    mine = list(
        Membership.objects.filter(user=request.user).select_related("organization").order_by("organization__name")
    )
    facts = reading.pictures([member.organization_id for member in mine], now=now)
    places = [
        Place(
            id=member.organization_id,
            slug=member.organization.slug,
            name=member.organization.name,
            personal=member.organization.kind == Kind.PERSONAL,
            role=member.role,
            available=facts[member.organization_id].available,
        )
        for member in mine
    ]
    return sorted(places, key=lambda place: place.id != request.organization.pk), facts


def _why(public_id: str, places: list[Place], catalog: Catalog, now: datetime) -> dict[str, Any] | None:
    """The explanation of one key, None when none of the reader's organizations has such a key."""
    found = PUBLIC_ID.fullmatch(public_id) and reading.of_one_key(public_id, [place.id for place in places], now=now)
    if not found:
        return None
    org_id, picture = found
    home = next(place for place in places if place.id == org_id)
    others = [place for place in places if place.id != org_id]
    answer = entitlements.answer(picture, catalog, now=now)
    refused = explaining.refused(answer.models)
    no_credit = any(model.reason == "no_credit" for model in refused)
    return {
        "headline": explaining.headline(answer, home, others),
        "home": home,
        "may_buy": access.allows(home.role, access.MOVE_MONEY),
        "no_credit": no_credit,
        "elsewhere": [
            (place, access.allows(place.role, access.MANAGE_KEYS)) for place in others if place.has_credit and no_credit
        ],
        "steps": explaining.steps(picture, home, answer, now),
        "answer": answer,
        "refused": refused,
    }


def _row(model: Model, here: Picture, catalog: Catalog, now: datetime) -> Row:
    answer = entitlements.for_model(here, model, catalog, now=now)
    try:
        price = prices.in_force(model, now).per_million
    except prices.NoPrice:
        price = None
    state, word = _state(answer, catalog)
    requests, tokens = (_windows(answer, what) for what in ("requests", "tokens"))
    return Row(model, answer, state, word, requests, tokens, price, prices.coming(model, now))


def _state(answer: ModelAnswer, catalog: Catalog) -> tuple[str, str]:
    if answer.tier is not None:
        plans = {plan.tier: plan.name for plan in catalog.plans}
        return "ok", TIERS.get(answer.tier) or plans.get(answer.tier, answer.tier)
    shapes = {402: "failed", 403: "ended", 429: "warning"}
    if answer.reason in WORDS:
        return "failed", WORDS[answer.reason]
    words = {402: "402, no credit", 403: "403, not offered", 429: "429, allowance used"}
    return shapes[answer.http_status], words[answer.http_status]


def _windows(answer: ModelAnswer, what: str) -> list[str]:
    """ "1,000 a minute" for each window that is limited."""
    limits = [(getattr(answer.limits, f"{what}_per_{window}"), word) for window, word in WINDOWS]
    return [f"{wording.count(limit)} a {word}" for limit, word in limits if limit is not None]
