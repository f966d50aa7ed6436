"""Asking Stripe for a refund, and what became of it: by the request of staff, and for all open ones by the clock.

What Stripe says is only brought here; applying it is `refunds.settle`, by way of `billing.flows`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from billing.payments import answers, asking, gateway
from billing.payments.models import OPEN_REFUNDS, Refund, RefundState

log = structlog.get_logger(__name__)

SAME_KEY_FOR = timedelta(hours=23)
"""Stripe keeps keys for 24 hours: afterwards a refund is looked up instead."""
AT_ONCE = 200
LEAVE_ALONE = timedelta(seconds=45)
"""A refund this young is probably being asked for by the request that made it."""

DUE = """
SELECT id FROM refund
WHERE state = ANY(%(open)s) AND created_at <= %(left_alone)s
    AND (checked_at IS NULL OR checked_at <= %(now)s::timestamptz - CASE state WHEN 'pending' THEN interval '1 hour'
        ELSE greatest('15 s', least('30 min', (%(now)s::timestamptz - created_at) / 20)) END)
ORDER BY checked_at NULLS FIRST, created_at
LIMIT %(at_once)s
"""
"""Open refunds, those not asked about for longest first; one that is on its way takes days."""


@dataclass(frozen=True, slots=True)
class NotMade:
    """Stripe did not make it, and will not. `code` is Stripe's, or `not_made`."""

    refund_id: UUID
    code: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody could say. It is asked again."""

    refund_id: UUID


Outcome = answers.Refund | NotMade | Unknown


class Apply(Protocol):
    """How an outcome is made so: `flows.refund_told`, which lies above this room."""

    def __call__(self, told: Outcome, *, now: datetime) -> object: ...


def poll(apply: Apply, *, now: datetime) -> int:
    """Ask about every open refund that is due; answers how many could be asked."""
    return asking.about_each(due(now=now), lambda id_: apply(look(id_, now=now), now=now), what="refund")


def due(*, now: datetime) -> list[UUID]:
    open_states = [state.value for state in OPEN_REFUNDS]
    with connection.cursor() as cursor:
        cursor.execute(DUE, {"open": open_states, "now": now, "left_alone": now - LEAVE_ALONE, "at_once": AT_ONCE})
        return [refund_id for (refund_id,) in cursor.fetchall()]


def stale(*, now: datetime) -> QuerySet[Refund]:
    """Refunds staff should look at: unknown for an hour, or on their way for 40 days."""
    unknown = Q(state__in=[RefundState.ASKED, RefundState.UNKNOWN], created_at__lte=now - timedelta(hours=1))
    return Refund.objects.filter(unknown | Q(state=RefundState.PENDING, created_at__lte=now - timedelta(days=40)))


def look(refund_id: UUID, *, now: datetime) -> Outcome:
    """What Stripe says of this refund now; where it has not answered yet it is asked again, by the same key.

    Never raises for Stripe's troubles: they are the outcome Unknown.
    """
    refund = Refund.objects.get(pk=refund_id)
    if refund.provider_id is None:
        return send(refund_id, now=now)
    try:
        return gateway.read_refund(refund.provider_id)
    except (gateway.Unknown, gateway.Refused, gateway.Declined) as error:
        log.warning("refund_not_read", refund=str(refund_id), error=str(error))
        return Unknown(refund_id)


def send(refund_id: UUID, *, now: datetime) -> Outcome:
    """Ask Stripe for the refund, or ask again: the same key and values, so that there is only ever one."""
    refund, asked_before = _note_call(refund_id, now)
    if asked_before and now - (refund.called_at or now) > SAME_KEY_FOR:
        return _find(refund, over=True)
    new = gateway.NewRefund(refund.pk, refund.intent.charge_id or "", refund.amount_cents, refund.stripe_reason)
    try:
        return gateway.create_refund(new, key=f"{refund.pk}:{refund.attempt}")
    except gateway.Unknown as error:
        log.warning("refund_unknown", refund=str(refund_id), error=str(error))
        return _find(refund, over=error.replayed) if asked_before else Unknown(refund_id)
    except (gateway.Refused, gateway.Declined) as error:
        log.error("refund_refused", refund=str(refund_id), code=error.code, error=error.message)
        # A first call that is refused had no effect. Of a repeated one only a look tells: the first may have had one.
        return _find(refund, over=True) if asked_before else NotMade(refund_id, error.code)


def _note_call(refund_id: UUID, now: datetime) -> tuple[Refund, bool]:
    """Commit that Stripe is about to be asked; answers whether it was asked before."""
    with transaction.atomic():
        refund = Refund.objects.select_for_update(of=("self",)).select_related("intent").get(pk=refund_id)
        asked_before = refund.called_at is not None
        if not asked_before:
            refund.called_at = now
            refund.save(update_fields=["called_at"])
    return refund, asked_before


def _find(refund: Refund, *, over: bool) -> Outcome:
    """The refund that Stripe has for ours; or nothing, which is final only when it is `over`."""
    try:
        made = gateway.refunds_of(refund.intent.charge_id or "")
    except (gateway.Unknown, gateway.Refused, gateway.Declined) as error:
        log.warning("refund_not_looked_up", refund=str(refund.pk), error=str(error))
        return Unknown(refund.pk)
    found = next((told for told in made if told.refund_id == refund.pk), None)
    return found or (NotMade(refund.pk, "not_made") if over else Unknown(refund.pk))
