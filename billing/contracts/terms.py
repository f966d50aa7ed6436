"""What a contract promises, in figures. Pure: months, tokens and prices in, amounts out; nothing is ever rounded but to cents.

Tokens are input + output, cached ones too (A5). Money is `Decimal` USD; a price is USD per token with at most 12 decimals, so
tokens x price is exact.
"""

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from billing import periods
from billing.money import ZERO, cents_down, to_cents

MILLION = Decimal(1_000_000)
FEWEST_TOKENS = 10_000_000
MOST_TOKENS = 10**15
LEAST_CENTS = 5_00
MOST_CENTS = 100_000_000
"""A month's commitment, and what a card may be charged at once: a million dollars."""
MONTHS = 12
PLACES_PER_MILLION = 6
AT_ONCE = Decimal(500)
"""Open overage beyond this is charged at once rather than at settlement (A20)."""


class TermsRefused(ValueError):
    """Terms that no contract can have. `field` names the one that is wrong; the message is for whoever drafts it."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


@dataclass(frozen=True, slots=True)
class Terms:
    """What is agreed: tokens a calendar month, USD per million of them, USD per million beyond them, the first day.

    `overage_limit_cents`: how much overage a month may have before the contract answers 402; None: as the commitment (A20).
    """

    tokens: int
    per_million: Decimal
    overage_per_million: Decimal
    starts_on: date
    overage_limit_cents: int | None = None

    @property
    def price(self) -> Decimal:
        """USD per token within the commitment."""
        return self.per_million / MILLION

    @property
    def overage_price(self) -> Decimal:
        """USD per token beyond it."""
        return self.overage_per_million / MILLION

    @property
    def amount(self) -> Decimal:
        """What a month costs, used or not; whole cents for terms that were checked."""
        return self.tokens * self.price

    @property
    def ends_on(self) -> date:
        return end_of_term(self.starts_on)


def check(terms: Terms, *, now: datetime) -> None:
    """Raises `TermsRefused`. The start lies ahead: there must be time to read and accept."""
    if not FEWEST_TOKENS <= terms.tokens <= MOST_TOKENS:
        raise TermsRefused("tokens", f"A contract commits to at least {FEWEST_TOKENS:,} tokens a month.")
    _check_price("per_million", terms.per_million)
    _check_price("overage_per_million", terms.overage_per_million)
    if terms.amount != cents_down(terms.amount):
        raise TermsRefused("per_million", "Tokens times price must be whole cents a month: nothing is rounded (A27).")
    if not LEAST_CENTS <= to_cents(terms.amount) <= MOST_CENTS:
        raise TermsRefused("per_million", "A month costs at least $5.00, and at most $1,000,000.00.")
    if terms.starts_on.day != 1:
        raise TermsRefused("starts_on", "A contract starts on the first of a month.")
    if periods.month_start(terms.starts_on) <= now:
        raise TermsRefused("starts_on", "The start lies in the past: choose the first of a coming month.")
    if terms.overage_limit_cents is not None and not 0 <= terms.overage_limit_cents <= MOST_CENTS:
        raise TermsRefused("overage_limit", "The overage limit is nothing or more, and at most $1,000,000.00.")


def _check_price(field: str, per_million: Decimal) -> None:
    if not per_million.is_finite() or not 0 < per_million <= MILLION:
        raise TermsRefused(field, "A price is more than nothing, in USD per million tokens.")
    if -int(per_million.normalize().as_tuple().exponent) > PLACES_PER_MILLION:
        raise TermsRefused(field, f"A price has at most {PLACES_PER_MILLION} decimals per million tokens.")


def end_of_term(starts_on: date) -> date:
    """Twelve calendar months later: the first day that is no longer part of it."""
    return date(starts_on.year + 1, starts_on.month, 1)


# --- One month ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Growth:
    """How two running figures move when the month's total does, in USD; below zero when use is taken back."""

    within: Decimal
    overage: Decimal


@dataclass(frozen=True, slots=True)
class Pool:
    """A month's commitment: `tokens` for `amount` USD, and the prices of a token within it and beyond it.

    A month that is cut short has whole cents too; its tokens are as many as those cents buy, and what is left of a token's
    price is never used.
    """

    tokens: int
    amount: Decimal
    price: Decimal
    overage_price: Decimal

    def used(self, total: int) -> Decimal:
        """What `total` tokens have used of the commitment, in USD: at most all of it."""
        return min(max(total, 0), self.tokens) * self.price

    def overage(self, total: int) -> Decimal:
        """What they cost beyond it, in USD: max(0, total - committed) x overage price (A7)."""
        return max(0, total - self.tokens) * self.overage_price

    def growth(self, before: int, after: int) -> Growth:
        """What is posted when the total moves. Sums of these depend on the first and the last total alone: in which
        order or in which portions use arrives changes nothing."""
        return Growth(self.used(after) - self.used(before), self.overage(after) - self.overage(before))

    def unused(self, total: int) -> Decimal:
        """What is left of the commitment, in USD."""
        return self.amount - self.used(total)


def pool(terms: Terms, period: date, *, retired_from: datetime | None = None) -> Pool | None:
    """A month's commitment, in proportion where the last model is retired within it (A29); None: there is nothing left of it.

    By whole UTC days, since models end at midnight. The amount is defined as whole cents, down (A27).
    """
    amount, tokens = terms.amount, terms.tokens
    if retired_from is not None:
        days = usable_days(period, retired_from)
        length = calendar.monthrange(period.year, period.month)[1]
        if days < length:
            amount = cents_down(amount * days / length)
            tokens = int(amount / terms.price)
    return Pool(tokens, amount, terms.price, terms.overage_price) if amount else None


def usable_days(period: date, retired_from: datetime) -> int:
    """How many days of this month lie before the retirement."""
    start, end = periods.month_start(period), periods.month_start(periods.next_month(period))
    return (min(max(retired_from.astimezone(UTC), start), end) - start).days


def chargeable(owed: Decimal) -> int:
    """Cents that a card may be charged of what is owed: down (A27), nothing below 50 cents."""
    cents = to_cents(cents_down(max(owed, ZERO)))
    return cents if cents >= 50 else 0
