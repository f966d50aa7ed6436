"""Auto-recharge: the rule and what it will do, stopping it, what it charged and why."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from billing import flows, periods
from billing.ledger import balances
from billing.money import to_cents
from billing.payments import card_charges, methods
from billing.payments.models import OPEN_STATES, PaymentMethod
from billing.recharge import figures, looking, rules
from billing.recharge.models import Rule, Standing
from billing.recharge.policy import Terms, WhyNot
from billing.recharge.rules import ChangedMeanwhile, Wish, WishRefused
from billing.views import recharge_words
from billing.views.recharge_form import RechargeForm, Shown, as_it_stands
from orgs import access, throttle
from orgs.access import OrgRequest


@dataclass(frozen=True, slots=True)
class Seen:
    """What a page is made of: the rule as it stands, and the cards it could charge."""

    org_id: int
    rule: Rule | None
    cards: list[PaymentMethod]
    now: datetime

    @property
    def version(self) -> int:
        return self.rule.version if self.rule else 0


def _look(request: OrgRequest, now: datetime) -> Seen:
    org_id = request.organization.pk
    cards = [card for card in methods.of(org_id) if card_charges.is_usable(card, now=now)]
    return Seen(org_id, rules.of(org_id), cards, now)


@never_cache
@require_safe
@access.requires(access.READ)
def recharge(request: OrgRequest, slug: str) -> HttpResponse:
    """The page; for htmx, while somebody types, the well with what these amounts will do."""
    seen = _look(request, timezone.now())
    typed = request.GET if "threshold" in request.GET else as_it_stands(seen.rule, seen.cards)
    return _page(request, seen, RechargeForm(typed, seen.cards))


@require_POST
@access.requires(access.MOVE_MONEY)
@throttle.posts(throttle.CHECKOUT)
def save(request: OrgRequest, slug: str) -> HttpResponse:
    """Agree to the rule, unless what was shown is not true any more: then show it again and do nothing."""
    seen = _look(request, timezone.now())
    form = RechargeForm(request.POST, seen.cards)
    truth = _truth(form, seen)
    if truth is None:
        return _page(request, seen, form)
    before = form.shown()
    if before is None or not before.still_holds(truth) or form.cleaned_data["version"] != seen.version:
        return _already(request, seen, truth.wish) or _page(request, seen, form, moved=True)
    if not form.cleaned_data["consent"]:
        form.add_error("consent", "Tick the box to allow it.")
        return _page(request, seen, form, truth=truth)
    try:
        flows.switch_recharge_on(seen.org_id, truth.wish, by=request.user.pk, version=seen.version, now=seen.now)
    except ChangedMeanwhile:
        return _already(request, _look(request, seen.now), truth.wish) or _page(request, seen, form, moved=True)
    except WishRefused as refusal:
        form.add_error(refusal.field, str(refusal))
        return _page(request, seen, form)
    return redirect("billing:recharge", slug=slug)


@require_POST
@access.requires(access.MOVE_MONEY)
def off(request: OrgRequest, slug: str) -> HttpResponse:
    """Stop now: one click, whatever the page showed."""
    flows.switch_recharge_off(request.organization.pk, now=timezone.now())
    return redirect("billing:recharge", slug=slug)


def _already(request: OrgRequest, seen: Seen, wish: Wish) -> HttpResponse | None:
    """The second click of one agreement finds it done."""
    rule = seen.rule
    if rule is None or rule.standing != Standing.ON or rule.consent.user_id != request.user.pk:
        return None
    agreed = Wish(rule.threshold_cents, rule.recharge_to_cents, rule.method_id, rule.cap_cents, rule.per_day)
    sent = request.POST.get("version", "")
    if agreed != wish or sent != str(rule.version - 1):
        return None
    return redirect("billing:recharge", slug=request.organization.slug)


def _truth(form: RechargeForm, seen: Seen) -> Shown | None:
    """What this form does if it is sent now; None, with the form's errors, when it cannot be agreed to."""
    if not form.is_valid() or form.wish is None:
        return None
    try:
        rules.check(seen.org_id, form.wish, now=seen.now)
    except WishRefused as refusal:
        form.add_error(refusal.field, str(refusal))
        return None
    return Shown(form.wish, to_cents(looking.preview(seen.org_id, _terms(form.wish), now=seen.now).now))


def _terms(wish: Wish) -> Terms:
    return Terms(wish.threshold_cents, wish.recharge_to_cents, wish.cap_cents, wish.per_day)


def _page(
    request: OrgRequest, seen: Seen, form: RechargeForm, *, truth: Shown | None = None, moved: bool = False
) -> HttpResponse:
    page: dict[str, Any] = {"form": form, "moved": moved, "above": looking.NOT_NOW[WhyNot.ABOVE]}
    page |= _outcome(seen, truth or _truth(form, seen))
    if request.htmx and request.method != "POST":
        return render(request, "billing/recharge.html#refreshed", page)
    rule = seen.rule
    page |= {
        "rule": rule,
        "cards": seen.cards,
        "version": seen.version,
        "nonce": uuid4().hex,
        "trouble": recharge_words.trouble(rule, request.organization.slug, now=seen.now),
        "working": rule and looking.preview(seen.org_id, figures.terms(rule), rule=rule, now=seen.now),
        "attempts": looking.attempts(seen.org_id),
        "open_states": OPEN_STATES,
    }
    return render(request, "billing/recharge.html", page)


def _outcome(seen: Seen, truth: Shown | None) -> dict[str, Any]:
    """What the well says."""
    if truth is None:
        return {"preview": None}
    wish = truth.wish
    card = next(card for card in seen.cards if card.pk == wish.method_id)
    return {
        "preview": looking.preview(seen.org_id, _terms(wish), now=seen.now),
        "wish": wish,
        "card": card,
        "seen": truth.text,
        "wording": rules.wording(wish, str(card)),
        "is_on": seen.rule is not None and seen.rule.standing == Standing.ON,
        "consent": seen.rule.consent if seen.rule else None,
        "available": balances.of(seen.org_id, now=seen.now).available,
        "month": periods.month_of(seen.now),
    }
