"""READ FIRST. The life of an account, one short function per event: a plain sequence of calls, no rules of its own.

Each function is one transaction (or a row of small ones), takes the wallet's lock first and says last what changed for
the gateways, so that the numbers of the limits feed follow the order of commits.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from billing.ledger import accruals, debts, expiry, grants, wallets
from billing.ledger.models import CreditGrant
from billing.limits import publishing
from billing.metering import charging, reversing, watermark
from billing.metering.reversing import Reversal
from billing.payments import (
    answers,
    card_setups,
    disputes,
    methods,
    outcomes,
    reconciling,
    refunding,
    refunds,
    reversals,
)
from billing.payments.card_setups import CardSetup
from billing.payments.models import Dispute, Intent, PaymentMethod, Refund, RefundState
from billing.payments.outcomes import Outcome, Settled
from billing.payments.reconciliations import Reconciliation
from billing.recharge import cards


def payment_outcome(intent_id: UUID, outcome: Outcome, *, now: datetime) -> Settled | None:
    """Stripe said what became of a payment: by its answer, a webhook or the poller, whoever comes first."""
    with transaction.atomic():
        settled = outcomes.settle(intent_id, outcome, now=now)
        if settled is not None:
            publishing.publish([settled.org_id], now=now)
        return settled


def grant_promotional(
    org_id: int,
    amount: Decimal,
    *,
    key: str,
    title: str,
    expires_at: datetime,
    reason: str,
    issued_by: int | None,
    now: datetime,
) -> CreditGrant:
    """Staff give credit that was not paid for."""
    with transaction.atomic():
        wallets.lock([org_id])
        grant = grants.issue_promotional(
            org_id, amount, key=key, title=title, expires_at=expires_at, reason=reason, issued_by=issued_by, now=now
        )
        publishing.publish([org_id], now=now)
        return grant


def sweep(*, now: datetime) -> int:
    """Usage was accepted: charge it, post the hours that are complete; answers how many organizations it touched."""
    touched = charging.sweep(now=now, then=lambda org_ids: publishing.publish(org_ids, now=now))
    accruals.close_due(now=now, watermark=watermark.complete_through(now))
    return len(touched)


def reverse_usage(reversal: Reversal, *, now: datetime) -> reversing.Reversed:
    """A gateway takes an event back."""
    with transaction.atomic():
        done = reversing.reverse(reversal, now=now)
        publishing.publish([done.org_id], now=now)
        return done


def expire(*, now: datetime) -> int:
    """Grants came to their end: they pay for nothing new at once, and their rest moves away when their end is complete."""
    complete = watermark.complete_through(now)
    expired = 0
    for org_id in expiry.due(now=now, watermark=complete):
        with transaction.atomic():
            wallets.lock([org_id])
            charging.drain([org_id], now=now)
            expired += expiry.expire([org_id], now=now, watermark=complete)
            publishing.publish([org_id], now=now)
    with transaction.atomic():
        waiting = expiry.past_end(now)
        wallets.lock(waiting)
        publishing.publish(waiting, now=now)
    return expired


def refund(order: refunds.Order, *, now: datetime) -> Refund:
    """Staff give money back. What it takes is committed before Stripe hears of it; raises `RefundRefused`."""
    with transaction.atomic():
        wallets.lock([order.org_id])
        charging.drain([order.org_id], now=now)
        asked = refunds.ask(order, now=now)
        publishing.publish([order.org_id], now=now)
    if asked.state in (RefundState.ASKED, RefundState.UNKNOWN):
        return refund_told(refunding.send(asked.pk, now=now), now=now) or asked
    return asked


def refund_told(told: refunds.Outcome, *, now: datetime) -> Refund | None:
    """What became of a refund: by the answer, a webhook, the poller; also one made in Stripe's dashboard. None: not ours."""
    intent_id = refunds.intent_of(told)
    if intent_id is None:
        return None
    org_id = _payment_first(intent_id, told if isinstance(told, answers.Refund) else None, now)
    with transaction.atomic():
        wallets.lock([org_id])
        charging.drain([org_id], now=now)
        settled = refunds.settle(told, intent_id, now=now)
        publishing.publish([org_id], now=now)
        return settled


def review_refund(refund_id: UUID, *, by: int, now: datetime) -> Refund:
    """Staff have seen a refund that was made in Stripe's dashboard."""
    with transaction.atomic():
        return refunds.review(refund_id, by=by, now=now)


def dispute_told(told: answers.Dispute, *, now: datetime) -> Dispute | None:
    """What Stripe says of a dispute: by a webhook, the poller or a list. None: not ours."""
    intent_id = reversals.intent_of(told)
    if intent_id is None:
        return None
    org_id = _payment_first(intent_id, told, now)
    with transaction.atomic():
        wallets.lock([org_id])
        charging.drain([org_id], now=now)
        settled = disputes.settle(told, Intent.objects.get(pk=intent_id), now=now)
        publishing.publish([org_id], now=now)
        return settled


def card_saved(setup_id: UUID, outcome: card_setups.Outcome, *, now: datetime) -> CardSetup | None:
    """Stripe said what became of a page to save a card on: by its answer, a webhook or the poller. None: not ours."""
    with transaction.atomic():
        return card_setups.settle(setup_id, outcome, now=now)


def choose_card(org_id: int, method_id: int, *, now: datetime) -> PaymentMethod:
    """A customer makes a card the default; raises `CardRefused`."""
    with transaction.atomic():
        wallets.lock([org_id])
        return methods.choose(org_id, method_id, now=now)


def remove_card(org_id: int, method_id: int, *, now: datetime) -> None:
    """A customer removes a card: it is never charged again, and Stripe soon lets it go. Raises `CardRefused`."""
    with transaction.atomic():
        wallets.lock([org_id])
        cards.refuse_if_used(org_id, method_id)
        methods.remove(org_id, method_id, now=now)


def card_told(told: answers.Method, *, now: datetime) -> PaymentMethod | None:
    """What Stripe says of a saved card: by an answer, a webhook or the poller. None: not ours."""
    org_id = methods.organization(told.card.method_id)
    if org_id is None:
        return None
    with transaction.atomic():
        wallets.lock([org_id])
        return methods.told(told, now=now)


def write_off_debts(*, now: datetime) -> Decimal:
    """What was taken back after it was spent, and is owed for 180 days, is let go; answers how much that was, in USD."""
    written_off = Decimal(0)
    for org_id in debts.due(now=now):
        with transaction.atomic():
            wallets.lock([org_id])
            written_off += debts.write_off(org_id, now=now)
            publishing.publish([org_id], now=now)
    return written_off


def forgive_debt(org_id: int, amount: Decimal, *, reason: str, nonce: UUID, by: int, now: datetime) -> Decimal:
    """Staff let go of claw-back debt, or a part of it; raises `ForgivenessRefused`. The same nonce does it once."""
    with transaction.atomic():
        wallets.lock([org_id])
        forgiven = debts.forgive(org_id, amount, reason=reason, nonce=nonce, by=by, now=now)
        publishing.publish([org_id], now=now)
        return forgiven


def reconcile(
    *, now: datetime, since: datetime | None = None, say: Callable[[str], None] = lambda words: None
) -> Reconciliation:
    """Stripe's lists and the books are compared both ways; what a webhook should have told of is told now."""
    apply = reconciling.Apply(payment_outcome, refund_told, dispute_told)
    return reconciling.reconcile(apply, now=now, since=since, say=say)


def _payment_first(intent_id: UUID, told: reversals.Told | None, now: datetime) -> int:
    """Money can go back before we heard that it came: then the payment is settled first. Answers its organization."""
    missing = reversals.missing_payment(intent_id, told) if told else None
    if missing is not None:
        payment_outcome(intent_id, missing, now=now)
    return reversals.organization(intent_id)
