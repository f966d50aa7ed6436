"""What if? An organization's own usage of the last days, priced each way: pay as you go, each plan, a contract.

Prices come from where billing takes them: `metering.rating` prices tokens (`past_use.py`), `contracts.terms` a month's
commitment. Only who pays is another question here. A month counts as thirty days, so that a span holds whole months; the
last day is today so far. Start reading at `options`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection

from billing import periods
from billing.catalog.offer import PAYG, Catalog, Plan
from billing.contracts import terms
from billing.contracts.terms import Pool, Terms
from billing.graphs import past_use
from billing.graphs.past_use import History
from billing.graphs.ranges import Span
from billing.money import ZERO

# A window without a limit is NULL here, and nothing is more than NULL.
BEYOND_RATE = """
SELECT l.place, count(DISTINCT m.minute)
FROM unnest(%(places)s::int[], %(models)s::int[], %(tokens)s::bigint[], %(requests)s::bigint[])
    AS l(place, model_id, tokens, requests)
JOIN usage_minute m ON m.model_id = l.model_id
WHERE m.org_id = %(org)s AND m.minute >= %(start)s AND m.minute < %(end)s
    AND (m.input_tokens + m.output_tokens > l.tokens OR m.events > l.requests)
GROUP BY 1
"""

ALLOWANCE_REACHED = """
SELECT plan_id, day, min(minute) FROM (
    SELECT l.plan_id, l.allowance, date_trunc('day', m.minute, 'UTC') AS day, m.minute,
        sum(sum(m.input_tokens + m.output_tokens))
            OVER (PARTITION BY l.plan_id, date_trunc('day', m.minute, 'UTC') ORDER BY m.minute) AS used
    FROM unnest(%(plans)s::int[], %(models)s::int[], %(allowances)s::bigint[]) AS l(plan_id, model_id, allowance)
    JOIN usage_minute m ON m.model_id = l.model_id
    WHERE m.org_id = %(org)s AND m.minute >= %(start)s AND m.minute < %(end)s
    GROUP BY l.plan_id, l.allowance, m.minute
) reached WHERE used >= allowance GROUP BY 1, 2
"""


# --- Each way ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hits:
    """What limits would have answered 429. `beyond`: tokens over the daily allowance, by day; `closed`: for how long that
    was, on the days known by the minute; `minutes`: of those days, with more than the rate limits let through."""

    beyond: Mapping[datetime, int] = field(default_factory=dict)
    closed: timedelta = timedelta(0)
    minutes: int = 0

    @property
    def days(self) -> int:
        return len(self.beyond)

    @property
    def tokens(self) -> int:
        return sum(self.beyond.values())


@dataclass(frozen=True, slots=True)
class Promise:
    """A contract on one model that might be: its terms, and a whole month of it."""

    model_id: int
    terms: Terms
    pool: Pool

    @classmethod
    def of(cls, model_id: int, agreed: Terms) -> "Promise":
        """`agreed`: terms that `contracts.terms.check` let pass."""
        pool = terms.pool(agreed, agreed.starts_on)
        if pool is None:
            raise ValueError("a contract has an amount to pay")
        return cls(model_id, agreed, pool)

    def overage_tokens(self, past: History) -> int:
        return sum(max(0, tokens - self.pool.tokens) for tokens in past.tokens_by_month(self.model_id))


@dataclass(frozen=True, slots=True)
class Option:
    """One way to pay for the same usage, in USD exactly. `current`: what the organization has now."""

    plans: tuple[Plan, ...]
    promise: Promise | None
    plan_usd: Decimal
    committed_usd: Decimal
    overage_usd: Decimal
    credit_usd: Decimal
    hits: Hits
    current: bool = False

    @property
    def contract_usd(self) -> Decimal:
        return self.committed_usd + self.overage_usd

    @property
    def total(self) -> Decimal:
        return self.plan_usd + self.contract_usd + self.credit_usd


Way = tuple[tuple[Plan, ...], Promise | None]


def options(
    org_id: int,
    past: History,
    catalog: Catalog,
    *,
    now: datetime,
    current: frozenset[int] = frozenset(),
    promise: Promise | None = None,
) -> list[Option]:
    """The cheapest first. Two queries, however many plans there are. `current`: the ids of the plans it has now."""
    found = ways(catalog, now=now, current=current, promise=promise)
    plans = {plan.id: plan for held, _ in found for plan in held}
    daily = _days_beyond(org_id, past, list(plans.values()), now)
    minutes = _minutes_beyond(org_id, past.span, catalog, found)
    priced = [
        _option(past, way, _together([daily[plan.id] for plan in way[0]], minutes.get(place, 0)), current)
        for place, way in enumerate(found)
    ]
    return sorted(priced, key=lambda option: option.total)


def ways(catalog: Catalog, *, now: datetime, current: frozenset[int], promise: Promise | None) -> list[Way]:
    """Pay as you go, each plan that still has a model, and what it has now; each with the contract too, unless the plan
    covers that model: one or the other does (A21)."""
    gone = {model.id for model in catalog.models if model.is_retired(now)}
    mixes: list[tuple[Plan, ...]] = [(), *((plan,) for plan in catalog.plans if plan.covers - gone)]
    held = tuple(plan for plan in catalog.plans if plan.id in current)
    if held not in mixes:
        mixes.append(held)
    found: list[Way] = []
    for mix in mixes:
        found.append((mix, None))
        if promise and not any(promise.model_id in plan.covers for plan in mix):
            found.append((mix, promise))
    return found


def _option(past: History, way: Way, hits: Hits, current: frozenset[int]) -> Option:
    plans, promise = way
    covered = {model_id for plan in plans for model_id in plan.covers} | ({promise.model_id} if promise else set())
    months = past.tokens_by_month(promise.model_id) if promise else []
    return Option(
        plans,
        promise,
        plan_usd=sum((plan.price_usd for plan in plans), ZERO) * past.months,
        committed_usd=sum((promise.pool.amount for _ in months), ZERO) if promise else ZERO,
        overage_usd=sum((promise.pool.overage(tokens) for tokens in months), ZERO) if promise else ZERO,
        credit_usd=sum((past.of(model_id).cost for model_id in past.used if model_id not in covered), ZERO),
        hits=hits,
        current=promise is None and {plan.id for plan in plans} == current,
    )


# --- Limits ------------------------------------------------------------------------------------------------------------


def _days_beyond(org_id: int, past: History, plans: Sequence[Plan], now: datetime) -> dict[int, Hits]:
    """By plan: days with more tokens than it gives, by how many, and how long it would have been closed on them so far."""
    limited = [(plan.id, model_id, plan.daily_tokens) for plan in plans for model_id in sorted(plan.covers)]
    known, reached = past_use.by_the_minute(past.span), defaultdict[int, dict[datetime, datetime]](dict)
    with connection.cursor() as cursor:
        asked = dict(zip(("plans", "models", "allowances"), _columns(limited, 3), strict=True))
        cursor.execute(ALLOWANCE_REACHED, {"org": org_id, "start": known.start, "end": known.end, **asked})
        for plan_id, day, minute in cursor.fetchall():
            reached[plan_id][day] = minute
    found = {}
    for plan in plans:
        used = {day: past.tokens_on(day, plan.covers) for day in past.days}
        beyond = {day: tokens - plan.daily_tokens for day, tokens in used.items() if tokens > plan.daily_tokens}
        at = reached[plan.id]
        closed = [max(min(day + periods.DAY, now) - at[day], timedelta(0)) for day in beyond if day in at]
        found[plan.id] = Hits(beyond, sum(closed, timedelta(0)))
    return found


def _minutes_beyond(org_id: int, over: Span, catalog: Catalog, found: Sequence[Way]) -> dict[int, int]:
    """Place of a way -> minutes in which more was asked of one of its models than its tier lets through. The limits of a
    contract are its own and not known here."""
    limited = []
    for place, (plans, promise) in enumerate(found):
        tiers = {model_id: plan.tier for plan in plans for model_id in plan.covers}
        for model in catalog.models:
            windows = model.tiers.get(tiers.get(model.id, PAYG))
            if windows is not None and (promise is None or promise.model_id != model.id):
                limited.append((place, model.id, windows.tokens_per_minute, windows.requests_per_minute))
    known = past_use.by_the_minute(over)
    with connection.cursor() as cursor:
        asked = dict(zip(("places", "models", "tokens", "requests"), _columns(limited, 4), strict=True))
        cursor.execute(BEYOND_RATE, {"org": org_id, "start": known.start, "end": known.end, **asked})
        return dict(cursor.fetchall())


def _together(parts: Sequence[Hits], minutes: int) -> Hits:
    """Of several plans beside each other."""
    beyond: dict[datetime, int] = defaultdict(int)
    for part in parts:
        for day, tokens in part.beyond.items():
            beyond[day] += tokens
    return Hits(dict(beyond), sum((part.closed for part in parts), timedelta(0)), minutes)


def _columns(rows: Sequence[tuple[int | None, ...]], number: int) -> list[list[int | None]]:
    """Rows as columns: so many, even when there is no row."""
    return [[row[at] for row in rows] for at in range(number)]
