"""A payment that its cardholder's bank disputes, or inquires about (A18).

Only money moves the ledger: each of the dispute's balance transactions is posted once, in Stripe's order, whoever tells of
the dispute and however late. The status only holds and releases: from opening to closing the payment's credit pays for
nothing, and no card of the organization is charged without its customer.
"""

from datetime import datetime, timedelta
from typing import Protocol

import structlog
from django.db.models import Q

from billing.ledger import takebacks
from billing.money import from_cents
from billing.payments import answers, asking, gateway, outcomes, reversals
from billing.payments.models import Dispute, DisputeMovement, Intent

log = structlog.get_logger(__name__)

RANK = {
    "warning_needs_response": 1,
    "warning_under_review": 1,
    "warning_closed": 2,
    "needs_response": 3,
    "under_review": 4,
    "won": 5,
    "lost": 5,
    "prevented": 5,
}
"""How far a dispute has come; the database keeps the same order (`dispute_rank`)."""
CLOSED = ("warning_closed", "won", "lost", "prevented")
ASKED_EVERY = timedelta(hours=1)
AT_ONCE = 200


class Apply(Protocol):
    """How news are made so: `flows.dispute_told`, which lies above this room."""

    def __call__(self, told: answers.Dispute, *, now: datetime) -> object: ...


def open_for(org_id: int) -> bool:
    """A payment of this organization is disputed: none of its cards is charged without its customer."""
    return Dispute.objects.filter(wallet_id=org_id, closed_at=None).exists()


def poll(apply: Apply, *, now: datetime) -> int:
    """Ask about every open dispute, once an hour each; answers how many could be asked."""
    open_ = Dispute.objects.filter(Q(checked_at=None) | Q(checked_at__lte=now - ASKED_EVERY), closed_at=None)
    due = open_.order_by("checked_at", "id").values_list("provider_id", flat=True)[:AT_ONCE]
    return asking.about_each(due, lambda id_: apply(gateway.read_dispute(id_), now=now), what="dispute")


def settle(told: answers.Dispute, intent: Intent, *, now: datetime) -> Dispute:
    """Apply what Stripe says of a dispute, in the caller's transaction; what was said before changes nothing.

    The wallet is locked, everything used is drawn and the payment is settled.
    """
    dispute = Dispute.objects.select_for_update().filter(provider_id=told.id).first() or _open(told, intent, now)
    _move(dispute, told, now)
    payment = reversals.payment_of(intent, told.charge_id)
    if dispute.closed_at is None:
        takebacks.hold(payment, now=now)
    for movement in sorted(told.movements, key=_in_order):
        _book(movement, dispute, intent, told.charge_id, now)
    if not reversals.is_disputed(intent):
        takebacks.release(reversals.payment_of(intent, ""), now=now)
    return dispute


def _in_order(movement: answers.Movement) -> tuple[datetime, bool, str]:
    """As it happened. Stripe's moments are whole seconds: within one, what comes back was withdrawn before."""
    return movement.created, movement.amount_cents > 0, movement.id


def _open(told: answers.Dispute, intent: Intent, now: datetime) -> Dispute:
    log.warning("dispute_opened", dispute=told.id, intent=str(intent.pk), status=told.status, reason=told.reason)
    return Dispute.objects.create(
        wallet_id=intent.wallet_id,
        intent=intent,
        provider_id=told.id,
        amount_cents=told.amount_cents,
        reason=told.reason,
        status=told.status if told.status in RANK else "needs_response",
        opened_at=told.created,
        created_at=now,
        closed_at=now if told.status in CLOSED else None,
    )


def _move(dispute: Dispute, told: answers.Dispute, now: datetime) -> None:
    """The status moves forward only: an older look at it is no news."""
    dispute.checked_at = now
    if told.status not in RANK:
        log.error("dispute_status_unknown", dispute=told.id, status=told.status)
    elif RANK[told.status] >= RANK[dispute.status]:
        if told.status != dispute.status:
            log.info("dispute_moved", dispute=told.id, before=dispute.status, after=told.status)
        dispute.status, dispute.amount_cents, dispute.reason = told.status, told.amount_cents, told.reason
        # Closed when it is closed; an inquiry that was closed and is escalated all the same is open again.
        dispute.closed_at = (dispute.closed_at or now) if told.status in CLOSED else None
    dispute.save()


def _book(movement: answers.Movement, dispute: Dispute, intent: Intent, charge_id: str, now: datetime) -> None:
    """One balance transaction, once: a withdrawal takes, a reinstatement gives back."""
    if not movement.amount_cents or DisputeMovement.objects.filter(pk=movement.id).exists():
        return
    if movement.currency != outcomes.CURRENCY:
        log.error(
            "dispute_not_in_dollars", dispute=dispute.provider_id, movement=movement.id, currency=movement.currency
        )
        return
    DisputeMovement.objects.create(
        id=movement.id,
        wallet_id=dispute.wallet_id,
        dispute=dispute,
        amount_cents=movement.amount_cents,
        at=movement.created,
        posted_at=now,
    )
    payment = reversals.payment_of(intent, charge_id)
    act = takebacks.dispute(dispute.provider_id, at=min(movement.created, now))
    amount = from_cents(abs(movement.amount_cents))
    if movement.amount_cents < 0:
        takebacks.take(payment, act, amount, now=now)
        return
    # Of what comes back after the dispute was closed nothing was held meanwhile: it gets the time since then.
    since, held = dispute.closed_at or now, reversals.is_disputed(intent)
    takebacks.give_back(payment, act, amount, since=since, held=held, now=now)
