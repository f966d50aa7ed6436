"""Stripe's own lists beside the books."""

from collections.abc import Callable
from datetime import datetime

from billing.flows import giving_back, paying
from billing.payments import reconciling
from billing.payments.reconciliations import Reconciliation


def reconcile(
    *, now: datetime, since: datetime | None = None, say: Callable[[str], None] = lambda words: None
) -> Reconciliation:
    """Stripe's lists and the books are compared both ways; what a webhook should have told of is told now."""
    apply = reconciling.Apply(paying.payment_outcome, giving_back.refund_told, giving_back.dispute_told)
    return reconciling.reconcile(apply, now=now, since=since, say=say)
