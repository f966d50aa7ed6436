"""Who may have a plan now, and who may not: the rules of sale, each refusal in words for the customer."""

from collections.abc import Collection
from datetime import datetime

from billing.catalog import current
from billing.catalog.offer import Plan
from billing.coverage import promised
from billing.coverage.models import Coverage, Payer, PayerBase
from billing.money import from_cents, to_cents
from billing.payments import disputes
from billing.subscriptions import calendar
from billing.subscriptions.models import CoveredModel, Subscription
from billing.wording import usd

__all__ = ["NotForSale", "PlanRefused", "QuoteOver"]


class PlanRefused(ValueError):
    """This cannot be done with a plan now. The message is for the customer."""


class NotForSale(PlanRefused):
    """This plan is not sold to this organization now."""


class QuoteOver(PlanRefused):
    """What was shown does not hold any more: nothing was charged."""

    def __init__(self, why: str = "The price has changed. Look at it again.") -> None:
        super().__init__(why)


def plan(plan_id: int) -> Plan:
    found = current.latest().plan(plan_id)
    if found is None:
        raise NotForSale("This plan is not offered any more.")
    return found


def price_cents(offered: Plan) -> int:
    return to_cents(offered.price_usd)


def refuse_if_not_for_sale(org_id: int, offered: Plan, *, now: datetime) -> None:
    """A plan is sold to whom AWS does not bill, who disputes nothing, and whose models nothing else covers (A21, A29)."""
    refuse_organization(org_id)
    if _retires_before(offered, calendar.boundary(now, 1)):
        raise NotForSale(f"The last model of {offered.name} is retired within a month, so it is not sold any more.")
    refuse_if_covered(org_id, offered.covers, now=now)


def refuse_organization(org_id: int) -> None:
    if PayerBase.objects.filter(wallet_id=org_id, payer=Payer.MARKETPLACE).exists():
        raise NotForSale("AWS Marketplace bills this organization: plans are not sold to it here.")
    if disputes.open_for(org_id):
        raise NotForSale("A payment is disputed. Until that is decided no plan can be bought or upgraded.")


def refuse_if_covered(org_id: int, models: Collection[int], *, but: Subscription | None = None, now: datetime) -> None:
    """At most one plan or contract covers a model of an organization at any instant."""
    listed = CoveredModel.objects.filter(wallet_id=org_id, model__in=models, open=True)
    taken = list(listed.exclude(subscription=but).values_list("model__slug", flat=True))
    if taken:
        raise NotForSale(f"A plan covers {', '.join(sorted(taken))} already.")
    if is_covered_otherwise(org_id, models, now=now):
        raise NotForSale("A contract covers a model of this plan, or will.")


def is_covered_otherwise(org_id: int, models: Collection[int], *, now: datetime) -> bool:
    """By a contract, one that was accepted for later too, or by AWS Marketplace, now or later."""
    others = Coverage.objects.filter(wallet_id=org_id, model_id__in=models, valid_to__gt=now)
    return others.exclude(payer=Payer.SUBSCRIPTION).exists() or promised.to_a_contract(org_id, models, after=now)


def all_retired(model_ids: Collection[int], at: datetime) -> bool:
    models = [model for model in current.latest().models if model.id in model_ids]
    return all(model.is_retired(at) for model in models)


def said(cents: int) -> str:
    return usd(from_cents(cents))


def _retires_before(offered: Plan, end: datetime) -> bool:
    ends = [model.refused_from for model in current.latest().models if model.id in offered.covers]
    return all(at is not None and at < end for at in ends)
