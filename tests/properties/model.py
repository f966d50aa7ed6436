"""The money of one organization as the rules of the business tell it: credit, its use, its end.

Written from the pages that say what Purser does and from docs/fine-print.md alone, not from the code, so that either may
be wrong and is found out by the other. Usage counts the moment it is drawn: accrued and posted are one thing here. `books`
is the trial balance by account number, debits positive; `_move` is its only pen. What goes back is in `takebacks.py`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

NOTHING = Decimal(0)
CENT = Decimal("0.01")
DOLLAR = Decimal(1)
LEAST_PURCHASE = Decimal(5)
LATE_WINDOW = timedelta(hours=72)  # A1: so long an expired grant waits for usage that occurred before
CORRECTION_LIFE = timedelta(days=90)  # A33

STRIPE, OVERDRAFT, DEBT, PAID, PROMO, PROMO_ISSUED = "1000", "1100", "1110", "2000", "2010", "2090"
PENDING, REVENUE, PROMOTIONS, GOODWILL, BREAKAGE, BAD_DEBT = "2300", "4000", "4800", "4810", "4900", "6000"


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_FLOOR)


def to_the_minute(at: datetime) -> datetime:
    floor = at.replace(second=0, microsecond=0)
    return floor if floor == at else floor + timedelta(minutes=1)


def a_year_after(charged_at: datetime) -> datetime:
    """One calendar year in UTC, up to the minute; 29 February -> 28 February."""
    at = charged_at.astimezone(UTC)
    leap_day = (at.month, at.day) == (2, 29)
    return to_the_minute(at.replace(year=at.year + 1, day=28 if leap_day else at.day))


@dataclass
class Grant:
    name: str
    paid: bool
    amount: Decimal
    rest: Decimal
    expires_at: datetime
    number: int
    payment: str = ""
    over: bool = False  # its rest has moved away; it is never reopened
    holds: set[str] = field(default_factory=set)  # disputes that hold it
    held_since: datetime | None = None
    refunded: list[tuple[datetime, datetime]] = field(default_factory=list)  # from when to when; it got that time back

    @property
    def source(self) -> str:
        return PAID if self.paid else PROMO


@dataclass
class Use:
    occurred_at: datetime
    cost: Decimal
    drawn: bool = False
    reversed: bool = False

    @property
    def hour(self) -> datetime:
        return self.occurred_at.replace(minute=0, second=0, microsecond=0)


@dataclass
class Lot:
    """A claw-back debt from one cause; lots are paid oldest first."""

    cause: str
    since: datetime
    open: Decimal
    written_off: Decimal = NOTHING


class Credit:
    """`paid_by[hour]`: grant -> what it paid for usage of that hour and did not get back, the last drawn last.

    `lapsed`: payment -> what of it is breakage income.
    """

    def __init__(self) -> None:
        self.grants: dict[str, Grant] = {}
        self.overdraft = NOTHING
        self.lots: list[Lot] = []
        self.books: dict[str, Decimal] = defaultdict(Decimal)
        self.uses: dict[str, Use] = {}
        self.paid_by: dict[datetime, dict[str, Decimal]] = defaultdict(dict)
        self.paid_overdraft: dict[str, Decimal] = {}
        self.corrected: dict[datetime, dict[bool, Decimal]] = defaultdict(lambda: {True: NOTHING, False: NOTHING})
        self.lapsed: dict[str, Decimal] = defaultdict(Decimal)

    # What can be asked

    @property
    def debt(self) -> Decimal:
        return sum((lot.open for lot in self.lots), NOTHING)

    def available(self, now: datetime) -> Decimal:
        """A39: drawable rests less overdraft and debt."""
        drawable = sum((g.rest for g in self.grants.values() if g.expires_at > now and not g.holds), NOTHING)
        return drawable - self.overdraft - self.debt

    def refusal(self, now: datetime) -> str:
        """Why a Team's key gets 402 on a model that only credit pays, or nothing."""
        if self.debt:
            return "payment_disputed"
        if self.available(now) > 0:
            return ""
        return "payment_disputed" if any(g.holds and g.rest for g in self.grants.values()) else "no_credit"

    def least_purchase(self, now: datetime) -> Decimal:
        """A56: max(5.00, what is owed rounded up + 1.00)."""
        owed = max(NOTHING, -self.available(now))
        return max(LEAST_PURCHASE, owed.quantize(CENT, ROUND_CEILING) + DOLLAR) if owed else LEAST_PURCHASE

    # Credit comes

    def buy(self, name: str, amount: Decimal, charged_at: datetime) -> None:
        self._move(STRIPE, PAID, amount)
        self._new(Grant(name, True, amount, amount, a_year_after(charged_at), len(self.grants), name))

    def promo(self, name: str, amount: Decimal, expires_at: datetime) -> None:
        self._move(PROMO_ISSUED, PROMO, amount)
        self._new(Grant(name, False, amount, amount, to_the_minute(expires_at), len(self.grants)))

    def _new(self, grant: Grant) -> None:
        self.grants[grant.name] = grant
        self._pay_debts(grant, grant.rest)

    def _pay_debts(self, grant: Grant, amount: Decimal) -> None:
        """New credit pays the overdraft first, then the claw-back debt, which promotional credit never pays (A55)."""
        part = min(self.overdraft, amount)
        if part:
            self.overdraft -= part
            self.paid_overdraft[grant.name] = self.paid_overdraft.pop(grant.name, NOTHING) + part
            self._spend(grant, part, OVERDRAFT)
            amount -= part
        for lot in self.lots if grant.paid else ():
            part = min(lot.open, amount)
            lot.open -= part
            amount -= part
            self._spend(grant, part, DEBT)

    def _spend(self, grant: Grant, amount: Decimal, to: str) -> None:
        grant.rest -= amount
        self._move(grant.source, to, amount)
        if not grant.paid:
            self._move(PROMOTIONS, PROMO_ISSUED, amount)

    # Credit is used

    def use(self, name: str, cost: Decimal, occurred_at: datetime) -> None:
        """Accepted; it is drawn at the next sweep."""
        self.uses[name] = Use(occurred_at, cost)

    def sweep(self) -> None:
        for use in sorted((u for u in self.uses.values() if not u.drawn), key=lambda u: u.occurred_at):
            use.drawn = True
            self._draw(use)

    def _draw(self, use: Use) -> None:
        """Earliest expiry first; at equal expiry promotional before paid, then oldest first. The rest is overdraft.

        A grant pays for what occurred before its end until usage through it is complete (A1); a held one for nothing.
        """
        rest = use.cost
        for grant in sorted(self.grants.values(), key=lambda g: (g.expires_at, g.paid, g.number)):
            part = min(rest, grant.rest)
            if not part or grant.holds or grant.over or grant.expires_at <= use.occurred_at:
                continue
            self._spend(grant, part, REVENUE)
            paid_by = self.paid_by[use.hour]
            paid_by[grant.name] = paid_by.pop(grant.name, NOTHING) + part
            rest -= part
        self.overdraft += rest
        self._move(OVERDRAFT, REVENUE, rest)

    def reverse(self, name: str, now: datetime) -> None:
        """A33: whole, once. Less overdraft first, then back to what paid for that hour, then to what paid the overdraft.

        The grant last drawn comes first among those that live; for those that do not, a correction of their kind, once.
        """
        use = self.uses[name]
        if use.reversed:
            return
        self.sweep()
        use.reversed = True
        part = min(use.cost, self.overdraft)
        self.overdraft -= part
        self._move(REVENUE, OVERDRAFT, part)
        rest, corrections = use.cost - part, []
        corrected = dict(self.corrected[use.hour])
        for payers in (self.paid_by[use.hour], dict(self.paid_overdraft)):
            newest_first = list(payers)[::-1]
            for payer in sorted(newest_first, key=lambda payer: not self._lives(payer, now)):
                grant = self.grants[payer]
                made_good = NOTHING if self._lives(payer, now) else min(corrected[grant.paid], payers[payer])
                corrected[grant.paid] -= made_good
                part = min(rest, payers[payer] - made_good)
                back = min(part, grant.amount - grant.rest) if self._lives(payer, now) else NOTHING
                payers[payer] -= back
                self._give_back(grant, back)
                if part > back:
                    corrections.append((grant.paid, part - back))
                rest -= part
        corrections.append((True, rest))
        for paid, amount in corrections:
            if amount:
                self.corrected[use.hour][paid] += amount
                self._correct(paid, amount, now)

    def _lives(self, name: str, now: datetime) -> bool:
        return self.grants[name].expires_at > now and not self.grants[name].holds

    def _give_back(self, grant: Grant, amount: Decimal) -> None:
        grant.rest += amount
        self._move(REVENUE, grant.source, amount)
        if not grant.paid:
            self._move(PROMO_ISSUED, PROMOTIONS, amount)

    def _correct(self, paid: bool, amount: Decimal, now: datetime) -> None:
        number = len(self.grants)
        ends = to_the_minute(now + CORRECTION_LIFE)
        grant = Grant(f"correction {number}", paid, amount, NOTHING, ends, number)
        self.grants[grant.name] = grant
        self._give_back(grant, amount)
        self._pay_debts(grant, amount)

    # Credit ends

    def expire(self, now: datetime, complete_through: datetime | None) -> None:
        """A1: once usage through its end is complete, at the latest 72 h later. What is held waits (A18)."""
        ended = [grant for grant in self.grants.values() if not grant.holds and not grant.over and grant.rest]
        ended = [grant for grant in ended if is_complete(grant.expires_at, now, complete_through)]
        if ended:
            self.sweep()
        for grant in self.grants.values():
            if grant.rest and not grant.holds and is_complete(grant.expires_at, now, complete_through):
                grant.over = True
                self._move(grant.source, BREAKAGE if grant.paid else PROMO_ISSUED, grant.rest)
                self.lapsed[grant.payment] += grant.rest
                grant.rest = NOTHING

    def _move(self, debit: str, credit: str, amount: Decimal) -> None:
        self.books[debit] += amount
        self.books[credit] -= amount


def is_complete(end: datetime, now: datetime, complete_through: datetime | None) -> bool:
    told = complete_through is not None and complete_through >= end
    return end <= now and (told or now >= end + LATE_WINDOW)
