"""What a purchase of credit will do, before anything happens. Pure: figures in, figures out."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing import periods
from billing.ledger.balances import Balance
from billing.money import ZERO, cents_up

ONE_DOLLAR = Decimal("1.00")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may be paid at once, in USD, both ends included. `owing`: the lower end is raised to lift the balance."""

    least: Decimal
    most: Decimal
    owing: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """What paying `amount` does: the overdraft first, then a claw-back debt, the rest is new credit. All in USD."""

    amount: Decimal
    overdraft_paid: Decimal
    debt_paid: Decimal
    new_credit: Decimal
    available_after: Decimal
    expires_at: datetime


def bounds(balance: Balance, *, least: Decimal, most: Decimal) -> Bounds:
    """The smallest purchase leaves a balance of a dollar or more (A56): with -8.00 it is 9.00."""
    if balance.available >= 0:
        return Bounds(least, most)
    lifts = cents_up(-balance.available) + ONE_DOLLAR
    return Bounds(max(least, lifts), max(most, lifts), owing=lifts > least)


def preview(amount: Decimal, balance: Balance, *, now: datetime) -> Preview:
    """As the ledger will post it if it is paid now."""
    overdraft = min(amount, max(balance.overdraft, ZERO))
    debt = min(amount - overdraft, max(balance.debt, ZERO))
    return Preview(
        amount=amount,
        overdraft_paid=overdraft,
        debt_paid=debt,
        new_credit=amount - overdraft - debt,
        available_after=balance.available + amount,
        expires_at=periods.one_year_after(now),
    )
