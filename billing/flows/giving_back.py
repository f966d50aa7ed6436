"""Money goes back by refund or dispute, and what was spent of it is owed."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from billing.flows import paying, steps
from billing.ledger import debts, wallets
from billing.limits import publishing
from billing.payments import answers, disputes, refunding, refunds, reversals
from billing.payments.models import Dispute, Intent, Refund, RefundState
from billing.recharge import levels, recharging
from billing.subscriptions import hearing


def refund(order: refunds.Order, *, now: datetime) -> Refund:
    """Staff give money back. What it takes is committed before Stripe hears of it; raises `RefundRefused`."""
    with transaction.atomic():
        wallets.lock([order.org_id])
        steps.drain(order.org_id, now)
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
        steps.drain(org_id, now)
        settled = refunds.settle(told, intent_id, now=now)
        levels.lifted([org_id], now=now)
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
        steps.drain(org_id, now)
        settled = disputes.settle(told, Intent.objects.get(pk=intent_id), now=now)
        hearing.dispute_told(intent_id, now=now)
        recharging.dispute_opened(org_id, now=now)
        levels.lifted([org_id], now=now)
        publishing.publish([org_id], now=now)
        return settled


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


def _payment_first(intent_id: UUID, told: reversals.Told | None, now: datetime) -> int:
    """Money can go back before we heard that it came: then the payment is settled first. Answers its organization."""
    missing = reversals.missing_payment(intent_id, told) if told else None
    if missing is not None:
        paying.payment_outcome(intent_id, missing, now=now)
    return reversals.organization(intent_id)
