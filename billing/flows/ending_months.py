"""Months end: they are settled, what they left owed is charged, and they are told."""

from datetime import datetime

from django.db import transaction

from billing.flows import paying
from billing.ledger import wallets
from billing.limits import publishing
from billing.metering import watermark
from billing.payments import card_charges
from billing.payments.outcomes import Settled
from billing.recharge import levels, working
from billing.settlement import closing, dunning
from billing.statements import issuing, receipts


def settle_periods(*, now: datetime) -> int:
    """Months are over and complete: their usage is posted, their overdraft decided on, their books closed."""

    def then(org_ids: list[int], charged: list[int]) -> None:
        levels.usage_charged(charged, now=now)
        levels.lifted(org_ids, now=now)
        publishing.publish(org_ids, now=now)

    complete = watermark.complete_through(now)
    return closing.settle(now=now, watermark=complete, recharging=working.among, then=then)


def collect_settlements(*, now: datetime) -> int:
    """Charge what was settled and is due, first or once more; answers how many were tried."""
    dunning.forget_paid()
    return dunning.collect(collect_settlement, now=now)


def collect_settlement(due: dunning.Due, *, now: datetime) -> Settled | None:
    """One of them. The charge is committed before Stripe hears of it. None: there is nothing to charge, or not now."""
    with transaction.atomic():
        wallets.lock([due.org_id])
        recharging = due.org_id in working.among([due.org_id], now=now)
        intent_id = dunning.begin(due.id, recharging=recharging, now=now)
        publishing.publish([due.org_id], now=now)
    if intent_id is None:
        return None
    return paying.payment_outcome(intent_id, card_charges.charge(intent_id, now=now), now=now)


def issue_statements(*, now: datetime) -> int:
    """Months that are closed are told, and payments that have no receipt get one; answers how many statements."""
    receipts.issue_due(now=now)
    return issuing.issue_due(now=now)
