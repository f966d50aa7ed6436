"""Figures in whole cents that still add up. Pure."""

from collections.abc import Iterable
from decimal import Decimal

from billing.money import ZERO, cents_down


def up(parts: Iterable[Decimal]) -> list[Decimal]:
    """The parts in cents, so that what is shown sums to the total rounded down, after each part in turn.

    Each is its own amount rounded up or down, never more than a cent away: the direction is chosen so that a reader who
    adds the figures on the page gets the figure on the page.
    """
    shown: list[Decimal] = []
    total = ZERO
    for part in parts:
        shown.append(cents_down(total + part) - cents_down(total))
        total += part
    return shown
