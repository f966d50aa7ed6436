"""What is asked of Stripe when money goes back: refunds and disputes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, cast
from uuid import UUID

import stripe

from billing.payments.answers import Dispute, Movement, Refund
from billing.payments.gateway import wire
from billing.payments.gateway.wire import REFUND, call, moment, ours

if TYPE_CHECKING:
    from stripe.params import RefundCreateParams

Reason = Literal["duplicate", "fraudulent", "requested_by_customer"]


@dataclass(frozen=True, slots=True)
class NewRefund:
    """Money of one charge back to its card. `stripe_reason` is one of Stripe's, or empty."""

    refund_id: UUID
    charge_id: str
    amount_cents: int
    stripe_reason: str = ""


def create_refund(new: NewRefund, *, key: str) -> Refund:
    """Ask for it. The same `key` and values answer the same refund, however often it is asked for."""
    params: RefundCreateParams = {
        "charge": new.charge_id,
        "amount": new.amount_cents,
        "metadata": {REFUND: str(new.refund_id)},
    }
    if new.stripe_reason:
        params["reason"] = cast(Reason, new.stripe_reason)
    with call() as client:
        return _refund(client.v1.refunds.create(params, {"idempotency_key": key}))


def read_refund(refund_id: str) -> Refund:
    with call() as client:
        return _refund(client.v1.refunds.retrieve(refund_id))


def refunds_of(charge_id: str) -> list[Refund]:
    """All refunds of this charge, newest first."""
    return list(wire.pages(_list_refunds, _refund, charge_id=charge_id))


def refunds_since(since: datetime) -> Iterator[Refund]:
    """All refunds made since then, newest first; one page is asked for at a time."""
    return wire.pages(_list_refunds, _refund, since=since)


def read_dispute(dispute_id: str) -> Dispute:
    """The dispute with everything it has moved so far."""
    with call() as client:
        return _dispute(client.v1.disputes.retrieve(dispute_id))


def disputes_of(charge_id: str) -> list[Dispute]:
    """All disputes of this charge, newest first."""
    return list(wire.pages(_list_disputes, _dispute, charge_id=charge_id))


def disputes_since(since: datetime) -> Iterator[Dispute]:
    """All disputes opened since then, newest first; one page is asked for at a time."""
    return wire.pages(_list_disputes, _dispute, since=since)


def _list_refunds(client: stripe.StripeClient, page: wire.Page) -> stripe.ListObject[stripe.Refund]:
    return client.v1.refunds.list(page)


def _list_disputes(client: stripe.StripeClient, page: wire.Page) -> stripe.ListObject[stripe.Dispute]:
    return client.v1.disputes.list(page)


# --- Stripe's objects as ours ----------------------------------------------------------------------------------------


def _refund(refund: stripe.Refund) -> Refund:
    return Refund(
        id=refund.id,
        status=refund.status or "",
        amount_cents=refund.amount,
        currency=refund.currency,
        charge_id=wire.id_of(refund.charge),
        payment_id=wire.id_of(refund.payment_intent),
        created=moment(refund.created),
        reason=refund.reason or "",
        failure_code=getattr(refund, "failure_reason", None) or "",
        refund_id=ours(getattr(refund.metadata, REFUND, None)),
    )


def _dispute(dispute: stripe.Dispute) -> Dispute:
    moved = (
        Movement(row.id, row.amount, row.currency, moment(row.created)) for row in dispute.balance_transactions or ()
    )
    return Dispute(
        id=dispute.id,
        status=dispute.status,
        reason=dispute.reason or "",
        amount_cents=dispute.amount,
        currency=dispute.currency,
        charge_id=wire.id_of(dispute.charge),
        payment_id=wire.id_of(dispute.payment_intent),
        created=moment(dispute.created),
        movements=tuple(moved),
    )
