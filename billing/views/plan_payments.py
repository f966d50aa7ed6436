"""What became of a payment for a plan: a first period, an upgrade, a renewal that is paid in the browser."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from billing import flows
from billing.graphs import takenback
from billing.money import from_cents
from billing.payments import declines, polling
from billing.payments.models import OPEN_STATES, Intent, Purpose
from billing.statements.models import Receipt
from billing.subscriptions.models import Charge, State
from billing.views import payment_face
from orgs import access
from orgs.access import OrgRequest

PAYMENTS = Intent.objects.filter(purpose=Purpose.SUBSCRIPTION)


@never_cache
@require_safe
@access.requires(access.MOVE_MONEY)
def payment(request: OrgRequest, slug: str, payment_id: UUID) -> HttpResponse:
    """What we know of it. Nothing is asked of Stripe and nothing is written here: that is `check`."""
    return _page(request, access.own(request, PAYMENTS, pk=payment_id), just_back="returned" in request.GET)


@require_POST
@access.requires(access.MOVE_MONEY)
def check(request: OrgRequest, slug: str, payment_id: UUID) -> HttpResponse:
    """Ask Stripe now and settle by what it says; answers the part of the page that shows it."""
    intent, now = access.own(request, PAYMENTS, pk=payment_id), timezone.now()
    page = reverse("billing:plan_payment", args=[slug, intent.pk])
    if intent.state in OPEN_STATES and payment_face.asked_just_now(intent, now):
        return HttpResponse(status=204) if request.htmx else redirect(f"{page}?returned=1")
    if intent.state in OPEN_STATES:
        flows.payment_outcome(intent.pk, polling.ask(intent.pk, now=now), now=now)
        intent.refresh_from_db()
    if not request.htmx:
        return redirect(page)
    if request.GET.get("known") == payment_face.known(intent, payment_face.face(intent, now)):
        return HttpResponse(status=204)
    return _page(request, intent, template="billing/plans/payment.html#standing")


@require_POST
@access.requires(access.MOVE_MONEY)
def cancel(request: OrgRequest, slug: str, payment_id: UUID) -> HttpResponse:
    """The customer does not want to pay after all: the page at Stripe is closed. A charge that is under way goes on."""
    intent, now = access.own(request, PAYMENTS, pk=payment_id), timezone.now()
    if intent.state in OPEN_STATES:
        flows.payment_outcome(intent.pk, polling.cancel(intent.pk, now=now), now=now)
    return redirect("billing:plan_payment", slug=slug, payment_id=intent.pk)


def _page(
    request: OrgRequest, intent: Intent, *, just_back: bool = False, template: str = "billing/plans/payment.html"
) -> HttpResponse:
    now = timezone.now()
    face = payment_face.face(intent, now, just_back=just_back)
    charge = Charge.objects.select_related("plan", "subscription__plan", "subscription__method").get(intent=intent)
    fee = charge.periods.filter(subscription=charge.subscription).first()
    refunds, disputes = takenback.of_payment(intent.pk) if face == "paid" else ((), ())
    page: dict[str, Any] = {
        "intent": intent,
        "charge": charge,
        "plan": charge.plan,
        "running": charge.subscription,
        "fee": fee,
        "face": "gone_back" if face == "paid" and fee is None else face,
        "refunds": refunds,
        "disputes": disputes,
        "amount": from_cents(intent.amount_cents),
        "receipt": face == "paid" and Receipt.objects.filter(pk=intent.pk).exists(),
        "asks": face == "not_paid" and declines.is_authentication(intent.failure_code),
        "past_due": charge.subscription.state == State.PAST_DUE,
        "known": payment_face.known(intent, face),
        # A page that was just opened looks at once.
        "trigger": "load, every 2s" if template == "billing/plans/payment.html" else "every 2s",
    }
    return render(request, template, page)
