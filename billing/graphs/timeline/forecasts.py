"""What depends on use: recharges, the end of credit, overage, if things go on at one pace. Pure; never a promise.

A recharge is decided on by `recharge.policy`, the amount of overage by `contracts.terms`: only the pace is assumed here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby

from billing import periods, wording
from billing.contracts import terms as contract_terms
from billing.contracts.ahead import Standing
from billing.contracts.models import RUNNING
from billing.contracts.months import pool_of
from billing.graphs.forecast import SHORTEST_DAY_RATE, Forecast
from billing.graphs.timeline.items import Item, Kind
from billing.ledger.burndown import Source, in_order
from billing.money import ZERO, from_cents
from billing.recharge import policy
from billing.recharge.policy import Charge, Nothing, Situation, Terms, WhyNot

SECOND = timedelta(seconds=1)
ONE_BY_ONE = 3
"""Recharges in a calendar month up to which each is an item of its own."""


# --- Credit ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recharge:
    at: datetime
    cents: int


@dataclass(slots=True)
class _Flow:
    """Credit on its way down: `left` of each grant in burn-down order, `owed` below zero, as of `at`."""

    at: datetime
    left: list[tuple[Decimal, datetime]]
    owed: Decimal

    @property
    def available(self) -> Decimal:
        return sum((rest for rest, _ in self.left), ZERO) - self.owed

    def burns(self, per_day: Decimal, until: datetime) -> None:
        """Earliest end first; what ends by then is gone."""
        use, kept = per_day * Decimal((until - self.at) // SECOND) / 86_400, []
        for rest, ends in self.left:
            drawn = min(rest, use)
            use -= drawn
            if ends > until:
                kept.append((rest - drawn, ends))
        self.left, self.owed, self.at = kept, self.owed + use, until

    def lifted(self, amount: Decimal) -> None:
        paid = min(self.owed, amount)
        self.owed -= paid
        self.left.append((amount - paid, periods.one_year_after(self.at)))


def recharges(
    terms: Terms, start: Situation, grants: Iterable[Source], per_day: Decimal, *, now: datetime, until: datetime
) -> tuple[list[Recharge], list[Source]]:
    """What a rule that is on would charge before `until` at `per_day` USD, and the credit that is left then."""
    if per_day < SHORTEST_DAY_RATE:
        return [], []
    left = [(one.rest, one.expires_at) for one in in_order(grants)]
    flow = _Flow(now, left, max(sum((rest for rest, _ in left), ZERO) - start.available, ZERO))
    made: list[Recharge] = []
    while flow.at < until:
        at, ends = _falls_below(flow, terms, per_day), min((ends for _, ends in flow.left), default=until)
        flow.burns(per_day, min(at, ends, until))
        if flow.at < at:
            continue
        decision = policy.decide(terms, _situation(flow, start, made, now), on=True, now=at)
        if isinstance(decision, Charge):
            flow.lifted(from_cents(decision.cents))
            made.append(Recharge(at, decision.cents))
        elif isinstance(decision, Nothing) and decision.why in (WhyNot.CAP_REACHED, WhyNot.DAILY_LIMIT):
            _waits(flow, per_day, decision.why)
        else:
            break
    flow.burns(per_day, max(flow.at, until))
    return made, [Source(n, rest, ends, promotional=False) for n, (rest, ends) in enumerate(flow.left)]


def _falls_below(flow: _Flow, terms: Terms, per_day: Decimal) -> datetime:
    above = flow.available - from_cents(terms.threshold_cents)
    return flow.at if above < 0 else flow.at + timedelta(seconds=int(above * 86_400 / per_day) + 1)


def _situation(flow: _Flow, start: Situation, made: Sequence[Recharge], now: datetime) -> Situation:
    month, day = periods.month_of(flow.at), flow.at.date()
    spent = sum(one.cents for one in made if periods.month_of(one.at) == month)
    today = sum(one.at.date() == day for one in made)
    spent += start.spent_cents if periods.month_of(now) == month else 0
    today += start.charged_today if now.date() == day else 0
    return Situation(available=flow.available, spent_cents=spent, charged_today=today)


def _waits(flow: _Flow, per_day: Decimal, why: WhyNot) -> None:
    """Until it may be charged again; what is used meanwhile is what is there, then requests are refused."""
    at = flow.at
    month = periods.month_start(periods.next_month(periods.month_of(at)))
    flow.burns(per_day, month if why is WhyNot.CAP_REACHED else periods.floor_day(at) + periods.DAY)
    flow.owed = ZERO


def recharge_items(made: Iterable[Recharge], threshold: Decimal, card: str) -> Iterator[Item]:
    """Each of them; where a month has many, all of that month as one."""
    words = f"When credit falls below {wording.usd(threshold)}. {card}"
    for _, group in groupby(made, lambda one: periods.month_of(one.at)):
        month = list(group)
        if len(month) <= ONE_BY_ONE:
            for one in month:
                yield _recharged(one.at, "Auto-recharge", words, one.cents)
        else:
            title = f"Auto-recharge, about {len(month)} times"
            yield _recharged(month[0].at, title, words, sum(one.cents for one in month))


def _recharged(at: datetime, title: str, words: str, cents: int) -> Item:
    return Item(at, Kind.RECHARGE, title, words, fixed=False, charge=from_cents(cents), exact=False)


def end_of_credit(ahead: Forecast | None) -> Iterator[Item]:
    if ahead is not None:
        words = "At this pace. From then on what no plan or contract covers is refused, until there is new credit."
        yield Item(ahead.ends_at, Kind.RUN_OUT, "Credit ends", words, fixed=False, warning=True, short="Credit ends")


# --- Overage ---------------------------------------------------------------------------------------------------------------


def overage(standing: Standing, per_day: int, *, now: datetime, until: datetime) -> Iterator[Item]:
    """What would be charged beyond the commitment when each month closes. `per_day`: tokens."""
    contract = standing.contract
    if contract.state not in RUNNING or not per_day:
        return
    there = {month.period: month for month in standing.months}
    whole = contract_terms.pool(contract.terms, contract.starts_on)
    period = periods.month_of(now)
    while period < contract.ends_on and (closes := periods.month_start(periods.next_month(period))) < until:
        month = there.get(period)
        pool = pool_of(month, contract) if month else whole
        if pool is None:
            return
        rest = closes - max(now, periods.month_start(period))
        total = (month.total if month else 0) + per_day * (rest // SECOND) // 86_400
        cost = min(pool.overage(total), from_cents(contract.overage_limit_cents))
        if cents := contract_terms.chargeable(cost):
            beyond = wording.tokens(total - pool.tokens)
            yield Item(
                closes, Kind.OVERAGE, f"Overage of {period:%B}", f"About {beyond} tokens beyond the commitment.",
                fixed=False, charge=from_cents(cents), exact=False,
            )  # fmt: skip
        period = periods.next_month(period)
