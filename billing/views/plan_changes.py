"""What changes a plan later, or ends it: said before it is done, with the exact moment, and taken back until then. And
paying a renewal that was declined, and the card that renewals charge."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from billing import flows
from billing.catalog import current
from billing.catalog.offer import Plan
from billing.graphs import held_plans, past_use
from billing.graphs.past_use import Days
from billing.ledger import balances
from billing.money import ZERO
from billing.payments.models import State as PaymentState
from billing.subscriptions import choosing, refusals
from billing.subscriptions.models import PAID_STATES, State, Subscription
from billing.subscriptions.refusals import PlanRefused, QuoteOver
from billing.views import plan_words, whole
from orgs import access, throttle
from orgs.access import OrgRequest
from orgs.models import Kind

OPEN = Subscription.objects.exclude(state=State.ENDED).select_related("plan", "method")
BACK = {"overview": "billing:overview", "billing": "billing:billing", "plan": "billing:plan"}
"""Where the banner with Undo stands, by the word its form sends."""


# --- Another plan, from the period's end -----------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(access.MOVE_MONEY)
def change(request: OrgRequest, slug: str, subscription_id: UUID) -> HttpResponse:
    """Say what a smaller plan changes and when; on POST schedule it, if that is still so."""
    running, now = access.own(request, OPEN, public_id=subscription_id), timezone.now()
    if request.method != "POST":
        return _change_page(request, running, _smaller(running, request.GET.get("to")), now)
    given = whole.sent(request, "to", "seen")
    if given is None:
        return _change_page(request, running, _smaller(running, None), now, error=whole.NOT_WHOLE)
    plan = _smaller(running, given[0])
    if plan is None or given[1] != _seen(running, plan):
        return _change_page(request, running, plan, now, moved=True)
    try:
        flows.schedule_plan(
            request.organization.pk,
            running.public_id,
            plan.id,
            by=request.user.pk,
            shown=choosing.seen(running),
            now=now,
        )
    except QuoteOver:
        return _change_page(request, access.own(request, OPEN, public_id=subscription_id), plan, now, moved=True)
    except PlanRefused as refusal:
        return _change_page(request, running, plan, now, error=str(refusal))
    # What is scheduled and when, and how to take it back, stands in the banner there.
    return redirect("billing:plan", slug=slug)


def _smaller(running: Subscription, slug: str | None) -> Plan | None:
    """The plan that is named; without a name the greatest of those that are smaller. None: there is none."""
    catalog = current.latest()
    now = catalog.plan(running.plan_id)
    assert now is not None, "plans stay in the catalog"
    smaller = [plan for plan in catalog.plans if plan.rank < now.rank and plan.covers & now.covers]
    if slug is None:
        return smaller[-1] if smaller else None
    found = next((plan for plan in smaller if plan.slug == slug), None)
    if found is None:
        raise Http404("There is no such smaller plan.")
    return found


def _change_page(
    request: OrgRequest, running: Subscription, to: Plan | None, now: datetime, **more: Any
) -> HttpResponse:
    if to is None:
        more["error"] = more.get("error") or f"There is no smaller plan than {running.plan.name}."
        return _page(request, "billing/plans/change.html", running, now, to=None, **more)
    offer = next((one for one in choosing.offers(running.wallet_id, now=now) if one.plan.id == to.id), None)
    refused = offer.refused if offer else ""
    if refused and not more.get("error"):
        more["error"] = refused
    return _page(
        request, "billing/plans/change.html", running, now, to=to, refused=refused, seen=_seen(running, to),
        price=to.price_usd, **more,
    )  # fmt: skip


# --- The end ---------------------------------------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(access.MOVE_MONEY)
def cancel(request: OrgRequest, slug: str, subscription_id: UUID) -> HttpResponse:
    """Say when it ends and what that changes; on POST cancel it, if that is still so."""
    running, now = access.own(request, OPEN, public_id=subscription_id), timezone.now()
    if request.method != "POST":
        return _cancel_page(request, running, now)
    given = whole.sent(request, "seen")
    if given is None:
        return _cancel_page(request, running, now, error=whole.NOT_WHOLE)
    if given[0] != _seen(running, None):
        return _cancel_page(request, running, now, moved=True)
    try:
        scheduled = flows.cancel_plan(
            request.organization.pk, running.public_id, by=request.user.pk, shown=choosing.seen(running), now=now
        )
    except QuoteOver:
        return _cancel_page(request, access.own(request, OPEN, public_id=subscription_id), now, moved=True)
    except PlanRefused as refusal:
        return _cancel_page(request, running, now, error=str(refusal))
    if scheduled is None:
        messages.success(request, f"{running.plan.name} has ended. Nothing is owed for it.")
    return redirect("billing:plan", slug=slug)


def _cancel_page(request: OrgRequest, running: Subscription, now: datetime, **more: Any) -> HttpResponse:
    past = past_use.history(running.wallet_id, past_use.span(Days.MONTH, now))
    models = running.covered.filter(open=True).values_list("model_id", flat=True)
    ends_at_once = running.state == State.PAST_DUE or (running.ends_at is not None and now >= running.ends_at)
    return _page(
        request, "billing/plans/cancel.html", running, now, to=None, seen=_seen(running, None), at_once=ends_at_once,
        refused=running.state not in PAID_STATES, would_cost=sum((past.of(model_id).cost for model_id in models), ZERO),
        available=balances.of(running.wallet_id, now=now).available, **more,
    )  # fmt: skip


# --- Both ------------------------------------------------------------------------------------------------------------------


def _seen(running: Subscription, to: Plan | None) -> str:
    """What the page showed that matters: how the plan stands, in which period, and what the next one will cost."""
    return f"{choosing.seen(running)}:{refusals.price_cents(to) if to else 0}"


def _page(
    request: OrgRequest, template: str, running: Subscription, now: datetime, *, to: Plan | None, **more: Any
) -> HttpResponse:
    catalog = current.latest()
    plan = catalog.plan(running.plan_id)
    assert plan is not None, "plans stay in the catalog"
    personal = request.organization.kind == Kind.PERSONAL
    page: dict[str, Any] = {
        "running": running,
        "plan": plan,
        "models": held_plans.covers(plan, catalog),
        "to": to,
        "at": running.ends_at,
        "change": choosing.pending(running),
        "rows": plan_words.until_and_after(plan, to, catalog, personal=personal, at=running.ends_at or now),
        **more,
    }
    return render(request, template, page)


# --- Taken back ------------------------------------------------------------------------------------------------------------


@require_POST
@access.requires(access.MOVE_MONEY)
def undo(request: OrgRequest, slug: str, subscription_id: UUID) -> HttpResponse:
    """What the banner named does not happen. What was scheduled since is left alone."""
    running = access.own(request, Subscription.objects.select_related("plan"), public_id=subscription_id)
    back = redirect(BACK.get(request.POST.get("back", ""), BACK["plan"]), slug=slug)
    given = whole.sent(request, "change")
    change_id = whole.number(given[0]) if given else None
    if change_id is None:
        messages.error(request, whole.NOT_WHOLE)
        return back
    try:
        flows.withdraw_change(
            request.organization.pk, running.public_id, by=request.user.pk, change_id=change_id, now=timezone.now()
        )
    except PlanRefused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{running.plan.name} goes on. Nothing is scheduled any more.")
    return back


# --- A renewal that was declined, and the card of renewals -----------------------------------------------------------------


@require_POST
@access.requires(access.MOVE_MONEY)
@throttle.posts(throttle.CHECKOUT)
def pay(request: OrgRequest, slug: str, subscription_id: UUID) -> HttpResponse:
    """Pay what could not be charged, on Stripe's page."""
    running, now = access.own(request, Subscription, public_id=subscription_id), timezone.now()
    try:
        charge = flows.finish_renewal(request.organization.pk, running.public_id, by=request.user.pk, now=now)
    except PlanRefused as refusal:
        messages.info(request, str(refusal))
        return redirect("billing:plan", slug=slug)
    intent = charge.intent
    assert intent is not None, "a renewal is never free"
    if intent.state == PaymentState.WAITING and intent.deadline and now < intent.deadline:
        return HttpResponseRedirect(intent.checkout_url)
    return redirect("billing:plan_payment", slug=slug, payment_id=intent.pk)


@require_POST
@access.requires(access.MOVE_MONEY)
def card(request: OrgRequest, slug: str, subscription_id: UUID) -> HttpResponse:
    """Renewals charge this saved card from now on."""
    running = access.own(request, OPEN, public_id=subscription_id)
    given = whole.sent(request, "card")
    method_id = whole.number(given[0]) if given else None
    if method_id is None:
        messages.error(request, whole.NOT_WHOLE)
        return redirect("billing:plan", slug=slug)
    try:
        flows.charge_plan_to(request.organization.pk, running.public_id, method_id, now=timezone.now())
    except PlanRefused as refusal:
        messages.error(request, str(refusal))
    else:
        running.refresh_from_db()
        messages.success(request, f"Renewals of {running.plan.name} charge {running.method} from now on.")
    return redirect("billing:plan", slug=slug)
