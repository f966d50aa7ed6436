"""What plans will do by themselves if nobody does anything: their steps ahead, by the rules that take them.

The moments are of `calendar`, the prices of `prices`, and whether a card can be charged is asked as a renewal asks it; here
they are only put one after the other. `of` reads, `steps` is pure. That a year then goes exactly so is a test
(`tests/scenarios/test_timeline.py`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from billing.catalog.offer import Catalog, Plan
from billing.payments import card_charges
from billing.payments.models import PaymentMethod
from billing.subscriptions import calendar, prices, rises
from billing.subscriptions.models import PAID_STATES, Change, Ended, PaidPeriod, PriceRise, State, Subscription
from billing.subscriptions.prices import Agreed
from billing.subscriptions.refusals import price_cents
from billing.subscriptions.renewals import chosen_at


class What(StrEnum):
    """What happens with a plan."""

    RENEWED = "renewed"
    RETRIED = "retried"
    NOT_RENEWED = "not_renewed"
    CHANGED = "changed"
    ENDED = "ended"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class Step:
    """One of them. `cents`: what the card is charged, or (refunded) gets back. `until`: the end of the period that is paid.

    `to`: the plan that follows. `why`: why it ends. `method`: the card. `was`: cents of the period before, of a plan that
    becomes dearer or cheaper.
    """

    what: What
    at: datetime
    plan: Plan
    cents: int = 0
    until: datetime | None = None
    to: Plan | None = None
    why: Ended | None = None
    method: PaymentMethod | None = None
    was: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A subscription with all that its steps follow from; `change`: what is scheduled; `fees`: of the running period;
    `rises`: what it was told to cost; `chosen`: the change that made its plan what it is."""

    running: Subscription
    change: Change | None = None
    fees: Sequence[PaidPeriod] = field(default=())
    rises: Sequence[PriceRise] = field(default=())
    chosen: Change | None = None


def of(org_id: int) -> list[Standing]:
    """The plans of an organization that have begun and not ended. Four queries, however many."""
    running = Subscription.objects.filter(wallet_id=org_id, state__in=PAID_STATES).select_related("method")
    of_these = {"wallet_id": org_id, "subscription__state__in": PAID_STATES}
    changes = list(Change.objects.filter(withdrawn_at=None, **of_these).order_by("pk"))
    pending = {change.subscription_id: change for change in changes if change.applied_at is None}
    chosen = {change.subscription_id: change for change in changes if change.applied_at is not None}
    fees = list(PaidPeriod.objects.filter(**of_these).order_by("pk"))
    told = list(PriceRise.objects.filter(**of_these).order_by("effective_at", "pk"))
    return [
        Standing(
            one,
            pending.get(one.pk),
            [fee for fee in fees if fee.subscription_id == one.pk and fee.number == one.number],
            [rise for rise in told if rise.subscription_id == one.pk],
            chosen.get(one.pk),
        )
        for one in running.order_by("pk")
    ]


@dataclass(slots=True)
class _Walk:
    """How far the walk through the life of a plan has come: period `number` is paid by `fees` (cents, from, to).

    `agreed`: what its customer pays for `plan`, or was shown that it costs.
    """

    plan: Plan
    number: int
    agreed: Agreed
    fees: Sequence[tuple[int, datetime, datetime]]


def steps(standing: Standing, catalog: Catalog, *, until: datetime) -> Iterator[Step]:
    """What happens before `until`, in order. A renewal that is due and not paid yet is at its next try."""
    running = standing.running
    plan = catalog.plan(running.plan_id)
    if plan is None or running.anchor is None or running.ends_at is None:
        return
    if running.state == State.SUSPENDED:
        yield Step(What.ENDED, running.ends_at, plan, why=Ended.DISPUTED)
        return
    paid_for_it = not standing.fees or standing.fees[-1].plan_id == plan.id
    agreed = rises.agreed(running, standing.rises)
    if not paid_for_it and standing.chosen is not None:
        agreed = chosen_at(standing.chosen, price_cents(plan))
    fees = [(fee.charged_cents, fee.starts_at, fee.ends_at) for fee in standing.fees]
    walk, change = _Walk(plan, running.number, agreed, fees), standing.change
    if running.state == State.PAST_DUE:
        tried = list(_tried_again(running, walk, catalog))
        yield from tried
        change = None
        if tried[-1].what == What.ENDED:
            return
        _paid(walk, running.anchor, tried[-1].cents)
    while (end := calendar.boundary(running.anchor, walk.number)) < until:
        taken = list(_at_end(walk, running, change, catalog, end))
        yield from taken
        if taken[-1].what != What.RENEWED:
            return
        change = None
        _paid(walk, running.anchor, taken[-1].cents)
    yield from _retired(walk, catalog, before=min(end, until))


def _paid(walk: _Walk, anchor: datetime, cents: int) -> None:
    walk.number = walk.number + 1
    period = calendar.period(anchor, walk.number)
    walk.agreed = replace(walk.agreed, cents=cents, since=period.start)
    walk.fees = [(cents, period.start, period.end)]


def _at_end(
    walk: _Walk, running: Subscription, change: Change | None, catalog: Catalog, end: datetime
) -> Iterator[Step]:
    """What happens within the running period by itself, and at its end: as `renewals.begin` does it."""
    if over := list(_retired(walk, catalog, before=end)):
        yield from over
        return
    if change is not None:
        to = catalog.plan(change.plan_id)
        if to is None:
            yield Step(What.ENDED, end, walk.plan, why=Ended.CANCELED)
            return
        yield Step(What.CHANGED, end, walk.plan, to=to)
        walk.plan, walk.agreed = to, chosen_at(change, price_cents(to))
    if _is_retired(walk.plan, catalog, end):
        yield Step(What.ENDED, end, walk.plan, why=Ended.RETIRED)
        return
    if running.method is None or not card_charges.is_usable(running.method, now=end):
        yield Step(What.NOT_RENEWED, end, walk.plan, method=running.method)
        yield Step(What.ENDED, end + calendar.GRACE, walk.plan, why=Ended.UNPAID)
        return
    yield _charged(What.RENEWED, walk, running, end)


def _tried_again(running: Subscription, walk: _Walk, catalog: Catalog) -> Iterator[Step]:
    """Past due: the next try, which pays for the period that has begun; or, with no card for it, the end."""
    assert running.ends_at is not None, "what is past due was paid before"
    at, over = running.next_at or running.ends_at, (running.grace_from or running.ends_at) + calendar.GRACE
    if _is_retired(walk.plan, catalog, at):
        yield Step(What.ENDED, at, walk.plan, why=Ended.RETIRED)
    elif running.method is None or not card_charges.is_usable(running.method, now=at):
        yield Step(What.NOT_RENEWED, at, walk.plan, method=running.method)
        yield Step(What.ENDED, over, walk.plan, why=Ended.UNPAID)
    else:
        yield _charged(What.RETRIED, walk, running, at)


def _charged(what: What, walk: _Walk, running: Subscription, at: datetime) -> Step:
    assert running.anchor is not None, "what has begun has an anchor"
    paid = calendar.period(running.anchor, walk.number + 1)
    cents = prices.renewal(price_cents(walk.plan), walk.agreed, starts_at=paid.start)
    was = walk.agreed.cents if cents != walk.agreed.cents else None
    return Step(what, at, walk.plan, cents, paid.end, method=running.method, was=was)


def _is_retired(plan: Plan, catalog: Catalog, at: datetime) -> bool:
    retired = catalog.retired_from(plan.covers)
    return retired is not None and retired <= at


def _retired(walk: _Walk, catalog: Catalog, *, before: datetime) -> Iterator[Step]:
    """Its last model is retired within the running period: it ends then, and the days that are left go back (A29)."""
    at = catalog.retired_from(walk.plan.covers)
    if at is None or at >= before:
        return
    yield Step(What.ENDED, at, walk.plan, why=Ended.RETIRED)
    back = sum(cents - prices.earned(cents, start=start, end=over, until=at.date()) for cents, start, over in walk.fees)
    if back:
        yield Step(What.REFUNDED, at, walk.plan, back)
