"""Saved cards: the list, adding one on Stripe's page, choosing the default, removing one."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing import flows
from billing.payments import card_pages, card_setups, methods
from billing.payments.card_setups import OPEN_SETUPS, CardSetup, SetupState
from billing.payments.models import PaymentMethod
from billing.recharge import cards as recharge_cards
from billing.subscriptions import cards as plan_cards
from orgs import access, throttle
from orgs.access import OrgRequest

HURRY = timedelta(minutes=2)
"""So long after it was begun, somebody probably watches the page every two seconds; later every ten will do."""
KEPT = PaymentMethod.objects.filter(detached_at=None)


@never_cache
@require_safe
@access.requires(access.READ)
def cards(request: OrgRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    rows = [(card, methods.has_expired(card, now=now)) for card in methods.of(request.organization.pk)]
    return render(request, "billing/cards.html", {"rows": rows, "nonce": uuid4().hex})


# --- Adding --------------------------------------------------------------------------------------------------------------


class AddForm(forms.Form):
    """`nonce` makes two clicks one page at Stripe."""

    nonce = forms.UUIDField()


@require_POST
@access.requires(access.MOVE_MONEY)
@throttle.posts(throttle.CHECKOUT)
def add(request: OrgRequest, slug: str) -> HttpResponse:
    """Off to Stripe's page; where Stripe has not answered, to the page that waits for it."""
    form, now = AddForm(request.POST), timezone.now()
    if not form.is_valid():
        return _again(request)
    order = card_pages.Order(request.organization.pk, form.cleaned_data["nonce"], request.user.pk)
    try:
        begun = card_pages.begin(order, now=now)
    except card_pages.FormUsedBefore:
        return _again(request)
    if begun.state in OPEN_SETUPS and not begun.page_id:
        flows.card_saved(begun.pk, card_pages.open_page(begun.pk, now=now), now=now)
        begun.refresh_from_db()
    if begun.state == SetupState.WAITING and now < begun.deadline:
        return HttpResponseRedirect(begun.page_url)
    return redirect("billing:card_setup", slug=slug, setup_id=begun.pk)


def _again(request: OrgRequest) -> HttpResponse:
    messages.error(request, "That page was out of date, and nothing was done. Add the card from here.")
    return redirect("billing:cards", slug=request.organization.slug)


@never_cache
@require_safe
@access.requires(access.MOVE_MONEY)
def setup(request: OrgRequest, slug: str, setup_id: UUID) -> HttpResponse:
    """What we know of this card. Nothing is asked of Stripe and nothing is written here: that is `setup_check`."""
    return _setup_page(request, access.own(request, CardSetup, pk=setup_id), just_back="returned" in request.GET)


@require_POST
@access.requires(access.MOVE_MONEY)
def setup_check(request: OrgRequest, slug: str, setup_id: UUID) -> HttpResponse:
    """Ask Stripe now; answers the part of the page that shows what it said."""
    begun, now = access.own(request, CardSetup, pk=setup_id), timezone.now()
    asked_just_now = begun.state in OPEN_SETUPS and _asked_just_now(begun, now)
    if begun.state in OPEN_SETUPS and not asked_just_now:
        flows.card_saved(begun.pk, card_pages.ask(begun.pk, now=now), now=now)
        begun.refresh_from_db()
    if request.htmx:
        if asked_just_now or request.GET.get("known") == _known(begun, _face(begun, now)):
            return HttpResponse(status=204)
        return _setup_page(request, begun, template="billing/card_setup.html#standing")
    back = reverse("billing:card_setup", args=[slug, begun.pk])
    return redirect(f"{back}?returned=1" if asked_just_now else back)


@require_POST
@access.requires(access.MOVE_MONEY)
def setup_cancel(request: OrgRequest, slug: str, setup_id: UUID) -> HttpResponse:
    """The customer does not want to add a card after all: the page at Stripe is closed."""
    begun = access.own(request, CardSetup, pk=setup_id)
    if begun.state in OPEN_SETUPS:
        now = timezone.now()
        flows.card_saved(begun.pk, card_pages.cancel(begun.pk, now=now), now=now)
    return redirect("billing:card_setup", slug=slug, setup_id=begun.pk)


def _setup_page(
    request: OrgRequest, begun: CardSetup, *, just_back: bool = False, template: str = "billing/card_setup.html"
) -> HttpResponse:
    face = _face(begun, timezone.now(), just_back=just_back)
    page = {
        "setup": begun,
        "face": face,
        "reason": card_setups.reason(begun.failure_code) if begun.failure_code else "",
        "known": _known(begun, face),
        "nonce": uuid4().hex,
        # A page that was just opened looks at once.
        "trigger": "load, every 2s" if template == "billing/card_setup.html" else "every 2s",
    }
    return render(request, template, page)


def _face(begun: CardSetup, now: datetime, *, just_back: bool = False) -> str:
    """The one thing the page says: saved, confirming, waiting or not_saved. Back from Stripe we say "confirming" first."""
    match begun.state:
        case SetupState.SAVED:
            return "saved"
        case SetupState.ENDED:
            return "not_saved"
        case SetupState.WAITING if not just_back and now < begun.deadline:
            return "waiting"
    return "confirming"


def _known(begun: CardSetup, face: str) -> str:
    return f"{face}.{begun.failure_code}"


def _asked_just_now(begun: CardSetup, now: datetime) -> bool:
    if begun.checked_at is None or begun.checked_at == begun.called_at:
        # Nobody has looked since the page was opened.
        return False
    return now - begun.checked_at < timedelta(seconds=1.5 if now - begun.created_at < HURRY else 9.5)


# --- Choosing and removing -------------------------------------------------------------------------------------------------


@require_POST
@access.requires(access.MOVE_MONEY)
def make_default(request: OrgRequest, slug: str, card_id: int) -> HttpResponse:
    card = access.own(request, PaymentMethod, pk=card_id)
    try:
        flows.choose_card(request.organization.pk, card.pk, now=timezone.now())
    except methods.CardRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("billing:cards", slug=slug)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(access.MOVE_MONEY)
def remove(request: OrgRequest, slug: str, card_id: int) -> HttpResponse:
    """Say what removing does; on POST do it, and stop the auto-recharge that charges it if the page has said so."""
    if request.method == "POST":
        card = access.own(request, PaymentMethod, pk=card_id)
        try:
            stop = request.POST.get("recharge") == "stop"
            flows.remove_card(request.organization.pk, card.pk, stop_recharge=stop, now=timezone.now())
        except methods.CardRefused as refusal:
            messages.error(request, str(refusal))
        return redirect("billing:cards", slug=slug)
    card = access.own(request, KEPT, pk=card_id)
    others = methods.of(request.organization.pk).exclude(pk=card.pk).exists()
    page = {
        "card": card,
        "others": others,
        "used": recharge_cards.is_used(request.organization.pk, card.pk),
        "of_plan": plan_cards.is_used(request.organization.pk, card.pk),
    }
    return render(request, "billing/card_remove.html", page)
