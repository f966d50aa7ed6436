"""The card that renewals charge: it cannot be removed while a plan needs it, and another one can be chosen (A47)."""

from datetime import datetime

from billing.payments import card_charges
from billing.payments.methods import CardRefused
from billing.payments.models import PaymentMethod
from billing.subscriptions.models import Change, State, Subscription
from billing.subscriptions.refusals import PlanRefused


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


def choose(running: Subscription, method_id: int, *, now: datetime) -> None:
    """Renewals charge this saved card from now on. The wallet is locked. Raises `PlanRefused`."""
    method = PaymentMethod.objects.filter(wallet_id=running.wallet_id, pk=method_id).first()
    if method is None or not card_charges.is_usable(method, now=now):
        raise PlanRefused("This card was removed, or has expired.")
    running.method = method
    running.save(update_fields=["method"])
