"""The Overview: what is there, how fast it goes, what comes; for a new organization the first steps instead."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing import wording
from billing.catalog.models import AIModel
from billing.graphs import coming, credits, forecast, freshness, held_plans, ranges, series, spend, takenback
from billing.graphs.axes import Grain, Unit
from billing.graphs.ranges import Range
from billing.graphs.series import By
from billing.ledger import balances
from billing.metering.models import UsageHour
from billing.recharge import rules
from billing.views import reading, recharge_words
from orgs import access, keys
from orgs.access import OrgRequest
from orgs.models import Kind

KEYS_SHOWN = 8


@require_safe
@access.requires(access.READ)
@reading.page
def overview(request: OrgRequest, slug: str) -> HttpResponse:
    now, organization = timezone.now(), request.organization
    grants = credits.table(organization.pk)
    page: dict[str, Any] = {
        "balance": balances.of(organization.pk, now=now),
        "had_credit": grants.ever,
        "held": held_plans.of(organization.pk, now=now),
        "back": takenback.standing(organization.pk),
        "trouble": recharge_words.trouble(rules.of(organization.pk), organization.slug, now=now),
        "personal": organization.kind == Kind.PERSONAL,
    }
    if UsageHour.objects.filter(org_id=organization.pk).exists():
        page |= _used(organization.pk, grants, now)
    else:
        page |= _first_steps(request, grants, now)
    return render(request, "billing/overview.html", page)


def _used(org_id: int, grants: credits.Table, now: datetime) -> dict[str, Any]:
    window = ranges.window(Range.DAYS_30, Grain.DAY, now)
    by_model = series.totals(org_id, By.MODEL, window.span)
    by_key = series.totals(org_id, By.KEY, window.span)
    models = series.names(org_id, By.MODEL, by_model.of)
    fresh = freshness.of_charges(now=now)
    pace = spend.pace(org_id, now=now)
    stack = series.stack(org_id, by_model, models, window, Unit.MONEY, complete_through=fresh.through)
    ahead = forecast.run_out(grants.sources(now), pace.per_day, now=now) if pace.known else None
    return {
        **_so_far(org_id, now),
        "used": True,
        "now": now,
        "pace": pace,
        "forecast": ahead,
        "fresh": fresh,
        "total": by_model.all,
        "stack": stack,
        "dates": f"{wording.day(window.span.start, year=False)} – {wording.day(now, year=False)}",
        "keys": _keys(org_id, by_key),
        "coming": coming.up(grants, ahead, by_model.of, now=now),
    }


def _so_far(org_id: int, now: datetime) -> dict[str, Any]:
    spans = [
        ranges.today(now),
        ranges.by_this_time_yesterday(now),
        ranges.this_month(now),
        ranges.by_this_day_last_month(now),
    ]
    today, yesterday, month, last_month = spend.between(org_id, spans)
    return {
        "today": today,
        "yesterday": yesterday,
        "month": month,
        "last_month": last_month,
        "month_name": f"{now:%B}",
        "last_month_name": f"{spans[3].start:%B}",
    }


def _keys(org_id: int, counted: series.Totals) -> list[dict[str, Any]]:
    """The keys that spent most; those that only used what is free come after."""
    shown = counted.ranked(Unit.MONEY)[:KEYS_SHOWN]
    names = series.names(org_id, By.KEY, shown)
    most = max((counted.of[key].spend for key in shown), default=0)
    return [{"name": names[key], "total": counted.of[key], "most": most} for key in shown]


def _first_steps(request: OrgRequest, grants: credits.Table, now: datetime) -> dict[str, Any]:
    """Buying, making a key, sending a request; in a Personal organization, which has free usage, buying comes last."""
    model = AIModel.objects.filter(deprecated_on=None).order_by("slug").first()
    has_key = keys.live(request.organization, now).exists()
    needs_credit = request.organization.kind == Kind.TEAM and not grants.ever
    return {
        "used": False,
        "now": now,
        "has_key": has_key,
        "step": "credit" if needs_credit else "request" if has_key else "key",
        "model": model.slug if model else "",
        "inference_url": settings.INFERENCE_URL,
        "coming": coming.up(grants, None, (), now=now),
    }
