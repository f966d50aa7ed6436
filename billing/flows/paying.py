"""What a customer pays, and credit that staff give."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from billing.contracts import collecting as contract_charges
from billing.ledger import grants, wallets
from billing.ledger.models import CreditGrant
from billing.limits import publishing
from billing.notices import low_balance
from billing.payments import credited, outcomes
from billing.payments.outcomes import Outcome, Settled
from billing.recharge import recharging
from billing.settlement import dunning
from billing.statements import receipts
from billing.subscriptions import cards as plan_cards
from billing.subscriptions import hearing


def payment_outcome(intent_id: UUID, outcome: Outcome, *, now: datetime) -> Settled | None:
    """Stripe said what became of a payment: by its answer, a webhook or the poller, whoever comes first."""
    with transaction.atomic():
        settled = outcomes.settle(intent_id, outcome, now=now)
        if settled is not None:
            recharging.heard(settled, now=now)
            hearing.heard(settled, now=now)
            if settled.changed:
                plan_cards.saved_again(settled.org_id)
                receipts.issue(intent_id, now=now)
            dunning.heard(settled, now=now)
            contract_charges.heard(settled, now=now)
            credited.announce(settled, now=now)
            low_balance.tell([settled.org_id], now=now)
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
        recharging.credited(org_id, now=now)
        low_balance.tell([org_id], now=now)
        publishing.publish([org_id], now=now)
        return grant
