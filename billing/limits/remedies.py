"""What would help, in words. They reach whoever holds the key, so they name its own organization and no other."""

from datetime import datetime, timedelta
from decimal import Decimal

from billing import periods, wording
from billing.catalog.offer import FREE, PAYG, PLAN, Catalog, Model, Plan
from billing.limits.answers import Reason

UNKNOWN_KEY = "There is no such key. Check that the whole key was sent."


def for_key(reason: Reason, expired_at: datetime | None) -> str:
    if reason == Reason.KEY_EXPIRED and expired_at is not None:
        return f"This key expired on {wording.moment(expired_at)}. Use another key or create a new one."
    if reason == Reason.KEY_REVOKED:
        return "This key was revoked and stays revoked. Use another key or create a new one."
    return UNKNOWN_KEY


def retired(model: Model, catalog: Catalog) -> str:
    ended = (
        f"{model.slug} ended on {wording.day(model.deprecated_on)}." if model.deprecated_on else f"{model.slug} ended."
    )
    others = [other.slug for other in catalog.models if other.refused_from is None and PAYG in other.tiers]
    return f"{ended} Use {_one_of(others)} instead." if others else ended


def not_offered(model: Model, tier: str, catalog: Catalog) -> str:
    if tier == FREE and PAYG in model.tiers:
        return f"{model.slug} is not part of free usage. Buy credit to use it."
    plans = [plan.name for plan in catalog.plans if plan.tier in model.tiers and plan.tier != tier]
    if plans and not tier.startswith(PLAN):
        return f"{model.slug} is sold with a plan only: {_one_of(plans)}."
    return f"{model.slug} is not offered here."


def no_credit(organization: str) -> str:
    return (
        f"This key belongs to {organization}, which has no credit. "
        f"Buy credit for {organization}: requests work again within 10 seconds of the payment."
    )


def settlement_unpaid(organization: str) -> str:
    return (
        f"The month-end charge of {organization} could not be made, so it owes for what it used beyond its credit. "
        f"Buy credit for {organization}, which pays that first: requests work again within 10 seconds of the payment."
    )


def contract_past_due(organization: str) -> str:
    return (
        f"The contract of {organization} for this model is not paid. "
        f"Pay it on the contract's page: requests work again within 10 seconds of the payment."
    )


def contract_overage_limit(limit: Decimal, now: datetime) -> str:
    next_month = periods.month_start(periods.next_month(periods.month_of(now)))
    return (
        f"Use beyond this month's tokens has reached the contract's limit of {wording.usd(limit)}. "
        f"An owner can raise it, or wait until {wording.moment(next_month)}."
    )


def payment_disputed(organization: str, *, owes: bool) -> str:
    if owes:
        return (
            f"A payment of {organization} was taken back after its credit was used, so {organization} owes that amount. "
            f"Buy credit for {organization} to pay it: requests work again within 10 seconds of the payment."
        )
    return (
        f"A payment of {organization} is disputed with its bank, which holds its credit until that is decided. "
        f"Buy credit for {organization}: requests work again within 10 seconds of the payment."
    )


def key_cap(cap: Decimal, now: datetime) -> str:
    next_month = periods.month_start(periods.next_month(periods.month_of(now)))
    return (
        f"This key has spent its cap of {wording.usd(cap)} for this month. "
        f"Raise the cap, or wait until {wording.moment(next_month)}."
    )


def daily_allowance(plan: Plan, limit: int, reset_at: datetime) -> str:
    return (
        f"The {wording.round_tokens(limit)} tokens a day of {plan.name} are used up. "
        f"Requests work again from {wording.moment(reset_at)}."
    )


def plan_past_due(organization: str) -> str:
    return (
        f"The plan of {organization} was not renewed: its payment failed. "
        f"Pay it in the portal, or cancel the plan: requests work again within 10 seconds."
    )


def plan_disputed(organization: str) -> str:
    return f"A payment for the plan of {organization} is disputed with its bank. The plan works again if that is won."


def ends_soon(model: Model) -> str:
    """For a model whose end is announced: "llama3.1-8b ends on 27 May 2026. Requests after that get 403."."""
    if model.refused_from is None:
        raise ValueError(f"{model.slug} has no end")
    return f"{model.slug} ends on {wording.day(model.refused_from - timedelta(days=1))}. Requests after that get 403."


def _one_of(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
