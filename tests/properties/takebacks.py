"""The second half of the model: money that goes back to its card, by refund or by dispute (A2, A17, A18)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from tests.properties.model import (
    BAD_DEBT,
    BREAKAGE,
    DEBT,
    GOODWILL,
    NOTHING,
    PAID,
    PENDING,
    STRIPE,
    Credit,
    Grant,
    Lot,
    a_year_after,
    cents,
    to_the_minute,
)

DEBT_AGE = timedelta(days=180)  # A2: then a claw-back debt is bad debt


@dataclass
class Taken:
    """What a refund or a dispute took of a payment and did not give back yet; `unspent` from which grants, in that order."""

    payment: str
    unspent: list[tuple[Grant, Decimal]] = field(default_factory=list)
    expired: Decimal = NOTHING
    spent: Decimal = NOTHING
    fraud: bool = False
    moved: bool = False
    since: datetime | None = None  # a refund was asked; a dispute was closed
    state: str = "asked"  # of a refund: asked, succeeded, failed

    @property
    def total(self) -> Decimal:
        return sum((part for _, part in self.unspent), NOTHING) + self.expired + self.spent


class Money(Credit):
    def __init__(self) -> None:
        super().__init__()
        self.refunds: dict[str, Taken] = {}
        self.disputes: dict[str, Taken] = {}
        self.disputed: dict[str, set[str]] = {}

    def of(self, payment: str) -> list[Grant]:
        """The grants of a payment: its own, and those in which money of it came back."""
        found = (grant for grant in self.grants.values() if grant.payment == payment)
        return sorted(found, key=lambda grant: (grant.expires_at, grant.number))

    def refundable(self, payment: str, now: datetime) -> Decimal:
        """A17: what is left of that credit, down to the cent; nothing while it is disputed (A18) or after its end (A1)."""
        usable = (grant.rest for grant in self.of(payment) if not grant.holds and grant.expires_at > now)
        return cents(sum(usable, NOTHING))

    def refusal(self, now: datetime) -> str:
        """Without credit the reason is a dispute, where one that is open holds credit or has moved money (A2)."""
        told = super().refusal(now)
        moved = any(self.disputes[name].moved for names in self.disputed.values() for name in names)
        return "payment_disputed" if told and moved else told

    # Refunds

    def ask_refund(self, refund: str, payment: str, amount: Decimal, now: datetime, *, fraud: bool = False) -> None:
        """Staff ask at most what is refundable; a refund made in Stripe's dashboard may be of more. In whole cents."""
        self.sweep()
        taken = self.refunds[refund] = Taken(payment, fraud=fraud, since=now)
        rest = self._take(taken, amount, PENDING, whole_cents=True)
        taken.spent += rest
        self._move(DEBT if fraud else GOODWILL, PENDING, rest)
        if fraud and rest:
            self.lots.append(Lot(refund, now, rest))

    def refund_succeeded(self, refund: str) -> None:
        taken = self.refunds[refund]
        if taken.state == "asked":
            taken.state = "succeeded"
            self._move(PENDING, STRIPE, taken.total)

    def refund_failed(self, refund: str, now: datetime) -> None:
        """It comes back as it was taken; also when the refund had succeeded before."""
        taken = self.refunds[refund]
        if taken.state == "failed":
            return
        self.sweep()
        if taken.state == "succeeded":
            self._move(STRIPE, PENDING, taken.total)
        taken.state = "failed"
        self._give_all_back(refund, taken, taken.total, PENDING, now)

    # Disputes

    def open_dispute(self, dispute: str, payment: str, now: datetime) -> None:
        """A18: an inquiry too holds the credit; no money moves."""
        self.sweep()
        self.disputes[dispute] = Taken(payment)
        self.disputed.setdefault(payment, set()).add(dispute)
        for grant in self.of(payment):
            grant.held_since = grant.held_since or now
            grant.holds.add(dispute)

    def withdraw(self, dispute: str, amount: Decimal, now: datetime) -> None:
        """What is left of the credit, then its expired part, then the spent part as claw-back debt."""
        self.sweep()
        taken = self.disputes[dispute]
        taken.moved = True
        rest = self._take(taken, amount, STRIPE)
        taken.spent += rest
        self._move(DEBT, STRIPE, rest)
        if rest:
            self.lots.append(Lot(dispute, now, rest))

    def reinstate(self, dispute: str, amount: Decimal, now: datetime) -> None:
        self.sweep()
        self._give_all_back(dispute, self.disputes[dispute], amount, STRIPE, now)

    def close_dispute(self, dispute: str, now: datetime) -> None:
        """Won or lost: the credit is released, and its end moves by the time it was held."""
        self.sweep()
        taken = self.disputes[dispute]
        taken.since = now
        self.disputed[taken.payment].discard(dispute)
        for grant in self.of(taken.payment):
            grant.holds.discard(dispute)
            if grant.held_since and not grant.holds:
                self._prolong(grant, now - grant.held_since)
                grant.held_since = None
                self._pay_when_live(grant, grant.rest, now)

    # Debts

    def write_off(self, now: datetime) -> None:
        """180 days make a claw-back debt a bad one (A2)."""
        for lot in self.lots:
            if now >= lot.since + DEBT_AGE:
                self._let_go(lot, lot.open)

    def forgive(self, amount: Decimal) -> None:
        """Staff let go of a part, the oldest first."""
        for lot in self.lots:
            part = min(amount, lot.open)
            amount -= part
            self._let_go(lot, part)

    def _let_go(self, lot: Lot, amount: Decimal) -> None:
        lot.open -= amount
        lot.written_off += amount
        self._move(BAD_DEBT, DEBT, amount)

    # What both share

    def _take(self, taken: Taken, amount: Decimal, to: str, *, whole_cents: bool = False) -> Decimal:
        """Take from what is left, then from what expired; answers what is missing, which was spent."""
        for grant in self.of(taken.payment):
            part = min(amount, cents(grant.rest) if whole_cents else grant.rest)
            amount -= part
            grant.rest -= part
            self._move(PAID, to, part)
            taken.unspent.append((grant, part))
        part = min(amount, self.lapsed[taken.payment])
        self.lapsed[taken.payment] -= part
        taken.expired += part
        self._move(BREAKAGE, to, part)
        return amount - part

    def _give_all_back(self, cause: str, taken: Taken, amount: Decimal, source: str, now: datetime) -> None:
        """In the opposite order: the spent part, the expired part, the grants."""
        spent = min(amount, taken.spent)
        taken.spent -= spent
        expired = min(amount - spent, taken.expired)
        taken.expired -= expired
        unspent = amount - spent - expired
        paid = self._undo_spent(cause, taken, spent, source)
        self.lapsed[taken.payment] += expired
        self._move(source, BREAKAGE, expired)
        since = taken.since or now
        # How long the credit would have lived when it was taken: what cannot return to its grant lives that long again.
        left = max(
            (
                g.expires_at - min(self._away_since(g, since, source, now), g.held_since or since)
                for g, part in taken.unspent
                if part
            ),
            default=None,
        )
        for grant, part in reversed(taken.unspent):
            back = min(unspent, part, NOTHING if grant.over else grant.amount - grant.rest)
            unspent -= back
            self._return(grant, back, since, source, now)
        taken.unspent = []
        self._return_anew(taken.payment, paid, a_year_after(now), source, now)
        if left and left > timedelta(0):
            self._return_anew(taken.payment, unspent, now + left, source, now)
        else:
            self.lapsed[taken.payment] += unspent
            self._move(source, BREAKAGE, unspent)

    def _undo_spent(self, cause: str, taken: Taken, amount: Decimal, source: str) -> Decimal:
        """Debt still open, then debt written off; answers what the customer has paid of it since: it becomes credit."""
        if source == PENDING and not taken.fraud:
            self._move(source, GOODWILL, amount)
            return NOTHING
        for lot in (lot for lot in self.lots if lot.cause == cause):
            part = min(amount, lot.open)
            lot.open -= part
            self._move(source, DEBT, part)
            lost = min(amount - part, lot.written_off)
            lot.written_off -= lost
            self._move(source, BAD_DEBT, lost)
            amount -= part + lost
        return amount

    def _return(self, grant: Grant, amount: Decimal, since: datetime, source: str, now: datetime) -> None:
        """A restored grant keeps the time that it had: its end moves by the time its credit was away."""
        if amount:
            grant.rest += amount
            self._move(source, PAID, amount)
            self._prolong(grant, (grant.held_since or now) - self._away_since(grant, since, source, now))
            if source == PENDING:
                grant.refunded.append((since, now))
            self._pay_when_live(grant, amount, now)

    def _away_since(self, grant: Grant, since: datetime, source: str, now: datetime) -> datetime:
        """Later by each moment that another refund, failed before this one, has brought back already."""
        until = grant.held_since or now
        if source != PENDING or until <= since:
            return since
        inside = [
            (max(since, start), min(until, end)) for start, end in grant.refunded if end > since and start < until
        ]
        edges = sorted({at for span in inside for at in span})
        together = (b - a for a, b in pairwise(edges) if any(start <= a and b <= end for start, end in inside))
        return since + sum(together, timedelta(0))

    def _return_anew(self, payment: str, amount: Decimal, expires_at: datetime, source: str, now: datetime) -> None:
        if not amount:
            return
        number = len(self.grants)
        grant = Grant(f"returned {number}", True, amount, amount, to_the_minute(expires_at), number, payment)
        self.grants[grant.name] = grant
        self._move(source, PAID, amount)
        if holds := self.disputed.get(payment):
            grant.holds, grant.held_since = set(holds), now
        self._pay_when_live(grant, amount, now)

    def _prolong(self, grant: Grant, by: timedelta) -> None:
        if by > timedelta(0):
            grant.expires_at = to_the_minute(grant.expires_at + by)

    def _pay_when_live(self, grant: Grant, amount: Decimal, now: datetime) -> None:
        if not grant.holds and grant.expires_at > now:
            self._pay_debts(grant, amount)
