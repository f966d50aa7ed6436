"""Money that goes back as customers read it: refunds on their way, disputes, and what is owed for them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Q, QuerySet

from billing.money import from_cents
from billing.payments.models import OPEN_REFUNDS, Dispute, Intent, Refund, RefundState

INQUIRY = "warning_"
"""How Stripe's statuses begin while a bank only asks and no money has moved."""


@dataclass(frozen=True, slots=True)
class Refunded:
    """A refund of one payment, in USD. `on_its_way`: asked for, and the card does not have it yet."""

    id: UUID
    payment: Intent
    amount: Decimal
    on_its_way: bool
    failed: bool
    asked_at: datetime
    settled_at: datetime | None

    @property
    def payment_amount(self) -> Decimal:
        return from_cents(self.payment.amount_cents)


@dataclass(frozen=True, slots=True)
class Disputed:
    """A dispute of one payment, in USD. `taken`: what it holds of the money now, `inquiry`: the bank only asks."""

    provider_id: str
    payment: Intent
    amount: Decimal
    taken: Decimal
    status: str
    opened_at: datetime
    closed_at: datetime | None

    @property
    def payment_amount(self) -> Decimal:
        return from_cents(self.payment.amount_cents)

    @property
    def open(self) -> bool:
        return self.closed_at is None

    @property
    def inquiry(self) -> bool:
        return self.status.startswith(INQUIRY)

    @property
    def won(self) -> bool:
        return self.status in ("won", "prevented")

    @property
    def lost(self) -> bool:
        return self.status == "lost"


@dataclass(frozen=True, slots=True)
class Standing:
    """What has to be said of it now: open disputes, and refunds on their way."""

    disputes: tuple[Disputed, ...]
    refunds: tuple[Refunded, ...]


def standing(org_id: int) -> Standing:
    """Two queries; a third for what disputes have moved, when there are any."""
    return Standing(
        _disputed(Dispute.objects.filter(wallet=org_id, closed_at=None)),
        _refunded(Refund.objects.filter(wallet=org_id, state__in=OPEN_REFUNDS)),
    )


def of_payment(intent_id: UUID) -> tuple[tuple[Refunded, ...], tuple[Disputed, ...]]:
    """Everything that came or comes back of one payment, oldest first."""
    return _refunded(Refund.objects.filter(intent=intent_id)), _disputed(Dispute.objects.filter(intent=intent_id))


def behind(org_id: int, cause_kind: str, cause_id: str) -> tuple[Refunded | None, Disputed | None]:
    """The refund or the dispute that a line of the ledger follows from."""
    if cause_kind == "refund":
        found = _refunded(Refund.objects.filter(_is(cause_id), wallet=org_id))
        return (found[0] if found else None), None
    if cause_kind == "dispute":
        disputed = _disputed(Dispute.objects.filter(wallet=org_id, provider_id=cause_id))
        return None, (disputed[0] if disputed else None)
    return None, None


def _is(text: str) -> Q:
    try:
        return Q(pk=UUID(text))
    except ValueError:
        return Q(pk=None)


def _refunded(refunds: QuerySet[Refund]) -> tuple[Refunded, ...]:
    return tuple(
        Refunded(
            refund.pk,
            refund.intent,
            from_cents(refund.amount_cents),
            refund.state in OPEN_REFUNDS,
            refund.state == RefundState.FAILED,
            refund.created_at,
            refund.settled_at,
        )
        for refund in refunds.select_related("intent").order_by("created_at", "pk")
    )


def _disputed(disputes: QuerySet[Dispute]) -> tuple[Disputed, ...]:
    rows: Iterable[Dispute] = (
        disputes.select_related("intent").prefetch_related("movements").order_by("opened_at", "pk")
    )
    return tuple(
        Disputed(
            dispute.provider_id,
            dispute.intent,
            from_cents(dispute.amount_cents),
            from_cents(-sum(movement.amount_cents for movement in dispute.movements.all())),
            dispute.status,
            dispute.opened_at,
            dispute.closed_at,
        )
        for dispute in rows
    )
