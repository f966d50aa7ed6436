"""Puts the timeline of one organization together. As many queries for many items as for few."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from django.db.models import F, Sum

from billing import periods, wording
from billing.catalog import current
from billing.catalog.offer import Catalog
from billing.contracts import ahead as contracts_ahead
from billing.contracts.models import State as Drawn
from billing.coverage.models import Payer
from billing.graphs import credits, forecast, spend
from billing.graphs.forecast import Forecast
from billing.graphs.spend import Pace
from billing.graphs.timeline import changes, forecasts, months, promised
from billing.graphs.timeline.items import Item, Kind, Timeline, end_of, in_order
from billing.ledger.models import LedgerPeriod
from billing.metering.models import UsageHour
from billing.money import ZERO, from_cents
from billing.payments import disputes, methods
from billing.recharge import figures, rules, working
from billing.recharge.models import Rule, Standing
from billing.settlement import ceilings, deciding, owing
from billing.settlement.deciding import Decision
from billing.settlement.models import Decided, Settlement, Stage
from billing.subscriptions import ahead as plans_ahead

USED_WITHIN = timedelta(days=30)
"""A model that was used so lately is one whose end matters."""
MOVES = (Kind.RENEWAL, Kind.RETRY, Kind.REFUND, Kind.COMMITMENT, Kind.EXPIRY)
"""What moves the ledger in its month."""

Plans = Sequence[plans_ahead.Standing]
Contracts = Sequence[contracts_ahead.Standing]


def of(org_id: int, *, now: datetime) -> Timeline:
    """What happens with its money in the next twelve months, as things stand."""
    until, catalog = end_of(now), current.latest()
    plans, contracts = plans_ahead.of(org_id), contracts_ahead.of(org_id)
    grants, pace, rule = credits.table(org_id), spend.pace(org_id, now=now), rules.of(org_id)
    used = _used(org_id, now)
    ahead = forecast.run_out(grants.sources(now), pace.per_day, now=now) if pace.known else None
    items = [
        *promised.plans(plans, catalog, until=until),
        *promised.contracts(contracts, catalog, now=now, until=until),
        *changes.grants(grants.credits, ahead, now=now),
        *changes.cards(methods.of(org_id), plans, rule, now=now),
        *changes.models(catalog, _models(used, plans, contracts, catalog), now=now),
        *_credit(rule, grants, ahead, pace, now=now, until=until),
        *_overage(contracts, used, now=now, until=until),
        *months.unpaid(Settlement.objects.filter(wallet=org_id, stage=Stage.DUE).first()),
    ]
    items += _closing(org_id, items, _decision(org_id, now=now), pace, ahead, now=now, until=until)
    return Timeline(now, until, in_order(items, until=until), pace, disputes.open_for(org_id))


# --- What is used ----------------------------------------------------------------------------------------------------------

Used = dict[tuple[int, int], int]
"""(model, payer) of the last 30 days -> its tokens in the last seven whole days."""


def _used(org_id: int, now: datetime) -> Used:
    today = periods.floor_day(now)
    hours = UsageHour.objects.filter(org_id=org_id, hour__gte=today - USED_WITHIN)
    lately = hours.filter(hour__gte=today - timedelta(days=spend.PACE_DAYS), hour__lt=today)
    used = dict.fromkeys(hours.values_list("model_id", "payer").distinct(), 0)
    counted = lately.values_list("model_id", "payer").annotate(tokens=Sum(F("input_tokens") + F("output_tokens")))
    return used | {(model_id, payer): tokens for model_id, payer, tokens in counted}


def _models(used: Used, plans: Plans, contracts: Contracts, catalog: Catalog) -> set[int]:
    """Those that are used, or promised."""
    covered = [plan.covers for one in plans if (plan := catalog.plan(one.running.plan_id))]
    reserved = [one.models for one in contracts if one.contract.state != Drawn.OFFERED]
    return {model_id for model_id, _ in used}.union(*covered, *reserved)


# --- What depends on it ----------------------------------------------------------------------------------------------------


def _credit(
    rule: Rule | None, grants: credits.Table, ahead: Forecast | None, pace: Pace, *, now: datetime, until: datetime
) -> Iterator[Item]:
    """Recharges where the rule works, else the end of credit."""
    if rule is None or rule.standing != Standing.ON or not pace.known:
        yield from forecasts.end_of_credit(ahead)
        return
    start = figures.situation(rule.wallet_id, rule, now=now)
    over = min(until, methods.expires_at(rule.method.exp_year, rule.method.exp_month))
    made, left = forecasts.recharges(
        figures.terms(rule), start, grants.sources(now), pace.per_day, now=now, until=over
    )  # fmt: skip
    card = wording.card(rule.method.brand, rule.method.last4)
    yield from forecasts.recharge_items(made, from_cents(rule.threshold_cents), card)
    if over < until:  # the card ends before the year does
        yield from forecasts.end_of_credit(forecast.run_out(left, pace.per_day, now=over))


def _overage(contracts: Contracts, used: Used, *, now: datetime, until: datetime) -> Iterator[Item]:
    today = periods.floor_day(now)
    for one in contracts:
        since = one.contract.active_from
        days = min((today - since).days, spend.PACE_DAYS) if since else 0
        if days >= spend.ENOUGH_DAYS:
            tokens = sum(used.get((model_id, Payer.CONTRACT), 0) for model_id in one.models)
            yield from forecasts.overage(one, tokens // days, now=now, until=until)


# --- Months ----------------------------------------------------------------------------------------------------------------


def _closing(
    org_id: int, items: Sequence[Item], decision: Decision, pace: Pace, ahead: Forecast | None, *, now: datetime,
    until: datetime,
) -> Iterator[Item]:  # fmt: skip
    """The months in which something moves: money that is charged, earned or lost, or use."""
    this = periods.month_of(now)
    certain = set(LedgerPeriod.objects.filter(wallet=org_id, closed_at=None).values_list("period", flat=True))
    certain |= {periods.month_of(one.at) for one in items if one.fixed and one.kind in MOVES and one.at < until}
    certain |= set(_earned(items, this, until))
    if decision.decided != Decided.NOTHING:
        certain.add(this)
    perhaps: set[date] = set()
    if pace.known and pace.per_day:
        recharged = any(one.kind is Kind.RECHARGE for one in items)
        last = until if recharged or ahead is None else min(ahead.ends_at, until)
        perhaps = set(_through(this, periods.month_of(last))) - certain
    yield from months.closing(certain, perhaps, decision, now=now)


def _decision(org_id: int, *, now: datetime) -> Decision:
    """What would become of the overdraft if the month ended now."""
    owed = owing.of([org_id], periods.month_of(now), recharging=working.among, now=now).get(org_id)
    nothing = deciding.Standing(ZERO, ZERO)
    return deciding.decide(owed.standing if owed else nothing, ceiling=ceilings.of(org_id, now=now))


def _earned(items: Sequence[Item], this: date, until: datetime) -> Iterator[date]:
    """A fee is earned in every month that its period touches: from what is charged next on, and of what runs now."""
    for one in items:
        if one.kind in (Kind.RENEWAL, Kind.RETRY, Kind.PLAN_END, Kind.NOT_RENEWED):
            yield from _through(this, periods.month_of(min(one.at, until)))


def _through(first: date, last: date) -> Iterator[date]:
    period = first
    while period <= last:
        yield period
        period = periods.next_month(period)
