"""What the links in mails about auto-recharge open: for whoever has the link, signed in or not, a page with one button."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from billing import flows
from billing.money import from_cents
from billing.payments.models import Intent, Purpose, State
from billing.recharge import finishing, links, rules
from billing.recharge.links import LinkOver
from billing.recharge.models import Attempt, Standing
from orgs import access
from orgs.models import Membership, Organization

READS = ["GET", "HEAD", "POST"]


@never_cache
@require_http_methods(READS)
def stop(request: HttpRequest, token: str) -> HttpResponse:
    """Switch auto-recharge off. Following the link twice, or pressing twice, changes nothing more."""
    now = timezone.now()
    try:
        if request.method == "POST":
            flows.stop_recharge_by_link(token, now=now)
            return redirect("billing:recharge_stop", token=token)
        link = links.read_stop(token, now)
    except LinkOver as over:
        return _over(request, str(over))
    rule = rules.of(link.org_id)
    page = {"rule": rule, "on": rule and rule.standing == Standing.ON, "organization": _named(link.org_id)}
    return render(request, "billing/recharge_stop.html", page)


@never_cache
@require_http_methods(READS)
def finish(request: HttpRequest, token: str) -> HttpResponse:
    """Pay in the browser what the bank did not allow without its customer: on to Stripe's page."""
    now = timezone.now()
    try:
        attempt_id = links.read_finish(token, now)
    except LinkOver as over:
        return _over(request, str(over))
    attempt = Attempt.objects.select_related("intent__method").get(pk=attempt_id)
    if request.method == "POST":
        try:
            intent = flows.finish_recharge(attempt_id, by=_member(request, attempt.wallet_id), now=now)
        except finishing.NothingToFinish:
            return redirect("billing:recharge_finish", token=token)
        if intent.state == State.WAITING and intent.deadline and now < intent.deadline:
            return HttpResponseRedirect(intent.checkout_url)
        return redirect("billing:recharge_finish", token=token)
    look = finishing.look(attempt_id, now=now)
    page = {
        "attempt": attempt,
        "look": look,
        "amount": from_cents(look.cents),
        "organization": _named(attempt.wallet_id),
    }
    return render(request, "billing/recharge_finish.html", page)


@never_cache
@require_safe
def paid(request: HttpRequest, intent_id: UUID) -> HttpResponse:
    """Where Stripe sends back whoever paid without being signed in. The address cannot be guessed, and shows an amount."""
    intent = get_object_or_404(Intent, pk=intent_id, purpose=Purpose.CREDITS, created_by=None)
    page = {"intent": intent, "amount": from_cents(intent.amount_cents), "organization": _named(intent.wallet_id)}
    return render(request, "billing/recharge_paid.html", page)


def _named(org_id: int) -> str:
    return Organization.objects.values_list("name", flat=True).get(pk=org_id)


def _member(request: HttpRequest, org_id: int) -> int | None:
    """Who pays, if it is somebody who may move this organization's money."""
    if not request.user.is_authenticated:
        return None
    member = Membership.objects.filter(user=request.user, organization_id=org_id).first()
    return request.user.pk if member and access.allows(member.role, access.MOVE_MONEY) else None


def _over(request: HttpRequest, why: str) -> HttpResponse:
    return render(request, "billing/link_over.html", {"why": why}, status=404)
