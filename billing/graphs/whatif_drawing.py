"""How the ways to pay are drawn: a bar for each, and the days above a plan's allowance. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing import periods, wording
from billing.catalog.offer import Plan
from billing.graphs.axes import Grain, Unit
from billing.graphs.charts import Bucket, Chart, Series
from billing.graphs.past_use import History
from billing.graphs.whatif import Option

PARTS = (("s1", "Plan"), ("s2", "Contract"), ("s3", "Credit"))
"""Colour and name of what a way consists of, from the left."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar, in percent of the widest bar."""

    colour: str
    title: str
    x: Decimal
    width: Decimal


def bars(options: Sequence[Option]) -> list[tuple[Part, ...]]:
    """One for each way, all to the same scale. A part that costs nothing is not drawn."""
    most = max((option.total for option in options), default=Decimal(0)) or Decimal(1)
    drawn = []
    for option in options:
        parts, x = [], Decimal(0)
        amounts = (option.plan_usd, option.contract_usd, option.credit_usd)
        for (colour, name), amount in zip(PARTS, amounts, strict=True):
            if amount > 0:
                width = amount / most * 100
                parts.append(Part(colour, f"{name} · {wording.usd(amount)}", x, width))
                x += width
        drawn.append(tuple(parts))
    return drawn


def days(past: History, plan: Plan, now: datetime) -> Chart:
    """Tokens of the plan's models on each day, within its allowance and above it."""
    allowance = plan.daily_tokens
    used = [past.tokens_on(day, plan.covers) for day in past.days]
    within = Series(f"Within {wording.round_tokens(allowance)}", tuple(min(tokens, allowance) for tokens in used))
    above = Series("Above, answered 429", tuple(max(0, tokens - allowance) for tokens in used))
    return Chart(
        tuple(Bucket(day, incomplete=day == periods.floor_day(now)) for day in past.days),
        (within, above) if above.total else (within,),
        Unit.TOKENS,
        Grain.DAY,
        order=(within.name, above.name),  # a day fills from the allowance up, however much lies above it
    )
