"""The plans beside each other, and beside pay as you go: what each gives on which models, and what one's own last thirty
days say of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing import wording
from billing.catalog import prices
from billing.catalog.offer import PAYG, Catalog, Model, PerMillion, Plan, Windows
from billing.graphs import held_plans, past_use
from billing.graphs.held_plans import Held
from billing.graphs.past_use import Days, History
from billing.money import ZERO
from billing.subscriptions.choosing import Offer
from billing.subscriptions.models import Change


@dataclass(frozen=True, slots=True)
class Rates:
    """What is let through of one model. `price` is None where a plan includes it, or nothing is in force."""

    model: Model
    windows: Windows
    price: PerMillion | None = None

    @property
    def pace(self) -> str:
        """ "300,000 tokens and 120 requests a minute"."""
        limits = ((self.windows.tokens_per_minute, "tokens"), (self.windows.requests_per_minute, "requests"))
        parts = [f"{wording.count(limit)} {what}" for limit, what in limits if limit is not None]
        return f"{' and '.join(parts)} a minute" if parts else "no limit a minute"


@dataclass(frozen=True, slots=True)
class Card:
    """A plan. `held`: the organization has it. `instead_of`: one that it has and that shares a model with this. `coming`: it
    is scheduled to follow that. `above`: days of the last thirty with more tokens than it allows; `busiest`: the day with
    most, and its tokens, None without use."""

    offer: Offer
    models: str
    rates: tuple[Rates, ...]
    held: Held | None
    instead_of: Held | None
    coming: Change | None
    above: int
    busiest: tuple[datetime, int] | None

    @property
    def plan(self) -> Plan:
        return self.offer.plan


@dataclass(frozen=True, slots=True)
class Shelf:
    """`compared`: the models that plans cover. `payg`: every model that is sold, as it is without a plan. `cost`: what the
    use of `compared` in the last thirty days comes to at list price; None without use."""

    cards: tuple[Card, ...]
    compared: tuple[Rates, ...]
    payg: tuple[Rates, ...]
    cost: Decimal | None

    @property
    def alone(self) -> Rates | None:
        """The one model that plans cover, where it is one."""
        return self.compared[0] if len(self.compared) == 1 else None


def shelf(org_id: int, offers: Sequence[Offer], held: Sequence[Held], catalog: Catalog, *, now: datetime) -> Shelf:
    """One query: of the last thirty days."""
    past = past_use.history(org_id, past_use.span(Days.MONTH, now))
    covered = {model_id for offer in offers for model_id in offer.plan.covers}
    payg = tuple(_payg(model, now) for model in catalog.models if PAYG in model.tiers and not model.is_retired(now))
    compared = tuple(rates for rates in payg if rates.model.id in covered)
    used = sum(past.of(model_id).tokens for model_id in covered)
    return Shelf(
        tuple(_card(offer, held, past, catalog) for offer in offers),
        compared,
        payg,
        sum((past.of(model_id).cost for model_id in covered), ZERO) if used else None,
    )


def rates_of(plan: Plan, catalog: Catalog) -> tuple[Rates, ...]:
    """What a plan lets through of each of its models."""
    models = [model for model in catalog.models if model.id in plan.covers]
    return tuple(Rates(model, model.tiers.get(plan.tier, Windows())) for model in models)


def beside(plan: Plan, instead_of: Plan | None, catalog: Catalog, *, now: datetime) -> list[tuple[Rates, Rates | None]]:
    """Each model of a plan with what is let through of it otherwise: by the plan it would replace, or to pay as you go. None
    where it is not offered otherwise."""
    before = {rates.model.id: rates for rates in (rates_of(instead_of, catalog) if instead_of else ())}
    for model in catalog.models:
        if model.id in plan.covers and model.id not in before and PAYG in model.tiers:
            before[model.id] = _payg(model, now)
    return [(rates, before.get(rates.model.id)) for rates in rates_of(plan, catalog)]


def _payg(model: Model, now: datetime) -> Rates:
    try:
        price = prices.in_force(model, now).per_million
    except prices.NoPrice:
        price = None
    return Rates(model, model.tiers[PAYG], price)


def _card(offer: Offer, held: Sequence[Held], past: History, catalog: Catalog) -> Card:
    plan = offer.plan
    days = {day: past.tokens_on(day, plan.covers) for day in past.days}
    busiest = max(days, key=lambda day: (days[day], day))
    changes = [one.standing.change for one in held if one.standing.change]
    return Card(
        offer,
        held_plans.covers(plan, catalog),
        rates_of(plan, catalog),
        next((one for one in held if one.plan.id == plan.id), None),
        next((one for one in held if one.plan.id != plan.id and one.plan.covers & plan.covers), None),
        next((change for change in changes if change.plan_id == plan.id), None),
        sum(tokens > plan.daily_tokens for tokens in days.values()),
        (busiest, days[busiest]) if days[busiest] else None,
    )
