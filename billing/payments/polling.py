"""Asking what became of a payment: by the return page, and for all open ones by the clock.

What Stripe says is only brought here; applying it is `outcomes.settle`, by way of `billing.flows`.
"""

from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog
from django.db import connection
from django.db.models import Q, QuerySet

from billing.payments import asking, card_charges, collecting, gateway, outcomes
from billing.payments.models import OPEN_STATES, Intent, State

log = structlog.get_logger(__name__)

AT_ONCE = 200
LEAVE_ALONE = timedelta(seconds=45)
"""A purchase this young is probably being opened by the request that made it."""

DUE = """
SELECT id FROM payment_intent
WHERE state = ANY(%(open)s) AND created_at <= %(left_alone)s
    AND (checked_at IS NULL
        OR checked_at <= %(now)s::timestamptz - greatest('15 s', least('30 min', (%(now)s::timestamptz - created_at) / 20)))
ORDER BY checked_at NULLS FIRST, created_at
LIMIT %(at_once)s
"""
"""Open payments, those not asked about for longest first. The older one is, the rarer it is asked about."""


class Apply(Protocol):
    """How an outcome is made so: `flows.payment_outcome`, which lies above this room."""

    def __call__(self, intent_id: UUID, outcome: outcomes.Outcome, *, now: datetime) -> object: ...


def poll(apply: Apply, *, now: datetime) -> int:
    """Ask about every open payment that is due; answers how many could be asked."""
    return asking.about_each(due(now=now), lambda id_: apply(id_, ask(id_, now=now), now=now), what="payment")


def due(*, now: datetime) -> list[UUID]:
    open_states = [state.value for state in OPEN_STATES]
    with connection.cursor() as cursor:
        cursor.execute(DUE, {"open": open_states, "now": now, "left_alone": now - LEAVE_ALONE, "at_once": AT_ONCE})
        return [intent_id for (intent_id,) in cursor.fetchall()]


def stale(*, now: datetime) -> QuerySet[Intent]:
    """Payments staff should look at: unknown for an hour, or open for a day."""
    unknown = Q(state__in=[State.CREATED, State.UNKNOWN], created_at__lte=now - timedelta(hours=1))
    return Intent.objects.filter(unknown | Q(state__in=OPEN_STATES, created_at__lte=now - timedelta(days=1)))


def is_ours(intent_id: UUID) -> bool:
    return Intent.objects.filter(pk=intent_id).exists()


def ask(intent_id: UUID, *, now: datetime) -> outcomes.Outcome:
    """What Stripe says of this payment now. A page that was open too long is closed before it is believed.

    Never raises for Stripe's troubles: they are the outcome Unknown.
    """
    intent = Intent.objects.get(pk=intent_id)
    if intent.method_id is not None:
        return card_charges.charge(intent_id, now=now)
    try:
        if intent.checkout_id:
            return _ask_checkout(
                intent, intent.checkout_id, close=intent.deadline is not None and now >= intent.deadline
            )
        if intent.provider_id:
            return outcomes.of_payment(gateway.read_payment(intent.provider_id))
    except (gateway.Unknown, gateway.Refused, gateway.Declined) as error:
        log.warning("payment_not_read", intent=str(intent_id), error=str(error))
        return outcomes.Unknown()
    if intent.called_at is None and intent.deadline is not None and now >= intent.deadline:
        # Stripe never heard of it: there is nothing to ask about.
        return outcomes.Canceled("not_opened")
    return collecting.open_checkout(intent_id, now=now)


def cancel(intent_id: UUID, *, now: datetime) -> outcomes.Outcome:
    """The customer does not want to pay after all: close the page. Was it paid a moment before, then it is paid."""
    intent = Intent.objects.get(pk=intent_id)
    if intent.state != State.WAITING or not intent.checkout_id:
        return ask(intent_id, now=now)
    try:
        outcome = _ask_checkout(intent, intent.checkout_id, close=True)
    except (gateway.Unknown, gateway.Refused, gateway.Declined) as error:
        log.warning("payment_not_canceled", intent=str(intent_id), error=str(error))
        return outcomes.Unknown()
    if isinstance(outcome, outcomes.Canceled) and outcome.code == "expired":
        return outcomes.Canceled("canceled", outcome.provider_id)
    return outcome


def _ask_checkout(intent: Intent, checkout_id: str, *, close: bool) -> outcomes.Outcome:
    checkout = gateway.read_checkout(checkout_id)
    if close and checkout.status == "open":
        try:
            gateway.expire_checkout(checkout_id)
        except gateway.Refused:
            # Paid or closed in this very moment: the second look tells which.
            log.info("checkout_closed_meanwhile", intent=str(intent.pk))
        checkout = gateway.read_checkout(checkout_id)
    return outcomes.of_checkout(checkout)
