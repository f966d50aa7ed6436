"""Credit runs low, and a saved card is charged by the rule of its customer."""

from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction

from billing.flows import paying, steps
from billing.ledger import wallets
from billing.limits import publishing
from billing.payments import card_charges, collecting
from billing.payments.models import Intent
from billing.payments.outcomes import Settled
from billing.recharge import finishing, links, recharging, rules
from billing.recharge.models import Rule, Why
from billing.recharge.rules import Wish

log = structlog.get_logger(__name__)


def recharge(org_id: int, *, now: datetime) -> Settled | None:
    """The balance may be low: where a charge is due it is written down, made, and settled; None when none is."""
    with transaction.atomic():
        wallets.lock([org_id])
        steps.drain(org_id, now)
        intent_id = recharging.begin(org_id, now=now)
        publishing.publish([org_id], now=now)
    if intent_id is None:
        return None
    return paying.payment_outcome(intent_id, card_charges.charge(intent_id, now=now), now=now)


def recharge_due(*, now: datetime) -> int:
    """Every organization that may be low is looked at; answers how many. One that fails does not stop the others."""
    looked_at = 0
    for org_id in recharging.due(now=now):
        try:
            recharge(org_id, now=now)
            looked_at += 1
        except Exception:
            log.exception("not_recharged", org_id=org_id)
    return looked_at


def switch_recharge_on(org_id: int, wish: Wish, *, by: int, version: int | None = None, now: datetime) -> Rule:
    """A customer agrees to a rule, or to other amounts, or goes on after a pause. Is the balance low, then the card is
    charged at once. Raises `WishRefused`, `ChangedMeanwhile`."""
    with transaction.atomic():
        wallets.lock([org_id])
        steps.drain(org_id, now)
        rule = rules.switch_on(org_id, wish, by=by, version=version, now=now)
        publishing.publish([org_id], now=now)
    recharge(org_id, now=now)
    rule.refresh_from_db()
    return rule


def switch_recharge_off(org_id: int, *, version: int | None = None, now: datetime) -> Rule | None:
    """A customer switches it off; None: it never was on. Raises `ChangedMeanwhile`."""
    with transaction.atomic():
        wallets.lock([org_id])
        return rules.switch_off(org_id, version=version, now=now)


def stop_recharge_by_link(token: str, *, now: datetime) -> Rule | None:
    """Somebody followed the link of a mail: no sign-in is asked for, since it only stops. Raises `LinkOver`."""
    with transaction.atomic():
        wallets.lock([links.read_stop(token, now).org_id])
        link = links.read_stop(token, now)
        return rules.switch_off(link.org_id, Why.LINK, now=now)


def finish_recharge(attempt_id: UUID, *, by: int | None = None, now: datetime) -> Intent:
    """A customer pays in the browser what the bank refused without: answers the purchase, with its page at Stripe where that
    could be opened (`checkout_url`). Raises `NothingToFinish`."""
    org_id = recharging.organization(attempt_id)
    with transaction.atomic():
        wallets.lock([org_id])
        steps.drain(org_id, now)
        intent = finishing.begin(attempt_id, by=by, now=now)
        publishing.publish([org_id], now=now)
    if not intent.checkout_id:
        paying.payment_outcome(intent.pk, collecting.open_checkout(intent.pk, now=now), now=now)
        intent.refresh_from_db()
    return intent
