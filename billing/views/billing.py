"""The Billing page: what there is and how that adds up, what it was bought with, and every movement of it."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing import wording
from billing.contracts import showing
from billing.graphs import credits, freshness, held_plans, monthends, takenback
from billing.graphs import expiry_calendar as calendar_file
from billing.ledger import balances
from billing.payments import methods
from billing.recharge import figures, looking, rules
from billing.recharge.models import Standing
from billing.settlement import ceilings
from billing.views import ledger, query, reading, recharge_words
from orgs import access
from orgs.access import OrgRequest

PAST_PLACE = ("past_before", "past_after")
"""What an address says about the place among used and expired grants."""


class Grants(StrEnum):
    OPEN = "open"
    PAST = "past"


@require_safe
@access.requires(access.READ)
@reading.page
def billing(request: OrgRequest, slug: str) -> HttpResponse:
    if reading.wants_part(request, ledger.PART):
        return render(request, "billing/ledger.html#part", ledger.part(request))
    now, org_id = timezone.now(), request.organization.pk
    page = {
        "now": now,
        "fresh": freshness.of_charges(now=now),
        "back": takenback.standing(org_id),
        "month_end": monthends.last(org_id),
        "held": held_plans.of(org_id, now=now),
        "contracts": showing.of(org_id, now=now),
        **_cards(org_id),
        **_recharge(request, now),
        "ceiling": ceilings.of(org_id, now=now),
        **_head(request, now),
        **_grants(request),
        **ledger.part(request),
    }
    return render(request, "billing/billing.html", page)


@require_safe
@access.requires(access.READ)
@reading.page
def expiry_calendar(request: OrgRequest, slug: str) -> HttpResponse:
    """The ends of open grants, to be put into a calendar. No secrets: what the page shows."""
    grants = credits.table(request.organization.pk).credits
    host = str(urlsplit(settings.PUBLIC_URL).hostname)
    address = f"{settings.PUBLIC_URL}{reverse('billing:billing', args=[slug])}"
    text = calendar_file.file(grants, name=request.organization.name, host=host, address=address, now=timezone.now())
    answer = HttpResponse(text, content_type="text/calendar; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="credit-{slug}.ics"'
    return answer


def _cards(org_id: int) -> dict[str, Any]:
    cards = list(methods.of(org_id))
    return {"cards": cards, "method": next((card for card in cards if card.is_default), None)}


def _recharge(request: OrgRequest, now: datetime) -> dict[str, Any]:
    rule = rules.of(request.organization.pk)
    works = rule is not None and rule.standing == Standing.ON
    return {
        "rule": rule,
        "recharged": looking.preview(rule.wallet_id, figures.terms(rule), rule=rule, now=now)
        if rule and works
        else None,
        "trouble": recharge_words.trouble(rule, request.organization.slug, now=now),
    }


def _head(request: OrgRequest, now: datetime) -> dict[str, Any]:
    balance = balances.of(request.organization.pk, now=now)
    figures = (balance.settled, balance.accrued, balance.held, balance.overdraft, balance.debt)
    return {
        "balance": balance,
        "parts": credits.parts(balance),
        "head_decimals": wording.decimals_needed(*figures),
    }


def _grants(request: OrgRequest) -> dict[str, Any]:
    which = query.choice(request, "grants", Grants.OPEN)
    table = credits.table(request.organization.pk)
    return {
        "table": table,
        **_past(request, shown=which is Grants.PAST),
        "past_summary": f"{table.past:,} used and expired grants",
        "calendar_url": reverse("billing:expiry_calendar", args=[request.organization.slug]) if table.credits else "",
        "grants_url": query.link(
            request, {"grants": "past" if which is Grants.OPEN else ""}, anchor="credits", without=PAST_PLACE
        ),
        "credit_decimals": wording.decimals_needed(*(one.left for one in table.credits), table.overdraft, table.debt),
    }


def _past(request: OrgRequest, *, shown: bool) -> dict[str, Any]:
    """A page of used and expired grants, when they are asked for."""
    org_id = request.organization.pk
    before, after = (query.past_grant(request, name, org_id) for name in PAST_PLACE)
    page = credits.past(org_id, before=before, after=after) if shown else None

    def to(name: str, place: int) -> str:
        ends = page.credits[place] if page and page.credits else None
        return query.link(request, {name: str(ends.account_id)}, anchor="credits", without=PAST_PLACE) if ends else ""

    return {
        "past": page,
        "past_newer_url": to("past_after", 0) if page and page.newer else "",
        "past_older_url": to("past_before", -1) if page and page.older else "",
    }
