"""READ FIRST. The life of an account, one short function per event: a plain sequence of calls, no rules of its own.

Each function is one transaction (or a row of small ones), takes the wallet's lock first and says last what changed for
the gateways, so that the numbers of the limits feed follow the order of commits.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from billing.ledger import accruals, expiry, grants, wallets
from billing.ledger.models import CreditGrant
from billing.limits import publishing
from billing.metering import charging, reversing, watermark
from billing.metering.reversing import Reversal
from billing.payments import outcomes, reconciling
from billing.payments.outcomes import Outcome, Settled
from billing.payments.reconciliations import Reconciliation


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


def reconcile(
    *, now: datetime, since: datetime | None = None, say: Callable[[str], None] = lambda words: None
) -> Reconciliation:
    """Stripe's lists and the books are compared both ways; what a webhook should have told of is told now."""
    return reconciling.reconcile(reconciling.Apply(payment_outcome), now=now, since=since, say=say)
