"""Asking for money: what we mean to collect is committed first, then Stripe is called, outside any transaction.

Each call carries the key `{intent}:{attempt}`, so that asking again after an unknown outcome answers what happened the
first time and never makes a second payment. Stripe keeps keys for 24 hours: after 23 we look the intent up instead.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.urls import reverse

from billing.ledger import balances
from billing.money import NotMoney, from_cents
from billing.payments import buying, customers, gateway, outcomes
from billing.payments.answers import Checkout
from billing.payments.models import OPEN_STATES, Customer, Intent, Purpose
from orgs.models import Organization

log = structlog.get_logger(__name__)

CHECKOUT_OPEN_FOR = timedelta(minutes=31)
"""Half an hour to pay (A14), and a minute since Stripe's clock is not ours: it refuses less than 30 by its own."""
SAME_KEY_FOR = timedelta(hours=23)
TITLES = {Purpose.CREDITS: "credit", Purpose.SUBSCRIPTION: "plan"}
"""What is paid for on Stripe's page."""


class AmountRefused(ValueError):
    """Credit is not sold in this amount. The message is for the customer."""


class FormUsedBefore(ValueError):
    """The form was sent before with another amount, so this is not the second click of one purchase."""

    def __init__(self, earlier: Intent) -> None:
        super().__init__("This form was used for another amount.")
        self.earlier = earlier


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants to buy. `nonce` is the form's own: the same form sent twice is one purchase."""

    org_id: int
    amount_cents: int
    nonce: UUID
    bought_by: int


def buy_credits(order: Order, *, now: datetime) -> Intent:
    """The purchase, with Stripe's page to pay on where Stripe has answered (`checkout_url`), else still unknown.

    Raises AmountRefused and FormUsedBefore; Stripe's troubles are outcomes, not errors.
    """
    intent = _commit(order, now)
    if intent.state in OPEN_STATES and not intent.checkout_id:
        outcomes.settle(intent.pk, open_checkout(intent.pk, now=now), now=now)
        intent.refresh_from_db()
    return intent


def amount_bounds(org_id: int, *, now: datetime) -> buying.Bounds:
    return buying.bounds(
        balances.of(org_id, now=now), least=settings.PURCHASE_MIN_USD, most=settings.PURCHASE_MAX_USD
    )  # fmt: skip


def _commit(order: Order, now: datetime) -> Intent:
    key = f"buy:{order.nonce.hex}"
    earlier = Intent.objects.filter(key=key).first()
    if earlier is None:
        _check_amount(order, now)
        try:
            with transaction.atomic():
                return Intent.objects.create(
                    wallet_id=order.org_id,
                    purpose=Purpose.CREDITS,
                    amount_cents=order.amount_cents,
                    key=key,
                    created_by_id=order.bought_by,
                    created_at=now,
                    deadline=now + CHECKOUT_OPEN_FOR,
                )
        except IntegrityError:
            # The other click of a double click was faster.
            earlier = Intent.objects.get(key=key)
    if (earlier.wallet_id, earlier.amount_cents) != (order.org_id, order.amount_cents):
        raise FormUsedBefore(earlier)
    return earlier


def _check_amount(order: Order, now: datetime) -> None:
    bounds = amount_bounds(order.org_id, now=now)
    try:
        amount = from_cents(order.amount_cents)
    except NotMoney as error:
        raise AmountRefused(str(error)) from error
    if not bounds.least <= amount <= bounds.most:
        raise AmountRefused(f"Choose an amount from ${bounds.least:,.2f} to ${bounds.most:,.2f}.")


# --- Stripe's page -----------------------------------------------------------------------------------------------------


def open_checkout(intent_id: UUID, *, now: datetime) -> outcomes.Outcome:
    """Ask Stripe for the page of this purchase, or ask again: the same key and values, so there is only ever one."""
    intent, asked_before = _note_call(intent_id, now)
    if asked_before and now - (intent.called_at or now) > SAME_KEY_FOR:
        return _find_checkout(intent, over=True)
    try:
        return outcomes.of_checkout(_ask_for_checkout(intent, now))
    except gateway.Unknown as error:
        log.warning("checkout_unknown", intent=str(intent_id), error=str(error))
        # After its deadline the page cannot come to be any more: Stripe refuses pages that close in the past.
        over = intent.deadline is not None and now >= intent.deadline
        return _find_checkout(intent, over=over) if asked_before else outcomes.Unknown()
    except (gateway.Refused, gateway.Declined) as error:
        log.error("checkout_refused", intent=str(intent_id), code=error.code, error=error.message)
        # A first call that is refused had no effect. Of a repeated one only a look tells: the first may have had one.
        return _find_checkout(intent, over=True) if asked_before else outcomes.Declined("not_opened")


def _find_checkout(intent: Intent, *, over: bool) -> outcomes.Outcome:
    """What Stripe has for this intent. Its page; or nothing, which is final only when it is `over`."""
    customer = Customer.objects.filter(wallet_id=intent.wallet_id).first()
    try:
        found = customer and gateway.find_checkout(
            customer.stripe_id, intent.pk, since=intent.created_at - timedelta(hours=1)
        )
    except (gateway.Unknown, gateway.Refused, gateway.Declined) as error:
        log.warning("checkout_not_looked_up", intent=str(intent.pk), error=str(error))
        return outcomes.Unknown()
    if found:
        return outcomes.of_checkout(found)
    return outcomes.Declined("not_opened") if over else outcomes.Unknown()


def _note_call(intent_id: UUID, now: datetime) -> tuple[Intent, bool]:
    """Commit that Stripe is about to be asked; answers whether it was asked before."""
    with transaction.atomic():
        intent = Intent.objects.select_for_update(of=("self",)).select_related("created_by").get(pk=intent_id)
        asked_before = intent.called_at is not None
        if not asked_before:
            intent.called_at = now
            intent.save(update_fields=["called_at"])
    return intent, asked_before


def _ask_for_checkout(intent: Intent, now: datetime) -> Checkout:
    organization = Organization.objects.get(pk=intent.wallet_id)
    here = settings.PUBLIC_URL + _comes_back_to(intent, organization.slug)
    if intent.deadline is None:
        raise ValueError(f"purchase {intent.pk} has no deadline")
    email = intent.created_by.email if intent.created_by else ""
    new = gateway.NewCheckout(
        intent_id=intent.pk,
        customer_id=customers.at_stripe(organization, email, cause=intent.pk, now=now),
        amount_cents=intent.amount_cents,
        title=f"{settings.BRAND['name']} {TITLES[Purpose(intent.purpose)]}",
        expires_at=intent.deadline,
        return_url=f"{here}?returned=1",
        cancel_url=here,
    )
    return gateway.create_checkout(new, key=f"{intent.pk}:{intent.attempt}")


def _comes_back_to(intent: Intent, slug: str) -> str:
    """The page of the purchase; for whoever pays without being signed in one that asks for no sign-in."""
    if intent.purpose == Purpose.SUBSCRIPTION:
        return reverse("billing:plan_payment", kwargs={"slug": slug, "payment_id": intent.pk})
    if intent.created_by_id is None:
        return reverse("billing:recharge_paid", kwargs={"intent_id": intent.pk})
    return reverse("billing:purchase", kwargs={"slug": slug, "intent_id": intent.pk})
