"""A plan is quoted, begun, changed, renewed, and ends."""

from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction

from billing.flows import paying
from billing.ledger import wallets
from billing.limits import publishing
from billing.payments import card_charges, collecting
from billing.payments.models import OPEN_STATES
from billing.subscriptions import beginning, cards, choosing, earning, ending, renewals, rises, upgrading
from billing.subscriptions.models import Change, Charge, Quote, Subscription

log = structlog.get_logger(__name__)


def quote_plan(org_id: int, plan_id: int, *, by: int, now: datetime) -> Quote:
    """A customer is shown what a plan costs. Raises `PlanRefused`."""
    with transaction.atomic():
        wallets.lock([org_id])
        return choosing.quote(org_id, plan_id, by=by, now=now)


def subscribe(org_id: int, quote_id: UUID, *, by: int, method_id: int | None = None, now: datetime) -> Charge:
    """A customer agrees to what was quoted: a first plan, paid with this saved card, or (None) on Stripe's page, whose
    address its payment then has (`checkout_url`). Raises `PlanRefused`, `QuoteOver`."""
    with transaction.atomic():
        wallets.lock([org_id])
        charge = beginning.begin(org_id, quote_id, by=by, method_id=method_id, now=now)
        publishing.publish([org_id], now=now)
    return _collected(charge, now)


def upgrade(org_id: int, quote_id: UUID, *, by: int, method_id: int | None = None, now: datetime) -> Charge:
    """The same for a greater plan in place of the one there is. It takes effect when the payment settles, a free one now."""
    with transaction.atomic():
        wallets.lock([org_id])
        charge = upgrading.begin(org_id, quote_id, by=by, method_id=method_id, now=now)
        publishing.publish([org_id], now=now)
    return _collected(charge, now)


def schedule_plan(org_id: int, public_id: UUID, plan_id: int, *, by: int, shown: str = "", now: datetime) -> Change:
    """A customer chooses a smaller plan for the time after this period; `shown` is `choosing.seen` of what he agreed to.
    Raises `PlanRefused`, `QuoteOver`."""
    with transaction.atomic():
        wallets.lock([org_id])
        change = choosing.schedule_change(choosing.one(org_id, public_id), plan_id, by=by, shown=shown, now=now)
        publishing.publish([org_id], now=now)
        return change


def cancel_plan(org_id: int, public_id: UUID, *, by: int, shown: str = "", now: datetime) -> Change | None:
    """A customer cancels: with the period's end, past due at once (None). `shown` as above. Raises the same."""
    with transaction.atomic():
        wallets.lock([org_id])
        change = choosing.cancel(choosing.one(org_id, public_id), by=by, shown=shown, now=now)
        publishing.publish([org_id], now=now)
        return change


def withdraw_change(org_id: int, public_id: UUID, *, by: int, change_id: int | None = None, now: datetime) -> None:
    """A customer takes back what was scheduled: this change, if it is named. Raises `PlanRefused`, `QuoteOver`."""
    with transaction.atomic():
        wallets.lock([org_id])
        choosing.withdraw(choosing.one(org_id, public_id), by=by, change_id=change_id, now=now)
        publishing.publish([org_id], now=now)


def charge_plan_to(org_id: int, public_id: UUID, method_id: int, *, now: datetime) -> None:
    """A customer chooses the card of a plan. Raises `PlanRefused`."""
    with transaction.atomic():
        wallets.lock([org_id])
        cards.choose(choosing.one(org_id, public_id), method_id, now=now)


def finish_renewal(org_id: int, public_id: UUID, *, by: int, now: datetime) -> Charge:
    """A customer pays in the browser what the bank refused without. Raises `PlanRefused`."""
    with transaction.atomic():
        wallets.lock([org_id])
        charge = renewals.finish(choosing.one(org_id, public_id), by=by, now=now)
    return _collected(charge, now)


def renew_plans(*, now: datetime) -> int:
    """Periods are over, or a renewal is tried again; answers how many were looked at. One that fails stops no other."""
    looked_at = 0
    for due in list(renewals.due(now=now)):
        try:
            renew_plan(due, now=now)
            looked_at += 1
        except Exception:
            log.exception("plan_not_renewed", subscription=due.id)
    return looked_at


def renew_plan(due: renewals.Due, *, now: datetime) -> None:
    """One of them: what is scheduled happens, the next period is charged, or the plan ends."""
    with transaction.atomic():
        wallets.lock([due.org_id])
        intent_id = renewals.begin(due.id, now=now)
        publishing.publish([due.org_id], now=now)
    if intent_id is not None:
        paying.payment_outcome(intent_id, card_charges.charge(intent_id, now=now), now=now)


def tell_price_rises(*, now: datetime) -> int:
    """Plans became dearer: who has one is told from which renewal on; answers how many. One that fails stops no other."""
    told = 0
    for org_id, subscription_id in rises.waiting():
        try:
            with transaction.atomic():
                wallets.lock([org_id])
                told += rises.tell(subscription_id, now=now) is not None
        except Exception:
            log.exception("price_rise_not_told", subscription=subscription_id)
    return told


def earn_plans(*, now: datetime) -> int:
    """Months and periods are over: what was earned of fees becomes revenue; answers for how many organizations."""
    due = earning.due(now=now)
    for org_id in due:
        with transaction.atomic():
            wallets.lock([org_id])
            earning.earn([org_id], now=now)
    return len(due)


def retire_plans(*, now: datetime) -> int:
    """Plans whose last model is retired end, and unused days are refunded; answers how many."""
    retiring = ending.retiring(now=now)
    for org_id, subscription_id in retiring:
        with transaction.atomic():
            wallets.lock([org_id])
            ending.retire(Subscription.objects.get(pk=subscription_id), now=now)
            publishing.publish([org_id], now=now)
    return len(retiring)


def _collected(charge: Charge, now: datetime) -> Charge:
    """Stripe is asked for its payment, unless it was before; then it is as that says."""
    intent = charge.intent
    if intent is not None and intent.state in OPEN_STATES:
        if intent.method_id is not None:
            paying.payment_outcome(intent.pk, card_charges.charge(intent.pk, now=now), now=now)
        elif not intent.checkout_id:
            paying.payment_outcome(intent.pk, collecting.open_checkout(intent.pk, now=now), now=now)
        intent.refresh_from_db()
    charge.subscription.refresh_from_db()
    return charge
