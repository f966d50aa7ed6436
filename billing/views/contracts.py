"""A contract: its words, an owner's acceptance, how it stands, its overage limit, and paying what could not be charged."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from billing import flows
from billing.contracts import agreement, showing, signing
from billing.contracts.collecting import NothingToPay
from billing.contracts.models import Acceptance, Contract, State
from billing.contracts.signing import SigningRefused
from billing.money import NotMoney, to_cents, written
from billing.views.whole import NOT_WHOLE
from orgs import access, throttle
from orgs.access import OrgRequest

SHOWN = Contract.objects.exclude(state=State.DRAFT)
"""A draft is staff's alone: nobody else can read it."""


class AcceptForm(forms.Form):
    """`seen` is the digest of the words that were read; the page holds that of those it shows."""

    name = forms.CharField(
        max_length=signing.LONGEST_NAME,
        label="Your full name",
        help_text="Typed as you would sign it. It is kept with the words of the contract, your account and the moment.",
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    seen = forms.CharField(max_length=64)


class LimitForm(forms.Form):
    limit = forms.CharField(
        max_length=20,
        label="Overage limit per month",
        help_text="Requests are refused when a month's overage reaches it. 0.00: no overage at all.",
        widget=forms.TextInput(
            attrs={"inputmode": "decimal", "autocomplete": "off", "data-prefix": "$", "class": "input-short"}
        ),
    )

    def clean_limit(self) -> int:
        """Cents."""
        try:
            return to_cents(written(self.cleaned_data["limit"].strip()))
        except NotMoney as error:
            raise ValidationError(str(error)) from error


@never_cache
@require_safe
@access.requires(access.MOVE_MONEY)
def contract(request: OrgRequest, slug: str, contract_id: UUID) -> HttpResponse:
    return _page(request, access.own(request, SHOWN, public_id=contract_id), timezone.now())


@require_POST
@access.requires(access.OWN)
@throttle.posts(throttle.CHECKOUT)
def accept(request: OrgRequest, slug: str, contract_id: UUID) -> HttpResponse:
    """Agree to the words that were shown; agreeing twice is agreeing once."""
    found, now = access.own(request, SHOWN, public_id=contract_id), timezone.now()
    form = AcceptForm(request.POST)
    if not form.is_valid():
        if "seen" not in form.cleaned_data:
            form.add_error(None, NOT_WHOLE)
        return _page(request, found, now, accept=form)
    said = form.cleaned_data
    try:
        flows.accept_contract(found, by=request.user.pk, name=said["name"], digest=said["seen"], now=now)
    except SigningRefused as refusal:
        form.add_error(None, str(refusal))
        return _page(request, found, now, accept=form)
    messages.success(request, "Accepted. Nothing is charged before it starts.")
    return redirect("billing:contract", slug=slug, contract_id=contract_id)


@require_POST
@access.requires(access.OWN)
def limit(request: OrgRequest, slug: str, contract_id: UUID) -> HttpResponse:
    """Set how much overage a month may have."""
    found, now = access.own(request, SHOWN, public_id=contract_id), timezone.now()
    form = LimitForm(request.POST)
    if form.is_valid():
        try:
            flows.set_contract_limit(found, form.cleaned_data["limit"], by=request.user.pk, now=now)
        except SigningRefused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "The overage limit is set, from now on.")
            return redirect("billing:contract", slug=slug, contract_id=contract_id)
    return _page(request, found, now, limit=form)


@require_POST
@access.requires(access.MOVE_MONEY)
@throttle.posts(throttle.CHECKOUT)
def pay(request: OrgRequest, slug: str, contract_id: UUID) -> HttpResponse:
    """Charge what could not be charged, to the default card, now."""
    found, now = access.own(request, SHOWN, public_id=contract_id), timezone.now()
    try:
        flows.pay_contract(found, now=now)
    except NothingToPay as nothing:
        messages.info(request, str(nothing))
    else:
        left = showing.one(found, now=timezone.now()).unpaid
        say = messages.error if left else messages.success
        say(request, "The card was not charged. Use another one, and try again." if left else "Charged, or on its way.")
    return redirect("billing:contract", slug=slug, contract_id=contract_id)


def _page(
    request: OrgRequest,
    found: Contract,
    now: datetime,
    *,
    accept: AcceptForm | None = None,
    limit: LimitForm | None = None,
) -> HttpResponse:
    words = signing.text(found)
    standing = showing.one(found, now=now)
    page: dict[str, Any] = {
        "contract": found,
        "standing": standing,
        "paragraphs": words.split("\n\n"),
        "digest": agreement.digest(words).hex(),
        "acceptance": Acceptance.objects.select_related("by").filter(pk=found.pk).first(),
        "card": signing.card(found.wallet_id, now=now),
        "charges": showing.charges(found),
        "accept": accept or AcceptForm(),
        "limit": limit or LimitForm(initial={"limit": f"{standing.limit:.2f}"}),
        "open": showing.is_open(found, now=now),
        "whole": Decimal(found.amount_cents * 12) / 100,
    }
    return render(request, "billing/contract.html", page)
