"""What became of a payment for a plan, in the transaction that settled it; and what a dispute of one does to its plan.

Whatever arrives and does not fit any more, late or twice, goes back in full by itself (A28, A54).
"""

from datetime import datetime
from uuid import UUID

import structlog

from billing.payments import refunds
from billing.payments.models import Dispute, Intent, Purpose
from billing.payments.models import State as PaymentState
from billing.payments.outcomes import UNAPPLIED, Settled
from billing.subscriptions import beginning, cover, earning, ending, renewals, telling, upgrading
from billing.subscriptions.models import Charge, Ended, Kind, State, Subscription

log = structlog.get_logger(__name__)

PAID = {Kind.FIRST: beginning.paid, Kind.RENEWAL: renewals.paid, Kind.UPGRADE: upgrading.paid}
OVER = (PaymentState.FAILED, PaymentState.CANCELED)


def heard(settled: Settled, *, now: datetime) -> None:
    """The wallet is locked. Of payments that are not for a plan there is nothing to do."""
    if not settled.changed or settled.state not in (*OVER, PaymentState.SUCCEEDED):
        return
    intent = Intent.objects.get(pk=settled.intent_id)
    charge = _charge(intent)
    if charge is None:
        return
    if settled.state in OVER:
        _not_paid(charge, now)
    elif intent.failure_code == UNAPPLIED:
        # Of another amount or currency: it waits for staff, and has paid nothing.
        _not_paid(charge, now)
    elif not PAID[Kind(charge.kind)](charge, now=now):
        log.warning("plan_payment_goes_back", charge=charge.pk, intent=str(intent.pk))
        refunds.give_back(
            intent, intent.amount_cents, key=f"late:{intent.pk}", reason="The payment came too late for the plan.", now=now
        )  # fmt: skip
        telling.gone_back(charge, now=now)


def _not_paid(charge: Charge, now: datetime) -> None:
    if charge.kind == Kind.FIRST:
        beginning.not_paid(charge, now=now)
    elif charge.kind == Kind.RENEWAL:
        renewals.not_paid(charge, now=now)


def _charge(intent: Intent) -> Charge | None:
    if intent.purpose != Purpose.SUBSCRIPTION:
        return None
    return Charge.objects.select_related("subscription", "subscription__plan", "intent").filter(intent=intent).first()


# --- Disputes ------------------------------------------------------------------------------------------------------------


def dispute_told(intent_id: UUID, *, now: datetime) -> None:
    """A payment for a plan is disputed: its cover stops at once, and comes back when that is won (A18). The wallet is locked
    and the dispute is settled."""
    charge = _charge(Intent.objects.get(pk=intent_id))
    if charge is None:
        return
    running = charge.subscription
    of_plan = Dispute.objects.filter(intent__plan_charge__subscription=running)
    if of_plan.filter(closed_at=None).exists():
        _suspend(running, now)
    elif of_plan.filter(status="lost").exists():
        _lost(running, now)
    else:
        _back(running, now)
    earning.catch_up(intent_id, now=now)


def _suspend(running: Subscription, now: datetime) -> None:
    if running.state not in (State.ACTIVE, State.PAST_DUE):
        return
    running.state, running.next_at = State.SUSPENDED, running.ends_at
    running.save(update_fields=["state", "next_at"])
    cover.date_ahead(running, now=now)
    telling.suspended(running, now=now)


def _lost(running: Subscription, now: datetime) -> None:
    if running.state == State.SUSPENDED:
        ending.end(running, Ended.DISPUTED, now=now)


def _back(running: Subscription, now: datetime) -> None:
    """Won within its period it goes on; a period that ended meanwhile was the last one."""
    if running.state != State.SUSPENDED or running.ends_at is None:
        return
    if now >= running.ends_at:
        ending.end(running, Ended.DISPUTED, now=now)
        return
    running.state = State.ACTIVE
    running.save(update_fields=["state"])
    cover.date_ahead(running, now=now)
    telling.resumed(running, now=now)
