"""A plan whose period ends at `NOW`, and the clock of the portal that comes by then."""

from datetime import timedelta
from typing import Any

from django.db import transaction

from billing import flows
from billing.ledger import wallets
from billing.payments.models import Intent
from billing.subscriptions import renewals
from billing.subscriptions.models import Subscription
from tests.races.scenes import NOW, paid

BEGAN = NOW - timedelta(days=28)
"""10 February: the period ends on 10 March at `NOW`."""
LAST_SECOND = NOW - timedelta(seconds=1)
WRITTEN_DOWN = 'INSERT INTO "payment_intent"'


def renewing(running: Subscription) -> Any:
    def act() -> bool:
        with transaction.atomic():
            wallets.lock([running.wallet_id])
            return renewals.begin(running.pk, now=NOW) is not None

    return act


def renewal_pays(running: Subscription) -> Intent | None:
    """The card pays the renewal that was written down, if one was."""
    intent = Intent.objects.filter(plan_charge__subscription=running, plan_charge__kind="renewal").first()
    if intent is not None:
        flows.payment_outcome(intent.pk, paid(intent), now=NOW + timedelta(seconds=1))
    running.refresh_from_db()
    return intent
