"""What tokens cost (A5). Exact: a price has at most 12 decimals, tokens are whole, and nothing is rounded."""

from dataclasses import dataclass
from decimal import Decimal, localcontext

from billing.coverage.models import Payer
from billing.money import ZERO

DIGITS = 60
"""More than any sum of tokens times any price can have; Python's default of 28 would round."""


@dataclass(frozen=True, slots=True)
class PerToken:
    """One price version, in USD per token."""

    input: Decimal
    cached: Decimal
    output: Decimal


@dataclass(frozen=True, slots=True)
class Tokens:
    """`input` is the whole prompt; `cached` is the part of it that came from the cache."""

    input: int
    cached: int
    output: int


def cost(tokens: Tokens, price: PerToken, payer: Payer) -> Decimal:
    """What credit pays for these tokens, in USD. What is free, or covered by something else, costs no credit."""
    if payer != Payer.CREDITS:
        return ZERO
    with localcontext() as context:
        context.prec = DIGITS
        return (
            (tokens.input - tokens.cached) * price.input + tokens.cached * price.cached + tokens.output * price.output
        )


def cost_sql(usage: str, price: str) -> str:
    """The same in SQL, for sets: `usage` and `price` are aliases of rows. A test holds both to one another."""
    return (
        f"CASE WHEN {usage}.payer = {Payer.CREDITS.value} THEN "
        f"({usage}.input_tokens - {usage}.cached_tokens) * {price}.input_usd "
        f"+ {usage}.cached_tokens * {price}.cached_usd + {usage}.output_tokens * {price}.output_usd ELSE 0 END"
    )
