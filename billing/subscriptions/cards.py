"""The card that renewals charge: it cannot be removed while a plan needs it, another one can be chosen, and saved
again it stays the plan's (A47)."""

from datetime import datetime

import structlog

from billing.payments import card_charges, methods
from billing.payments.methods import CardRefused
from billing.payments.models import PaymentMethod
from billing.subscriptions.models import Change, State, Subscription
from billing.subscriptions.refusals import PlanRefused

log = structlog.get_logger(__name__)


class CardOfPlan(CardRefused):
    """A plan is renewed with it. The message is for the customer."""

    def __init__(self) -> None:
        super().__init__("A plan is renewed with this card. Choose another card for it, or cancel the plan first.")


def is_used(org_id: int, method_id: int) -> bool:
    """A plan that ends with its period needs no card."""
    ends = Change.objects.filter(withdrawn_at=None, applied_at=None, plan=None).values("subscription")
    running = Subscription.objects.filter(wallet_id=org_id, method_id=method_id).exclude(state=State.ENDED)
    return running.exclude(pk__in=ends).exists()


def refuse_if_used(org_id: int, method_id: int) -> None:
    """Under the wallet's lock. Raises `CardOfPlan`."""
    if is_used(org_id, method_id):
        raise CardOfPlan


def saved_again(org_id: int) -> None:
    """The card of a plan may have been saved anew: then renewals charge what its bank has just let be saved. Another card
    never becomes the plan's by this (A47). The wallet is locked."""
    gone = Subscription.objects.filter(wallet_id=org_id, method__detached_at__isnull=False).exclude(state=State.ENDED)
    for running in gone.select_related("method"):
        again = methods.successor(running.method) if running.method else None
        if again is not None:
            Subscription.objects.filter(pk=running.pk).update(method=again)
            log.info("plan_card_saved_again", org_id=org_id, subscription=running.pk, method=again.pk)


def choose(running: Subscription, method_id: int, *, now: datetime) -> None:
    """Renewals charge this saved card from now on. The wallet is locked. Raises `PlanRefused`."""
    method = PaymentMethod.objects.filter(wallet_id=running.wallet_id, pk=method_id).first()
    if method is None or not card_charges.is_usable(method, now=now):
        raise PlanRefused("This card was removed, or has expired.")
    running.method = method
    running.save(update_fields=["method"])
