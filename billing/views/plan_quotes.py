"""Choosing a plan: what it costs is written down and shown, and agreeing to that does exactly it, or nothing."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from billing import flows
from billing.catalog import current
from billing.graphs import held_plans, plan_cards
from billing.ledger import balances
from billing.money import from_cents
from billing.payments import card_charges, methods
from billing.payments.models import PaymentMethod, State
from billing.subscriptions import calendar, choosing
from billing.subscriptions.models import Charge, Kind, Quote, Subscription
from billing.subscriptions.refusals import PlanRefused, QuoteOver
from billing.views import whole
from orgs import access, throttle
from orgs.access import OrgRequest

AT_STRIPE = "page"
"""What the form says for a card that is entered on Stripe's page."""
QUOTES = Quote.objects.select_related("plan", "subscription__plan")


@require_POST
@access.requires(access.MOVE_MONEY)
@throttle.posts(throttle.CHECKOUT)
def quote(request: OrgRequest, slug: str) -> HttpResponse:
    """Write down what this plan costs now, and show it. Nothing is charged."""
    given = whole.sent(request, "plan")
    if given is None:
        return _back(request, whole.NOT_WHOLE)
    plan = next((one for one in current.latest().plans if one.slug == given[0]), None)
    if plan is None:
        raise Http404("There is no such plan.")
    try:
        made = flows.quote_plan(request.organization.pk, plan.id, by=request.user.pk, now=timezone.now())
    except PlanRefused as refusal:
        return _back(request, str(refusal))
    at_stripe = f"?card={AT_STRIPE}" if request.POST.get("card") == AT_STRIPE else ""
    return redirect(reverse("billing:plan_agree", args=[slug, made.pk]) + at_stripe)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(access.MOVE_MONEY)
@throttle.posts(throttle.CHECKOUT)
def agree(request: OrgRequest, slug: str, quote_id: UUID) -> HttpResponse:
    """Say what will happen; on POST do it, unless what was shown does not hold any more: then show it anew."""
    found, now = access.own(request, QUOTES, pk=quote_id), timezone.now()
    if earlier := Charge.objects.select_related("intent").filter(quote=found).first():
        return _after(request, earlier, now)
    if request.method != "POST":
        return _page(request, found, now, **_held(found, now))
    cards = _cards(request, now)
    method_id, wrong = _chosen(request, found, cards)
    if wrong:
        return _page(request, found, now, error=wrong)
    do = flows.upgrade if found.kind == Kind.UPGRADE else flows.subscribe
    try:
        charge = do(request.organization.pk, found.pk, by=request.user.pk, method_id=method_id, now=now)
    except QuoteOver as over:
        return _anew(request, found, str(over), now)
    except PlanRefused as refusal:
        # Of the plan, or of this card alone: then another one may do.
        return _page(request, found, now, **(_held(found, now) or {"error": str(refusal)}))
    return _after(request, charge, now)


def _chosen(request: OrgRequest, found: Quote, cards: list[PaymentMethod]) -> tuple[int | None, str]:
    """(the saved card, or None for Stripe's page; what is wrong with the form)."""
    if not found.amount_cents:
        return None, ""
    given = whole.sent(request, "card")
    if given is None:
        return None, whole.NOT_WHOLE
    if given[0] == AT_STRIPE:
        return None, ""
    card = next((card for card in cards if str(card.pk) == given[0]), None)
    return (card.pk, "") if card else (None, "Choose one of these cards. Nothing was charged.")


def _held(found: Quote, now: datetime) -> dict[str, str]:
    """Whether what is shown can still be agreed to."""
    try:
        choosing.redrawn(found, now=now)
    except QuoteOver as over:
        return {"over": str(over)}
    except PlanRefused as refusal:
        return {"refused": str(refusal)}
    return {}


def _anew(request: OrgRequest, before: Quote, why: str, now: datetime) -> HttpResponse:
    """What was shown does not hold any more: nothing was charged, and this is what holds now."""
    try:
        made = flows.quote_plan(request.organization.pk, before.plan_id, by=request.user.pk, now=now)
    except PlanRefused as refusal:
        return _back(request, str(refusal))
    return _page(request, QUOTES.get(pk=made.pk), now, before=before, moved=why)


def _after(request: OrgRequest, charge: Charge, now: datetime) -> HttpResponse:
    """On to Stripe's page where the payment waits there, else to what became of it."""
    slug, intent = request.organization.slug, charge.intent
    if intent is None:
        messages.success(request, f"{charge.plan.name} holds from now on. Nothing was charged.")
        return redirect("billing:plan", slug=slug)
    if request.method == "POST" and intent.state == State.WAITING and intent.deadline and now < intent.deadline:
        return HttpResponseRedirect(intent.checkout_url)
    return redirect("billing:plan_payment", slug=slug, payment_id=intent.pk)


def _back(request: OrgRequest, why: str) -> HttpResponse:
    messages.error(request, f"{why} Nothing was charged." if why != whole.NOT_WHOLE else why)
    return redirect("billing:plan", slug=request.organization.slug)


def _cards(request: OrgRequest, now: datetime) -> list[PaymentMethod]:
    return [card for card in methods.of(request.organization.pk) if card_charges.is_usable(card, now=now)]


def _card_of(running: Subscription | None, cards: list[PaymentMethod], asked: str | None) -> PaymentMethod:
    """The card that is chosen beforehand: the one that was sent, else the one that the plan charges, else the default."""
    its = running.method_id if running else None
    return next((card for card in cards if str(card.pk) == asked), None) or next(
        (card for card in cards if card.pk == its), cards[0]
    )


def _page(request: OrgRequest, found: Quote, now: datetime, **more: Any) -> HttpResponse:
    catalog, running = current.latest(), found.subscription
    plan = catalog.plan(found.plan_id)
    assert plan is not None, "plans stay in the catalog"
    cards = _cards(request, now)
    asked = request.POST.get("card") or request.GET.get("card")
    page: dict[str, Any] = {
        "quote": found,
        "plan": plan,
        "running": running,
        "change": choosing.pending(running) if running else None,
        "until": running.ends_at if running else calendar.boundary(now, 1),
        "models": held_plans.covers(plan, catalog),
        "beside": plan_cards.beside(plan, catalog.plan(running.plan_id) if running else None, catalog, now=now),
        "available": balances.of(request.organization.pk, now=now).available,
        "cards": cards,
        "chosen": AT_STRIPE if asked == AT_STRIPE or not cards else _card_of(running, cards, asked).pk,
        "at_stripe": AT_STRIPE,
        **more,
    }
    if running and running.starts_at and running.ends_at:
        page |= {
            "less": -from_cents(running.price_cents),
            "difference_cents": max(found.price_cents - running.price_cents, 0),
            "rest": running.ends_at - found.made_at,
            "whole": running.ends_at - running.starts_at,
        }
    return render(request, "billing/plans/agree.html", page)
