"""What if? An organization's own usage of the last days, priced each way: pay as you go, each plan, a contract.

Prices come from where billing takes them: `metering.rating` prices tokens (`past_use.py`), `contracts.terms` a month's
commitment. Only who pays is another question here. A month counts as thirty days, so that a span holds whole months; the
last day is today so far. Start reading at `options`.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
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
    """A contract that might be, or that there is: its models, its terms, and a whole month of it."""

    model_ids: frozenset[int]
    terms: Terms
    pool: Pool

    @classmethod
    def of(cls, model_ids: Collection[int], agreed: Terms) -> "Promise":
        """`agreed`: terms that `contracts.terms.check` let pass."""
        pool = terms.pool(agreed, agreed.starts_on)
        if pool is None:
            raise ValueError("a contract has an amount to pay")
        return cls(frozenset(model_ids), agreed, pool)

    def committed(self, past: History) -> Decimal:
        return self.pool.amount * past.months

    def overage(self, past: History) -> Decimal:
        return sum((self.pool.overage(tokens) for tokens in past.tokens_by_month(self.model_ids)), ZERO)

    def overage_tokens(self, past: History) -> int:
        return sum(max(0, tokens - self.pool.tokens) for tokens in past.tokens_by_month(self.model_ids))


@dataclass(frozen=True, slots=True)
class Held:
    """What the organization has now: plans by id, and contracts, which stay whatever else it chooses: they never end early.
    `next`: the plans it has from `changes_at` on, where a change is scheduled."""

    plans: frozenset[int] = frozenset()
    contracts: tuple[Promise, ...] = ()
    next: frozenset[int] | None = None
    changes_at: datetime | None = None

    @property
    def reserved(self) -> frozenset[int]:
        """The models of its contracts."""
        return frozenset(model_id for one in self.contracts for model_id in one.model_ids)


NOTHING = Held()


@dataclass(frozen=True, slots=True)
class Option:
    """One way to pay for the same usage, in USD exactly. `current`: what the organization has now; `coming`: has soon."""

    plans: tuple[Plan, ...]
    promise: Promise | None
    plan_usd: Decimal
    committed_usd: Decimal
    overage_usd: Decimal
    credit_usd: Decimal
    hits: Hits
    current: bool = False
    coming: bool = False

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
    held: Held = NOTHING,
    promise: Promise | None = None,
) -> list[Option]:
    """The cheapest first. Two queries, however many plans there are. `promise`: one that might be."""
    found = ways(catalog, now=now, held=held, promise=promise)
    plans = {plan.id: plan for held, _ in found for plan in held}
    daily = _days_beyond(org_id, past, list(plans.values()), now)
    minutes = _minutes_beyond(org_id, past.span, catalog, found, held)
    priced = [
        _option(past, way, _together([daily[plan.id] for plan in way[0]], minutes.get(place, 0)), held)
        for place, way in enumerate(found)
    ]
    return sorted(priced, key=lambda option: option.total)


def ways(catalog: Catalog, *, now: datetime, held: Held, promise: Promise | None) -> list[Way]:
    """Pay as you go, each plan that still has a model, what it has now and soon; each with the contract too that might be.
    A plan or a contract covers a model, never both (A21). The contracts there are belong to each way."""
    gone = {model.id for model in catalog.models if model.is_retired(now)}
    sold = (plan for plan in catalog.plans if plan.covers - gone and not plan.covers & held.reserved)
    mixes: list[tuple[Plan, ...]] = [(), *((plan,) for plan in sold)]
    for had in (held.plans, held.next or frozenset()):
        mix = tuple(plan for plan in catalog.plans if plan.id in had)
        if mix not in mixes:
            mixes.append(mix)
    found: list[Way] = []
    for mix in mixes:
        found.append((mix, None))
        covered = held.reserved.union(*(plan.covers for plan in mix))
        if promise and not promise.model_ids & covered:
            found.append((mix, promise))
    return found


def _option(past: History, way: Way, hits: Hits, held: Held) -> Option:
    plans, promise = way
    promises = [*held.contracts, *([promise] if promise else [])]
    covered = {model_id for one in plans for model_id in one.covers}.union(*(one.model_ids for one in promises))
    had = {plan.id for plan in plans}
    return Option(
        plans,
        promise,
        plan_usd=sum((plan.price_usd for plan in plans), ZERO) * past.months,
        committed_usd=sum((one.committed(past) for one in promises), ZERO),
        overage_usd=sum((one.overage(past) for one in promises), ZERO),
        credit_usd=sum((past.of(model_id).cost for model_id in past.used if model_id not in covered), ZERO),
        hits=hits,
        current=promise is None and had == held.plans,
        coming=promise is None and held.next is not None and had == held.next and had != held.plans,
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


def _minutes_beyond(org_id: int, over: Span, catalog: Catalog, found: Sequence[Way], held: Held) -> dict[int, int]:
    """Place of a way -> minutes in which more was asked of one of its models than its tier lets through. The limits of a
    contract are its own and not counted here."""
    limited = []
    for place, (plans, promise) in enumerate(found):
        tiers = {model_id: plan.tier for plan in plans for model_id in plan.covers}
        reserved = held.reserved | (promise.model_ids if promise else frozenset())
        for model in catalog.models:
            windows = model.tiers.get(tiers.get(model.id, PAYG))
            if windows is not None and model.id not in reserved:
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
