"""Stripe lets go of a removed card: told by the clock, again and again until it is known.

Detaching twice changes nothing there, so an unknown outcome is simply asked about. One that is still being charged (the
same card was saved again meanwhile) is let go when that is over. What Stripe says is only brought here;
applying it is `methods.told`, by way of `billing.flows`.
"""

from datetime import datetime
from typing import Protocol

import structlog
from django.db import connection

from billing.payments import answers, gateway
from billing.payments.answers import Card
from billing.payments.models import OPEN_STATES, PaymentMethod

log = structlog.get_logger(__name__)

AT_ONCE = 200
GONE = "resource_missing"

DUE = """
SELECT id FROM payment_method
WHERE detached_at <= %(now)s AND released_at IS NULL
    AND NOT EXISTS (SELECT FROM payment_intent i WHERE i.method_id = payment_method.id AND i.state = ANY(%(open)s))
    AND (checked_at IS NULL
        OR checked_at <= %(now)s::timestamptz - greatest('15 s', least('6 h', (%(now)s::timestamptz - detached_at) / 20)))
ORDER BY checked_at NULLS FIRST, detached_at
LIMIT %(at_once)s
"""


class Apply(Protocol):
    """How what Stripe says is made so: `flows.card_told`, which lies above this room."""

    def __call__(self, told: answers.Method, *, now: datetime) -> object: ...


def poll(apply: Apply, *, now: datetime) -> int:
    """Tell Stripe of every removed card it may still hold; answers how many. One that fails does not stop the others."""
    told = 0
    for method_id in due(now=now):
        try:
            release(method_id, apply, now=now)
            told += 1
        except Exception:
            log.exception("card_not_released", method=method_id)
    return told


def due(*, now: datetime) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(DUE, {"now": now, "open": [state.value for state in OPEN_STATES], "at_once": AT_ONCE})
        return [method_id for (method_id,) in cursor.fetchall()]


def release(method_id: int, apply: Apply, *, now: datetime) -> None:
    """Detach the card there. Never raises for Stripe's troubles: then the clock comes back to it."""
    method = PaymentMethod.objects.get(pk=method_id)
    told = _detach(method)
    if told is None:
        PaymentMethod.objects.filter(pk=method_id).update(checked_at=now)
    else:
        apply(told, now=now)


def _detach(method: PaymentMethod) -> answers.Method | None:
    """What Stripe says of it afterwards; None when nobody could say."""
    try:
        try:
            return gateway.detach_method(method.stripe_id)
        except gateway.Refused:
            # Nobody's already, or never there: a look tells which.
            told = gateway.read_method(method.stripe_id)
            return told if not told.customer_id else None
    except gateway.Refused as error:
        if error.code == GONE:
            return answers.Method(_as_kept(method), "")
        log.error("card_not_released", method=method.pk, code=error.code, error=error.message)
    except (gateway.Unknown, gateway.Declined) as error:
        log.warning("card_release_unknown", method=method.pk, error=str(error))
    return None


def _as_kept(method: PaymentMethod) -> Card:
    return Card(method.stripe_id, method.brand, method.last4, method.exp_month, method.exp_year)
