"""Dates who pays, ahead of time: what the rules say of the days to come stands in `coverage` before those days come.

So usage is rated, and limits change, at the very instant of a boundary, whether or not the clock came by. `planned` (pure)
says from when to when a plan covers as things stand; `lay` makes the coverage from now on say exactly that. What is past is
never touched, and cover is never back-dated: no event that was rated changes its payer (A51).

Beyond the paid period cover is dated for the renewal: the days of grace where an earlier one was paid (A11), and `BRIDGE`
for the charge itself to be made and heard of. A renewal that fails, and a change of mind, cut it short.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from billing.catalog.models import Plan
from billing.coverage.models import Coverage, Payer, PayerBase
from billing.periods import MINUTE
from billing.subscriptions.calendar import GRACE
from billing.subscriptions.models import Change, CoveredModel, State, Subscription

BRIDGE = timedelta(hours=1)
"""Cover goes on so long while a renewal is charged and nobody knows what became of it; the clock renews it."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One plan covers over [start, end)."""

    plan_id: int
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Terms:
    """What cover follows from. `next_plan`: that of the next period, None where none follows. `proven`: an earlier renewal
    was paid. `waiting`: the renewal is to be charged, or nobody knows what became of it."""

    state: State
    plan: int
    next_plan: int | None
    starts_at: datetime
    ends_at: datetime
    proven: bool
    grace_from: datetime | None = None
    waiting: bool = False


def planned(terms: Terms, *, now: datetime) -> list[Stretch]:
    """From when to when which plan covers, as things stand; stretches of one plan that meet are one."""
    grace = GRACE if terms.proven else timedelta(0)
    if terms.state == State.PAST_DUE and terms.proven:
        until = (terms.grace_from or terms.ends_at) + grace + BRIDGE
        return [Stretch(terms.plan, terms.starts_at, max(until, now + BRIDGE) if terms.waiting else until)]
    if terms.state != State.ACTIVE:
        return []
    paid = Stretch(terms.plan, terms.starts_at, terms.ends_at)
    if terms.next_plan is None:
        return [paid]
    until = terms.ends_at + grace + BRIDGE
    if terms.waiting and now >= terms.ends_at:
        until = max(until, now + BRIDGE)
    if terms.next_plan == terms.plan:
        return [Stretch(terms.plan, terms.starts_at, until)]
    return [paid, Stretch(terms.next_plan, terms.ends_at, until)]


def terms_of(subscription: Subscription, *, waiting: bool = True) -> Terms | None:
    """None before the first payment."""
    if subscription.starts_at is None or subscription.ends_at is None:
        return None
    change = pending(subscription)
    next_plan = subscription.plan_id if change is None else change.plan_id
    return Terms(
        State(subscription.state), subscription.plan_id, next_plan, subscription.starts_at, subscription.ends_at,
        subscription.renewals > 0, subscription.grace_from, waiting,
    )  # fmt: skip


def pending(subscription: Subscription) -> Change | None:
    return Change.objects.filter(subscription=subscription, withdrawn_at=None, applied_at=None).first()


def last_instant(subscription: Subscription) -> datetime | None:
    """When it ends, if it was canceled; None: it goes on."""
    change = pending(subscription)
    return subscription.ends_at if change is not None and change.plan_id is None else None


def date_ahead(subscription: Subscription, *, waiting: bool = True, now: datetime) -> None:
    """The coverage of its models from now on is what the rules say. The wallet is locked; again changes nothing.

    `waiting` False: the renewal's last try has failed, and the next one was not made yet.
    """
    terms = terms_of(subscription, waiting=waiting)
    stretches = planned(terms, now=now) if terms else []
    open_ = set(CoveredModel.objects.filter(subscription=subscription, open=True).values_list("model_id", flat=True))
    covered = _covered_by({one.plan_id for one in stretches})
    for model_id in CoveredModel.objects.filter(subscription=subscription).values_list("model_id", flat=True):
        ours = [one for one in stretches if model_id in open_ and _covers(one, model_id, subscription, covered)]
        _lay(subscription.wallet_id, model_id, ours, now)
    if open_ and stretches:
        PayerBase.objects.filter(wallet_id=subscription.wallet_id, covered=False).update(covered=True)


def _covered_by(plan_ids: Collection[int]) -> set[tuple[int, int]]:
    """(plan, model), as they are sold now."""
    return set(Plan.covers.through.objects.filter(plan__in=plan_ids).values_list("plan_id", "aimodel_id"))


def _covers(one: Stretch, model_id: int, subscription: Subscription, covered: Collection[tuple[int, int]]) -> bool:
    """What runs covers what it was sold with, to its end. A plan that is to follow covers its own models only."""
    return one.plan_id == subscription.plan_id or (one.plan_id, model_id) in covered


def _lay(org_id: int, model_id: int, stretches: Sequence[Stretch], now: datetime) -> None:
    """First what ends sooner or goes, then what ends later or is new: spans of a model never overlap, at no moment."""
    wanted = [Stretch(one.plan_id, max(one.start, now), one.end) for one in stretches if one.end > now]
    there = list(
        Coverage.objects.filter(wallet_id=org_id, model_id=model_id, payer=Payer.SUBSCRIPTION, valid_to__gt=now)
        .order_by("valid_from")
    )  # fmt: skip
    for row in there:
        if _match(row, wanted, now) is None:
            if row.valid_from < now:
                _ends(row, now)
            elif not _goes(row):
                wanted = _around(row, wanted)
    longer: list[tuple[Coverage, datetime]] = []
    for row in there:
        match = _match(row, wanted, now)
        if match is not None:
            wanted.remove(match)
            if match.end < row.valid_to:
                _ends(row, match.end)
            elif match.end > row.valid_to:
                longer.append((row, match.end))
    for row, end in longer:
        _ends(row, end)
    for one in wanted:
        Coverage.objects.create(
            wallet_id=org_id, model_id=model_id, payer=Payer.SUBSCRIPTION, source_id=one.plan_id, valid_from=one.start,
            valid_to=one.end,
        )  # fmt: skip


def _match(row: Coverage, wanted: Sequence[Stretch], now: datetime) -> Stretch | None:
    """What this row goes on with: the same plan, from now or from when it begins."""
    place = (row.source_id, max(row.valid_from, now))
    return next((one for one in wanted if (one.plan_id, one.start) == place), None)


def _ends(row: Coverage, end: datetime) -> None:
    Coverage.objects.filter(pk=row.pk).update(valid_to=end)


def _goes(row: Coverage) -> bool:
    """It has not begun. What a gateway whose clock runs ahead has used of it already cannot go (trigger): a minute stays."""
    try:
        with transaction.atomic():
            Coverage.objects.filter(pk=row.pk).delete()
    except IntegrityError:
        row.valid_to = min(row.valid_to, row.valid_from + MINUTE)
        _ends(row, row.valid_to)
        return False
    return True


def _around(row: Coverage, wanted: Sequence[Stretch]) -> list[Stretch]:
    parts = [Stretch(one.plan_id, one.start, min(one.end, row.valid_from)) for one in wanted]
    parts += [Stretch(one.plan_id, max(one.start, row.valid_to), one.end) for one in wanted]
    return [one for one in parts if one.start < one.end]
