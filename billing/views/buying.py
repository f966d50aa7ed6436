"""Buying credit: the form that says what will happen, and the page that says what happened."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing import flows
from billing.graphs import takenback
from billing.ledger import balances
from billing.money import ZERO, from_cents, to_cents
from billing.payments import buying, collecting, credited, polling
from billing.payments.models import OPEN_STATES, Intent, PaymentMethod, Purpose, State
from billing.statements.models import Receipt
from billing.views import payment_face
from billing.views.buy_form import SUGGESTED, BuyForm, Shown
from orgs import access, throttle
from orgs.access import OrgRequest

# --- The form ------------------------------------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(access.MOVE_MONEY)
@throttle.posts(throttle.CHECKOUT)
def buy(request: OrgRequest, slug: str) -> HttpResponse:
    """Say what will happen; on POST do it, unless what was shown is not true any more: then show it again."""
    now = timezone.now()
    balance = balances.of(request.organization.pk, now=now)
    bounds = buying.bounds(balance, least=settings.PURCHASE_MIN_USD, most=settings.PURCHASE_MAX_USD)
    form = BuyForm(request.POST if request.method == "POST" else _asked(request, bounds), bounds)
    shown = None
    if form.is_valid() and form.amount is not None and request.method == "POST":
        shown = form.shown()
        if shown == Shown(form.amount, balance.overdraft, balance.debt):
            return _start(request, form, balance, now)
    return _form_page(request, form, balance, now, moved=shown or request.method == "POST")


def _start(request: OrgRequest, form: BuyForm, balance: balances.Balance, now: datetime) -> HttpResponse:
    """Off to Stripe's page; where Stripe has not answered, to the page that waits for it."""
    cents = to_cents(form.amount or ZERO)
    order = collecting.Order(request.organization.pk, cents, form.once(), request.user.pk)
    try:
        intent = collecting.buy_credits(order, now=now)
    except collecting.AmountRefused as refusal:
        form.add_error("other", str(refusal))
        return _form_page(request, form, balance, now)
    except collecting.FormUsedBefore:
        form.add_error(None, "This form was sent before with another amount. To buy this amount as well, continue.")
        return _form_page(request, form, balance, now, nonce=uuid4())
    if intent.state == State.WAITING and intent.deadline and now < intent.deadline:
        return HttpResponseRedirect(intent.checkout_url)
    return redirect("billing:purchase", slug=request.organization.slug, intent_id=intent.pk)


def _asked(request: OrgRequest, bounds: buying.Bounds) -> QueryDict:
    """What a GET asks to preview; at first the amount we suggest. The nonce is new: this is another purchase."""
    asked = request.GET.copy()
    if not asked.get("preset") and not asked.get("other"):
        suggested = max(SUGGESTED, bounds.least)
        asked["preset" if suggested == SUGGESTED else "other"] = str(suggested)
    asked["nonce"] = uuid4().hex
    return asked


def _form_page(
    request: OrgRequest,
    form: BuyForm,
    balance: balances.Balance,
    now: datetime,
    *,
    moved: Shown | bool | None = False,
    nonce: UUID | None = None,
) -> HttpResponse:
    """`moved`: what was shown before, where it is not true any more (True: we cannot tell what it was)."""
    preview = buying.preview(form.amount, balance, now=now) if form.is_valid() and form.amount is not None else None
    page = {
        "form": form,
        "balance": balance,
        "bounds": form.bounds,
        "preview": preview,
        "before": _before(moved) if preview and isinstance(moved, Shown) else None,
        "moved": bool(moved) and preview is not None,
        "now_shown": preview and Shown(preview.amount, balance.overdraft, balance.debt),
        "seen": preview and to_cents(preview.amount),
        "nonce": nonce.hex if nonce else form["nonce"].value(),
        "card": PaymentMethod.objects.filter(
            wallet_id=request.organization.pk, is_default=True, detached_at=None
        ).first(),
    }
    template = "billing/buy.html#refreshed" if request.htmx and request.method != "POST" else "billing/buy.html"
    return render(request, template, page)


def _before(shown: Shown) -> dict[str, Any]:
    overdraft = min(shown.amount, shown.overdraft)
    debt = min(shown.amount - overdraft, shown.debt)
    return {
        "amount": shown.amount,
        "overdraft_paid": overdraft,
        "debt_paid": debt,
        "new_credit": shown.amount - overdraft - debt,
    }


# --- The purchase ----------------------------------------------------------------------------------------------------------

PURCHASES = Intent.objects.filter(purpose=Purpose.CREDITS)


@never_cache
@require_safe
@access.requires(access.MOVE_MONEY)
def purchase(request: OrgRequest, slug: str, intent_id: UUID) -> HttpResponse:
    """What we know of this payment. Nothing is asked of Stripe and nothing is written here: that is `purchase_check`."""
    intent = access.own(request, PURCHASES, pk=intent_id)
    return _purchase_page(request, intent, just_back="returned" in request.GET)


@require_POST
@access.requires(access.MOVE_MONEY)
def purchase_check(request: OrgRequest, slug: str, intent_id: UUID) -> HttpResponse:
    """Ask Stripe now and settle by what it says; answers the part of the page that shows it."""
    intent = access.own(request, PURCHASES, pk=intent_id)
    now = timezone.now()
    if intent.state in OPEN_STATES and payment_face.asked_just_now(intent, now):
        # Too early to ask again, and what was known before (a card declined, another one paid since) may be wrong by now.
        if request.htmx:
            return HttpResponse(status=204)
        return redirect(f"{reverse('billing:purchase', args=[slug, intent.pk])}?returned=1")
    if intent.state in OPEN_STATES:
        flows.payment_outcome(intent.pk, polling.ask(intent.pk, now=now), now=now)
        intent.refresh_from_db()
    if request.htmx:
        if request.GET.get("known") == payment_face.known(intent, payment_face.face(intent, now)):
            return HttpResponse(status=204)
        return _purchase_page(request, intent, template="billing/purchase.html#standing")
    return redirect("billing:purchase", slug=slug, intent_id=intent.pk)


@require_POST
@access.requires(access.MOVE_MONEY)
def purchase_cancel(request: OrgRequest, slug: str, intent_id: UUID) -> HttpResponse:
    """The customer does not want to pay after all: the page at Stripe is closed."""
    intent = access.own(request, PURCHASES, pk=intent_id)
    if intent.state in OPEN_STATES:
        now = timezone.now()
        flows.payment_outcome(intent.pk, polling.cancel(intent.pk, now=now), now=now)
    return redirect("billing:purchase", slug=slug, intent_id=intent.pk)


def _purchase_page(
    request: OrgRequest, intent: Intent, *, just_back: bool = False, template: str = "billing/purchase.html"
) -> HttpResponse:
    now = timezone.now()
    face = payment_face.face(intent, now, just_back=just_back)
    refunds, disputes = takenback.of_payment(intent.pk) if face == "paid" else ((), ())
    page = {
        "intent": intent,
        "face": face,
        "refunds": refunds,
        "disputes": disputes,
        "amount": from_cents(intent.amount_cents),
        "credit": credited.parts(intent) if face == "paid" else None,
        "receipt": face == "paid" and Receipt.objects.filter(pk=intent.pk).exists(),
        "known": payment_face.known(intent, face),
        # A page that was just opened looks at once.
        "trigger": "load, every 2s" if template == "billing/purchase.html" else "every 2s",
    }
    return render(request, template, page)
