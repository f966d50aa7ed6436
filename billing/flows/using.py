"""Usage comes in and credit goes out: by use, by its end."""

from datetime import datetime

from celery import current_app
from django.db import transaction

from billing import queue
from billing.contracts import drawdown
from billing.flows import steps
from billing.ledger import accruals, expiry, wallets
from billing.limits import publishing
from billing.metering import charging, reversing, watermark
from billing.metering.reversing import Reversal
from billing.notices import low_balance
from billing.recharge import levels

RECHARGE = "billing.tasks.recharge_credit"
CONTRACTS = "billing.tasks.collect_contracts"


def sweep(*, now: datetime) -> int:
    """Usage was accepted: charge it, post the hours that are complete; answers how many organizations it touched."""

    def then(org_ids: list[int], charged: list[int]) -> None:
        if levels.usage_charged(charged, now=now):
            queue.hint(current_app.signature(RECHARGE))
        if drawdown.due_at_once(org_ids, now=now):
            queue.hint(current_app.signature(CONTRACTS))
        _told(org_ids, now=now)

    touched = charging.sweep(now=now, then=then)
    accruals.close_due(now=now, watermark=watermark.complete_through(now))
    drawdown.close_due(now=now, watermark=watermark.complete_through(now))
    return len(touched)


def reverse_usage(reversal: Reversal, *, now: datetime) -> reversing.Reversed:
    """A gateway takes an event back."""
    with transaction.atomic():
        done = reversing.reverse(reversal, now=now)
        levels.usage_charged([done.org_id] if done.charged else [], now=now)
        levels.lifted([done.org_id], now=now)
        publishing.publish([done.org_id], now=now)
        return done


def expire(*, now: datetime) -> int:
    """Grants came to their end: they pay for nothing new at once, and their rest moves away when their end is complete."""
    complete = watermark.complete_through(now)
    expired = 0
    for org_id in expiry.due(now=now, watermark=complete):
        with transaction.atomic():
            wallets.lock([org_id])
            steps.drain(org_id, now)
            expired += expiry.expire([org_id], now=now, watermark=complete)
            publishing.publish([org_id], now=now)
    with transaction.atomic():
        waiting = expiry.past_end(now)
        wallets.lock(waiting)
        publishing.publish(waiting, now=now)
    return expired


def tell_low_balances(*, now: datetime) -> None:
    """Balances that fell below a threshold, or rose above it, in ways that nobody looked at: by the clock, by a dispute."""
    with transaction.atomic():
        low_balance.tell(wallets.lock(low_balance.moved(now=now)), now=now)


def _told(org_ids: list[int], *, now: datetime) -> None:
    """What follows from balances that moved. The limits come last (`publishing.publish`)."""
    low_balance.tell(org_ids, now=now)
    publishing.publish(org_ids, now=now)
