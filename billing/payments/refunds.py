"""Money of a payment on its way back to the card: asked for by staff, or made in Stripe's dashboard (A17).

What is asked is committed first, together with what it takes from the credit; then Stripe is called, outside any
transaction, with the key `{refund}:{attempt}`; then one `settle` makes its outcome so, whoever brings it: the answer, a
webhook, the poller. Whoever is second finds it done.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Sum

from billing.ledger import takebacks, whereabouts
from billing.ledger.whereabouts import Act
from billing.money import ZERO, cents_down, from_cents, to_cents
from billing.payments import answers, reversals
from billing.payments.models import Intent, Refund, RefundState, State
from billing.payments.refunding import NotMade, Outcome, Unknown, poll, stale

__all__ = ["NotMade", "Order", "Outcome", "RefundRefused", "Unknown", "poll", "refundable", "stale"]

log = structlog.get_logger(__name__)

REASON_LENGTH = 500
BY_RULE = "plan:"
"""How the keys of refunds begin that the rules ask for, not staff."""
BY_STAFF = "requested_by_customer"
"""The reason at Stripe of what staff refund."""
FRAUDULENT = "fraudulent"
"""The reason at Stripe with which spent credit becomes a debt."""


class RefundRefused(ValueError):
    """This cannot be refunded. The message is for staff."""


@dataclass(frozen=True, slots=True)
class Order:
    """What staff want to give back. `nonce` is the form's own: the same form sent twice is one refund."""

    org_id: int
    intent_id: UUID
    amount_cents: int
    reason: str
    nonce: UUID
    asked_by: int


STATES = {
    "pending": RefundState.PENDING,
    "requires_action": RefundState.PENDING,
    "succeeded": RefundState.SUCCEEDED,
    "failed": RefundState.FAILED,
    "canceled": RefundState.FAILED,
}
LADDER = tuple(RefundState)


def intent_of(told: Outcome) -> UUID | None:
    """The payment of ours that this is about; None when it is none. May ask Stripe."""
    if isinstance(told, answers.Refund):
        known = Refund.objects.filter(provider_id=told.id).values_list("intent_id", flat=True).first()
        return known or reversals.intent_of(told)
    return Refund.objects.filter(pk=told.refund_id).values_list("intent_id", flat=True).first()


# --- Asking ------------------------------------------------------------------------------------------------------------


def refundable(intent_id: UUID, *, now: datetime) -> Decimal:
    """What staff may refund of this payment: what is left of its credit, down to the cent, and of its charge."""
    intent = Intent.objects.filter(pk=intent_id).first()
    if intent is None or intent.state != State.SUCCEEDED or not intent.charge_id or reversals.is_disputed(intent):
        return ZERO
    return _left(intent, now)


def _left(intent: Intent, now: datetime) -> Decimal:
    """Credit that came back may be more than was paid (use taken back, a debt of it paid): Stripe refunds what was paid."""
    made = Refund.objects.filter(intent=intent).exclude(state=RefundState.FAILED)
    refunded: int = made.aggregate(sum=Sum("amount_cents", default=0))["sum"]
    unspent = cents_down(whereabouts.unspent(reversals.payment_of(intent, intent.charge_id), now=now))
    return max(ZERO, min(unspent, from_cents(intent.amount_cents - refunded)))


def ask(order: Order, *, now: datetime) -> Refund:
    """Commit to a refund and take its amount from the credit (row 13), in the caller's transaction.

    The wallet is locked and everything used is drawn. The same nonce again answers the refund of the first time. Raises
    RefundRefused.
    """
    key = f"staff:{order.nonce}"
    if earlier := Refund.objects.filter(key=key).first():
        return _the_same(earlier, order)
    intent = Intent.objects.filter(pk=order.intent_id, wallet_id=order.org_id).first()
    if intent is None:
        raise RefundRefused("This organization has no such payment.")
    _check(order, intent, now)
    try:
        with transaction.atomic():
            refund = Refund.objects.create(
                wallet_id=order.org_id,
                intent=intent,
                amount_cents=order.amount_cents,
                key=key,
                reason=order.reason.strip(),
                stripe_reason=BY_STAFF,
                asked_by_id=order.asked_by,
                created_at=now,
            )
    except IntegrityError:
        # The same form for another organization, at this very moment.
        return _the_same(Refund.objects.get(key=key), order)
    takebacks.take(
        reversals.payment_of(intent, intent.charge_id), _act(refund, now), from_cents(refund.amount_cents), now=now
    )
    return refund


def _the_same(earlier: Refund, order: Order) -> Refund:
    asked = (order.org_id, order.intent_id, order.amount_cents, order.reason.strip())
    if (earlier.wallet_id, earlier.intent_id, earlier.amount_cents, earlier.reason) != asked:
        raise RefundRefused("This form was used for another refund.")
    return earlier


def _check(order: Order, intent: Intent, now: datetime) -> None:
    if intent.state != State.SUCCEEDED or not intent.charge_id:
        raise RefundRefused("Only a payment that was paid can be refunded.")
    if reversals.is_disputed(intent):
        raise RefundRefused("This payment is disputed: its outcome decides who gets the money.")
    payment = reversals.payment_of(intent, intent.charge_id)
    if not whereabouts.grants_of(payment):
        raise RefundRefused("This payment did not become credit.")
    reason = order.reason.strip()
    if not reason or len(reason) > REASON_LENGTH:
        raise RefundRefused(f"Say why, in at most {REASON_LENGTH} characters.")
    if order.amount_cents < 1:
        raise RefundRefused("Refund at least one cent.")
    amount, left = from_cents(order.amount_cents), _left(intent, now)
    if amount > left:
        raise RefundRefused(f"Only ${left:,.2f} of this payment is left: what was used or has ended is not refunded.")
    if amount > settings.STAFF_LIMIT_USD:
        raise RefundRefused(f"At most ${settings.STAFF_LIMIT_USD:,.2f} can be refunded at once.")


def give_back(intent: Intent, amount_cents: int, *, key: str, reason: str, now: datetime) -> Refund | None:
    """Commit to a refund that the rules ask for, of what is not earned of a payment for a plan (row 25), in the caller's
    transaction under the wallet's lock; the clock sends it. The same key is refunded once. None: nothing can be refunded
    here, as while the payment is disputed.
    """
    if earlier := Refund.objects.filter(key=f"{BY_RULE}{key}").first():
        return earlier
    payment = reversals.payment_of(intent, intent.charge_id)
    cents = min(amount_cents, to_cents(cents_down(whereabouts.unearned(payment))))
    if cents < 1 or not intent.charge_id or reversals.is_disputed(intent):
        return None
    refund = Refund.objects.create(
        wallet_id=intent.wallet_id,
        intent=intent,
        amount_cents=cents,
        key=f"{BY_RULE}{key}",
        reason=reason,
        stripe_reason=BY_STAFF,
        created_at=now,
    )
    takebacks.take(reversals.payment_of(intent, intent.charge_id), _act(refund, now), from_cents(cents), now=now)
    return refund


# --- Making it so ------------------------------------------------------------------------------------------------------


def settle(told: Outcome, intent_id: UUID, *, now: datetime) -> Refund:
    """Apply what became of a refund, once, in the caller's transaction; one that is new here is booked first.

    The wallet is locked, everything used is drawn and the payment is settled.
    """
    intent = Intent.objects.get(pk=intent_id)
    refund = _known(told)
    if refund is None:
        assert isinstance(told, answers.Refund)
        refund = _book(told, intent, now)
    before = RefundState(refund.state)
    wanted, code = _wanted(told, before)
    if isinstance(told, answers.Refund):
        refund.provider_id = refund.provider_id or told.id
    refund.checked_at = now
    if LADDER.index(wanted) > LADDER.index(before):
        refund.state, refund.failure_code = wanted, code
        if wanted in (RefundState.SUCCEEDED, RefundState.FAILED):
            refund.settled_at = now
            _post(refund, intent, before, now)
            if wanted == RefundState.FAILED and refund.key.startswith(BY_RULE):
                # Nobody here asked for it, so nobody waits for its outcome: staff send the money another way.
                refund.needs_review = True
                log.error("promised_refund_failed", refund=str(refund.pk), org_id=refund.wallet_id, code=code)
        log.info("refund_moved", refund=str(refund.pk), before=before.value, after=wanted.value)
    refund.save()
    return refund


def _known(told: Outcome) -> Refund | None:
    """Our row. A refund that names one of ours is it only while that one waits for its name, and is the one asked for."""
    if not isinstance(told, answers.Refund):
        return Refund.objects.select_for_update().get(pk=told.refund_id)
    if known := Refund.objects.select_for_update().filter(provider_id=told.id).first():
        return known
    if told.refund_id is None:
        return None
    waiting = Refund.objects.select_for_update().filter(
        pk=told.refund_id,
        provider_id=None,
        amount_cents=told.amount_cents,
        intent__charge_id=told.charge_id,
        state__in=[RefundState.ASKED, RefundState.UNKNOWN],
    )
    return waiting.first()


def _wanted(told: Outcome, before: RefundState) -> tuple[RefundState, str]:
    match told:
        case Unknown():
            return RefundState.UNKNOWN, ""
        case NotMade():
            # Once Stripe has named a refund, only Stripe ends it.
            open_ = before in (RefundState.ASKED, RefundState.UNKNOWN)
            return (RefundState.FAILED, told.code) if open_ else (before, "")
    state = STATES.get(told.status, RefundState.UNKNOWN)
    return state, (told.failure_code or told.status) if state == RefundState.FAILED else ""


def _book(told: answers.Refund, intent: Intent, now: datetime) -> Refund:
    """A refund nobody asked for here: it takes what is left, then what expired, then what was spent; staff look at it."""
    log.warning("refund_made_elsewhere", refund=told.id, intent=str(intent.pk), cents=told.amount_cents)
    refund = Refund.objects.create(
        wallet_id=intent.wallet_id,
        intent=intent,
        amount_cents=told.amount_cents,
        key=f"stripe:{told.id}",
        stripe_reason=told.reason,
        created_at=now,
        provider_id=told.id,
        needs_review=True,
    )
    takebacks.take(
        reversals.payment_of(intent, told.charge_id), _act(refund, now), from_cents(refund.amount_cents), now=now
    )
    return refund


def _post(refund: Refund, intent: Intent, before: RefundState, now: datetime) -> None:
    payment, act, amount = reversals.payment_of(intent, ""), _act(refund, now), from_cents(refund.amount_cents)
    if refund.state == RefundState.SUCCEEDED:
        takebacks.confirm(payment, act, amount, now=now)
        return
    if before == RefundState.SUCCEEDED:
        takebacks.undo(payment, act, amount, now=now)
    held = reversals.is_disputed(intent)
    takebacks.give_back(payment, act, None, since=refund.created_at, held=held, now=now)


def _act(refund: Refund, now: datetime) -> Act:
    return takebacks.refund(refund.wallet_id, refund.pk, owed=refund.stripe_reason == FRAUDULENT, at=now)


def review(refund_id: UUID, *, by: int, now: datetime) -> Refund:
    """Staff have looked at a refund that was made elsewhere."""
    refund = Refund.objects.select_for_update().get(pk=refund_id)
    if refund.needs_review:
        refund.needs_review, refund.reviewed_by_id, refund.reviewed_at = False, by, now
        refund.save(update_fields=["needs_review", "reviewed_by", "reviewed_at"])
    return refund
