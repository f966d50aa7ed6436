"""A plan becomes dearer: who has it is told, and pays more from the first renewal that is 30 days after that or later (A32).

The clock finds them by query; each is told once of each price, and what was told is kept. What is charged then is decided at
the renewal (`prices.renewal`): a price that was lowered again meanwhile is not charged.
"""

from collections.abc import Iterable
from datetime import datetime
from itertools import count

from django.db import connection

from billing.money import to_cents
from billing.subscriptions import calendar, cover, telling
from billing.subscriptions.models import NOTICE, PriceRise, State, Subscription
from billing.subscriptions.prices import Agreed, Rise

WAITING = """
SELECT s.org_id, s.id FROM subscription s JOIN plan p ON p.id = s.plan_id
WHERE s.state = 'active' AND p.price_usd * 100 > s.price_cents
    AND EXISTS (SELECT FROM subscription_period f
        WHERE f.subscription_id = s.id AND f.number = s.number AND f.plan_id = s.plan_id)
    AND NOT EXISTS (SELECT FROM plan_change c
        WHERE c.subscription_id = s.id AND c.withdrawn_at IS NULL AND c.applied_at IS NULL)
    AND NOT EXISTS (SELECT FROM plan_price_rise r WHERE r.subscription_id = s.id AND r.plan_id = s.plan_id
        AND r.effective_at > s.starts_at AND r.to_cents >= p.price_usd * 100)
ORDER BY s.org_id, s.id
"""


def waiting() -> list[tuple[int, int]]:
    """(organization, subscription) of plans that go on as they are, and whose customer does not know of the price."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return list(cursor.fetchall())


def tell(subscription_id: int, *, now: datetime) -> PriceRise | None:
    """Write down from when on the price of today holds, and tell. The wallet is locked; again it answers None."""
    running = Subscription.objects.select_related("plan").get(pk=subscription_id)
    to = to_cents(running.plan.price_usd)
    if running.state != State.ACTIVE or running.anchor is None or to <= running.price_cents or cover.pending(running):
        return None
    if any(rise.cents >= to for rise in agreed(running, _of(running)).rises):
        return None
    rise = PriceRise.objects.create(
        wallet_id=running.wallet_id, subscription=running, plan_id=running.plan_id, from_cents=running.price_cents,
        to_cents=to, told_at=now, effective_at=_first_renewal(running.anchor, running.number, now + NOTICE),
    )  # fmt: skip
    telling.rises(running, rise, now=now)
    return rise


def agreed(running: Subscription, told: Iterable[PriceRise]) -> Agreed:
    """What its customer pays for the plan that runs, with the rises that are still ahead. `told`: those of it."""
    assert running.starts_at is not None, "what is agreed to has begun"
    since = running.starts_at
    rises = tuple(
        Rise(one.to_cents, one.effective_at)
        for one in told
        if one.plan_id == running.plan_id and one.effective_at > since
    )
    return Agreed(running.price_cents, since, rises)


def of(running: Subscription) -> Agreed:
    return agreed(running, _of(running))


def _of(running: Subscription) -> list[PriceRise]:
    return list(PriceRise.objects.filter(subscription=running).order_by("effective_at", "pk"))


def _first_renewal(anchor: datetime, number: int, at: datetime) -> datetime:
    """The end of the running period or a later one, not before `at`."""
    return next(end for months in count(number) if (end := calendar.boundary(anchor, months)) >= at)
