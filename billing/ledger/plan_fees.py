"""Fees of plans in the ledger: collected into what is not earned yet (row 23), and earned by the day (row 24).

A fee never becomes credit. What is not earned of a payment is what it brought, less what was earned of it, less what
refunds and disputes took; it is read from the books, by the payment that each of those transfers names.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import reduce
from operator import or_
from uuid import UUID

from django.db.models import Q, QuerySet, Sum

from billing.ledger import accounts, posting
from billing.ledger.chart import Code
from billing.ledger.models import Transfer
from billing.ledger.posting import Cause, Entry
from billing.money import ZERO


def collect(org_id: int, amount: Decimal, *, payment_id: UUID, charged_at: datetime, now: datetime) -> None:
    """Row 23. The wallet is locked; the same payment is collected once, by its key."""
    deferred = accounts.of(org_id, Code.PLAN_DEFERRED)
    cause = Cause("intent", str(payment_id))
    posting.post(
        [Entry(org_id, Code.STRIPE, deferred, amount, "plan_fee", f"pay:{payment_id}", cause, min(charged_at, now))],
        now=now,
    )


@dataclass(frozen=True, slots=True)
class Earning:
    """So much (USD, above 0) of a payment is earned as of `effective_at`. `key` is unique for ever."""

    org_id: int
    payment_id: UUID
    amount: Decimal
    key: str
    effective_at: datetime


def earn(earnings: list[Earning], *, now: datetime) -> None:
    """Row 24. The wallets are locked, and `amount` is within what is `unearned`."""
    posting.post(
        [
            Entry(
                one.org_id, accounts.of(one.org_id, Code.PLAN_DEFERRED), Code.REVENUE_PLANS, one.amount, "plan_earned",
                one.key, Cause("intent", str(one.payment_id)), one.effective_at,
            )
            for one in earnings
        ],
        now=now,
    )  # fmt: skip


def unearned(org_id: int, payment_id: UUID, prefixes: tuple[str, ...]) -> Decimal:
    """What of a payment is still deferred, in USD. `prefixes`: how the keys of its refunds and disputes begin."""
    own = Q(cause_kind="intent", cause_id=str(payment_id))
    ours = reduce(or_, (Q(key__startswith=prefix) for prefix in prefixes), own)
    moved = Transfer.objects.filter(ours, wallet_id=org_id)
    return _sum(moved.filter(credit__code=Code.PLAN_DEFERRED)) - _sum(moved.filter(debit__code=Code.PLAN_DEFERRED))


def _sum(moved: QuerySet[Transfer]) -> Decimal:
    return moved.aggregate(sum=Sum("amount"))["sum"] or ZERO
