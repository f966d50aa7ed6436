"""Exact US dollars: the one place that knows how money is stored and when it becomes cents.

Amounts are `Decimal` with at most 12 decimals (`numeric(26,12)`), never rounded. Cents exist only where a card is
charged: debts round down (the fraction stays owed), recharges round up (the whole charge is credited); see A27.
"""

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from typing import Any

from django.db import models
from django.db.models import Q

ZERO = Decimal(0)
CENT = Decimal("0.01")
PLACES = 12
SMALLEST = Decimal(1).scaleb(-PLACES)
LIMIT = Decimal("1e13")
WRITTEN = re.compile(r"(0|[1-9][0-9]{0,6})(\.[0-9]{1,2})?", re.ASCII)
HOW_TO_WRITE = "Write the amount in dollars and whole cents, like 100 or 100.50."


class NotMoney(ValueError):
    """An amount that is not a finite number of dollars with at most 12 decimals and below 10^13."""


class UsdField(models.DecimalField[Any, Any]):
    """A `numeric(26,12)` column. Give its table a `bounded` check too: NaN passes a one-sided one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_digits"], kwargs["decimal_places"] = 26, PLACES
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_digits"], kwargs["decimal_places"]
        return name, path, args, kwargs


def bounded(field: str, *, above: int | None = None, at_least: int | None = None) -> Q:
    """A two-sided check for one money column: NaN and infinity fail it."""
    low = (
        {f"{field}__gt": above}
        if above is not None
        else {f"{field}__gte": at_least if at_least is not None else -LIMIT}
    )
    return Q(**low, **{f"{field}__lt": LIMIT})


def usd(value: str | int | Decimal) -> Decimal:
    """The exact amount, or `NotMoney`. Floats are refused by type: they are never exact."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise NotMoney(f"{value!r} is not an exact amount")
    amount = Decimal(value)
    if not amount.is_finite() or abs(amount) >= LIMIT or amount.quantize(SMALLEST) != amount:
        raise NotMoney(f"{value!r} is not an amount of US dollars with at most {PLACES} decimals")
    return amount


def written(text: str) -> Decimal:
    """The amount of whole cents that somebody typed. Nothing is guessed: "1e3", "1,000" and "１００" raise `NotMoney`."""
    if not WRITTEN.fullmatch(text):
        raise NotMoney(HOW_TO_WRITE)
    return Decimal(text)


def cents_down(amount: Decimal) -> Decimal:
    """Whole cents, towards less: what a debt may charge, what a page may promise."""
    return amount.quantize(CENT, rounding=ROUND_FLOOR)


def cents_up(amount: Decimal) -> Decimal:
    """Whole cents, towards more: what a recharge asks for."""
    return amount.quantize(CENT, rounding=ROUND_CEILING)


def to_cents(amount: Decimal) -> int:
    """The integer Stripe counts in; `NotMoney` when the amount is not whole cents."""
    cents = amount * 100
    if cents != cents.to_integral_value():
        raise NotMoney(f"{amount} is not whole cents")
    return int(cents)


def from_cents(cents: int) -> Decimal:
    return Decimal(cents) / 100


def canonical(amount: Decimal) -> str:
    """The amount with exactly 12 decimals, as it is hashed: `6.505412900000`."""
    with localcontext() as context:
        context.prec = 40
        return f"{amount.quantize(SMALLEST):f}"
