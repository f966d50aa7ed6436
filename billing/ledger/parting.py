"""Which part of a payment a refund or dispute takes, and in which order it gives back: pure functions over amounts.

Taken, in this order: money without a place; what is left of the credit; what of a plan's fee is not earned; what expired;
the rest was spent, or earned. Given back in the
opposite order: the spent part first, what was left of the credit last. All amounts are USD, above nothing in what is
answered.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from billing.money import ZERO


class Part(StrEnum):
    UNAPPLIED = "unapplied"
    UNSPENT = "unspent"
    UNEARNED = "unearned"
    """Of a plan's fee: not earned yet."""
    EXPIRED = "expired"
    SPENT = "spent"
    """Borne by us (goodwill)."""
    DEBT = "debt"
    """Spent, and owed by the customer; given back: what is owed still."""
    WRITTEN_OFF = "written_off"
    """Given back only: debt that was written off meanwhile."""
    CREDIT = "credit"
    """Given back only: debt that the customer has paid meanwhile."""


@dataclass(frozen=True, slots=True)
class Share:
    """A part of an amount; `account_id` the grant it is taken from or given back to, None: no grant can take it."""

    part: Part
    amount: Decimal
    account_id: int | None = None


@dataclass(frozen=True, slots=True)
class Rest:
    """A grant: what is left of it; or, giving back, what was taken from it and the room it has to take it back."""

    account_id: int
    amount: Decimal
    room: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Left:
    """What there is of a payment that can be taken."""

    unapplied: Decimal = ZERO
    rests: tuple[Rest, ...] = ()
    expired: Decimal = ZERO
    unearned: Decimal = ZERO

    @property
    def unspent(self) -> Decimal:
        return sum((rest.amount for rest in self.rests), ZERO)


@dataclass(frozen=True, slots=True)
class Taken:
    """What one refund or dispute has taken and not given back. Of debt: owed still, written off, or paid since."""

    debt: Decimal = ZERO
    written_off: Decimal = ZERO
    paid: Decimal = ZERO
    goodwill: Decimal = ZERO
    expired: Decimal = ZERO
    rests: tuple[Rest, ...] = ()
    unapplied: Decimal = ZERO
    unearned: Decimal = ZERO


def take(amount: Decimal, left: Left, *, spent: Part) -> list[Share]:
    """Split an amount over what is there; what was spent is `spent`: Part.SPENT or Part.DEBT. Adds up to it exactly."""
    offered = [
        Share(Part.UNAPPLIED, left.unapplied),
        *(Share(Part.UNSPENT, rest.amount, rest.account_id) for rest in left.rests),
        Share(Part.UNEARNED, left.unearned),
        Share(Part.EXPIRED, left.expired),
        Share(spent, amount),
    ]
    return list(_up_to(amount, offered))


def give_back(amount: Decimal, taken: Taken) -> list[Share]:
    """Split what comes back over what was taken. More than was taken is money without a place. Adds up exactly."""
    offered = [
        Share(Part.DEBT, taken.debt),
        Share(Part.WRITTEN_OFF, taken.written_off),
        Share(Part.CREDIT, taken.paid),
        Share(Part.SPENT, taken.goodwill),
        Share(Part.EXPIRED, taken.expired),
        Share(Part.UNEARNED, taken.unearned),
        *_to_grants(taken.rests),
        Share(Part.UNAPPLIED, amount),
    ]
    return list(_up_to(amount, offered))


def _to_grants(rests: tuple[Rest, ...]) -> Iterator[Share]:
    """To each grant what it gave, as far as it has room; the rest needs a new one."""
    homeless = ZERO
    for rest in rests:
        fits = min(rest.amount, rest.room)
        homeless += rest.amount - fits
        yield Share(Part.UNSPENT, fits, rest.account_id)
    yield Share(Part.UNSPENT, homeless)


def _up_to(amount: Decimal, offered: list[Share]) -> Iterator[Share]:
    for share in offered:
        taken = min(amount, share.amount)
        if taken > 0:
            amount -= taken
            yield replace(share, amount=taken)
