"""The Timeline page: what happens with the organization's money in the next twelve months."""

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing import wording
from billing.graphs import timeline as told
from billing.graphs.timeline import Month, calendar_file, drawing
from billing.views import query, reading
from orgs import access
from orgs.access import OrgRequest

AT_FIRST = 3
"""Months that are listed before the rest is asked for."""


@require_safe
@access.requires(access.READ)
@reading.page
def timeline(request: OrgRequest, slug: str) -> HttpResponse:
    ahead = told.of(request.organization.pk, now=timezone.now())
    months = ahead.months
    shown = months if query.flag(request, "all") else months[:AT_FIRST]
    page = {
        "ahead": ahead,
        "picture": drawing.of(ahead) if ahead.items else None,
        "months": shown,
        "rest": _named(months[len(shown) :]),
        "rest_url": query.link(request, {"all": "1"}),
    }
    return render(request, "billing/timeline.html", page)


@require_safe
@access.requires(access.READ)
@reading.page
def calendar(request: OrgRequest, slug: str) -> HttpResponse:
    """What is fixed, to be put into a calendar. No secrets: what the page shows."""
    ahead = told.of(request.organization.pk, now=timezone.now())
    host = str(urlsplit(settings.PUBLIC_URL).hostname)
    address = f"{settings.PUBLIC_URL}{reverse('billing:timeline', args=[slug])}"
    text = calendar_file.file(ahead, name=request.organization.name, host=host, address=address)
    answer = HttpResponse(text, content_type="text/calendar; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="timeline-{slug}.ics"'
    return answer


def _named(months: list[Month]) -> str:
    """ "July 2026 to April 2027"; one month by its name, none by nothing."""
    names = [f"{one.period:%B %Y}" for one in months]
    return wording.NBSP.join(" to ".join(dict.fromkeys([names[0], names[-1]])).split(" ")) if names else ""
