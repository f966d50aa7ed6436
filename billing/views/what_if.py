"""What if: the organization's own last 30 or 90 days, priced each way. Reads rollups; changes nothing."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing.catalog import current as on_sale
from billing.catalog.offer import Catalog, Model, Plan
from billing.graphs import past_use, whatif, whatif_drawing, whatif_now
from billing.graphs.past_use import Days, History
from billing.graphs.whatif import Held, Option, Promise
from billing.money import ZERO
from billing.views import query, reading
from billing.views.what_if_form import FIELDS, ContractForm
from orgs import access
from orgs.access import OrgRequest


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the comparison. `against`: what it would have cost more than what the organization has now."""

    option: Option
    parts: tuple[whatif_drawing.Part, ...]
    name: str
    against: Decimal | None


@require_safe
@access.requires(access.READ)
@reading.page
def what_if(request: OrgRequest, slug: str) -> HttpResponse:
    now, catalog = timezone.now(), on_sale.latest()
    days = query.choice(request, "days", Days.MONTH)
    past = past_use.history(request.organization.pk, past_use.span(days, now))
    held = whatif_now.of(request.organization.pk, now=now)
    plan, model = _plan(request, catalog, past, held, now), _model(request, catalog, past, held, now)
    page: dict[str, Any] = {"days": days, "spans": _spans(request, days), "past": past, "used": past.all}
    if page["used"].tokens > 0:
        form = _form(request, catalog, past, held, model, now) if model else None
        promise = Promise.of([model.id], form.agreed) if model and form and form.agreed else None
        options = whatif.options(request.organization.pk, past, catalog, now=now, held=held, promise=promise)
        page |= {
            "rows": _rows(options),
            "parts": whatif_drawing.PARTS,
            "known": past_use.by_the_minute(past.span),
            "form": form,
            "model": model,
            "promise": promise,
            "overage_usd": promise.overage(past) if promise else ZERO,
            "held": held,
            "reserved": ", ".join(sorted(one.slug for one in catalog.models if one.id in held.reserved)),
            "overage_tokens": promise.overage_tokens(past) if promise else 0,
            **(_days(request, plan, past, options, catalog, held, now) if plan else {}),
        }
    return render(request, "billing/what_if.html", page)


# --- What the address asks for ------------------------------------------------------------------------------------------


def _plan(request: OrgRequest, catalog: Catalog, past: History, held: Held, now: datetime) -> Plan | None:
    """The plan whose days are drawn: the one that is named, else the first that covers something that was used."""
    offered = _offered(catalog, held, now)
    given = request.GET.get("plan")
    if given is not None:
        found = next((plan for plan in offered if plan.slug == given), None)
        if found is None:
            raise Http404("This page does not know that plan.")
        return found
    return next((plan for plan in offered if any(past.of(model_id).tokens for model_id in plan.covers)), None)


def _model(request: OrgRequest, catalog: Catalog, past: History, held: Held, now: datetime) -> Model | None:
    """The model of the contract: the one that is named, else the one whose use costs most."""
    sold = _sold(catalog, held, now)
    given = request.GET.get("model")
    if given is not None:
        found = next((model for model in sold if model.slug == given), None)
        if found is None:
            raise Http404("This page does not know that model.")
        return found
    return max(sold, key=lambda model: past.of(model.id).cost, default=None)


def _sold(catalog: Catalog, held: Held, now: datetime) -> tuple[Model, ...]:
    """What a contract could be about: a model that goes on, and that no contract reserves already."""
    return tuple(model for model in catalog.models if not model.is_retired(now) and model.id not in held.reserved)


def _offered(catalog: Catalog, held: Held, now: datetime) -> list[Plan]:
    """Those that are a way of their own."""
    found = whatif.ways(catalog, now=now, held=held, promise=None)
    return [plans[0] for plans, _ in found if len(plans) == 1]


def _form(
    request: OrgRequest, catalog: Catalog, past: History, held: Held, model: Model, now: datetime
) -> ContractForm:
    """Bound, and judged, when any figure of a contract was sent."""
    form = ContractForm(
        request.GET if any(name in request.GET for name in FIELDS) else None,
        models=_sold(catalog, held, now),
        chosen=model,
        used=past.of(model.id).tokens // past.months,
        at_list=past.per_million(model.id),
        now=now,
    )
    form.is_valid()
    return form


# --- What is shown ------------------------------------------------------------------------------------------------------


def _rows(options: list[Option]) -> list[Row]:
    now = next((option.total for option in options if option.current), None)
    drawn = whatif_drawing.bars(options)
    return [
        Row(option, parts, _name(option), None if now is None or option.current else option.total - now)
        for option, parts in zip(options, drawn, strict=True)
    ]


def _name(option: Option) -> str:
    """ "Code Pro + contract"."""
    names = [plan.name for plan in option.plans] or ["Pay as you go"]
    return " + ".join([*names, "contract"] if option.promise else names)


def _days(
    request: OrgRequest,
    plan: Plan,
    past: History,
    options: list[Option],
    catalog: Catalog,
    held: Held,
    now: datetime,
) -> dict[str, Any]:
    """The days above the allowance of the plan that is looked at."""
    names = {model.id: model.slug for model in catalog.models}
    alone = next(option for option in options if option.plans == (plan,) and option.promise is None)
    return {
        "plan": plan,
        "plans": [
            {"label": one.name, "url": query.link(request, {"plan": one.slug}, anchor="days"), "current": one == plan}
            for one in _offered(catalog, held, now)
        ],
        "covers": ", ".join(sorted(names[model_id] for model_id in plan.covers)),
        "hits": alone.hits,
        "chart": whatif_drawing.days(past, plan, now),
    }


def _spans(request: OrgRequest, days: Days) -> list[dict[str, object]]:
    return [
        {"label": f"{one} days", "url": query.link(request, {"days": one.value}), "current": one is days}
        for one in Days
    ]
