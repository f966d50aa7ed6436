"""What stays until a plan changes or ends, and what is so after that: in words, row by row. Pure."""

from dataclasses import dataclass
from datetime import datetime

from billing import wording
from billing.catalog.offer import Catalog, Plan
from billing.graphs import plan_cards


@dataclass(frozen=True, slots=True)
class Row:
    """`what` until then, and after that."""

    what: str
    until: str
    after: str


def until_and_after(plan: Plan, to: Plan | None, catalog: Catalog, *, personal: bool, at: datetime) -> list[Row]:
    """`to`: the plan that follows, None where none does; prices are those in force `at` that moment, as far as published."""
    beside = plan_cards.beside(plan, to, catalog, now=at)
    several = len(beside) > 1
    rows = []
    for now, then in beside:
        slug = now.model.slug
        still = to is not None and now.model.id in to.covers
        after = f"Covered by {to.name}" if to and still else _without_plan(then, personal=personal)
        rows.append(Row(slug, f"Covered by {plan.name}", after))
        limits = f"Rate limits, {slug}" if several else "Rate limits"
        rows.append(Row(limits, now.pace, then.pace if then else "None"))
    day = wording.round_tokens(plan.daily_tokens)
    rows.insert(1, Row("Tokens a day", day, wording.round_tokens(to.daily_tokens) if to else "No daily limit"))
    charge = f"{wording.usd(to.price_usd)} at that moment, then monthly" if to else "None"
    return [*rows, Row("Next charge", "None", charge), Row("Credit and keys", "Stay as they are", "Stay as they are")]


def _without_plan(rates: plan_cards.Rates | None, *, personal: bool) -> str:
    if rates is None or rates.price is None:
        return "Not offered without a plan"
    price = f"{wording.price(rates.price.input_usd)} in, {wording.price(rates.price.output_usd)} out per M tokens"
    return f"Uses your credit: {price}" + ("; without credit, free usage at its limits" if personal else "")
