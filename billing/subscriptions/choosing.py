"""What a customer may choose, and what it costs: the one module that pages and doors call.

Reads are free; `quote` writes down what was shown, and agreeing to it (`flows.subscribe`, `.upgrade`) does
exactly that or nothing. What is scheduled is decided here under the wallet's lock, by way of `billing.flows`.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from billing.catalog import current as catalog
from billing.catalog.offer import Plan
from billing.payments.models import OPEN_STATES as OPEN_PAYMENTS
from billing.subscriptions import arrears, calendar, cover, ending, prices, refusals, telling
from billing.subscriptions.models import PAID_STATES, Change, Charge, Kind, Quote, State, Subscription
from billing.subscriptions.refusals import NotForSale, PlanRefused

HELD_FOR = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Offer:
    """A plan as this organization may have it. `cents`: what is paid now. `move`: subscribe, upgrade, downgrade, current;
    None where it is `refused`, in words. `until`: the end of the period that is paid for by it."""

    plan: Plan
    move: str | None
    cents: int | None = None
    arrears_cents: int = 0
    until: datetime | None = None
    refused: str = ""


def current(org_id: int) -> list[Subscription]:
    """Its plans that are open, the newest first; with `pending` what is scheduled for each."""
    return list(
        Subscription.objects.filter(wallet_id=org_id).exclude(state=State.ENDED).select_related("plan", "method")
        .order_by("-created_at", "-pk")
    )  # fmt: skip


pending = cover.pending


def one(org_id: int, public_id: UUID) -> Subscription:
    """An organization's own; raises `Subscription.DoesNotExist` for another's."""
    return Subscription.objects.select_related("plan").get(wallet_id=org_id, public_id=public_id)


def offers(org_id: int, *, now: datetime) -> list[Offer]:
    """Every plan by rank, with what it would cost now, or why not."""
    return [_offer(org_id, plan, now) for plan in catalog.latest().plans]


def _offer(org_id: int, plan: Plan, now: datetime) -> Offer:
    running = _sharing(org_id, plan)
    try:
        if running is None:
            drawn = _first(org_id, plan, now)
            return Offer(plan, "subscribe", drawn.amount_cents, drawn.arrears_cents, calendar.boundary(now, 1))
        if running.plan_id == plan.id:
            return Offer(plan, "current", until=running.ends_at)
        if plan.rank < running.plan.rank:
            _refuse_schedule(running, now)
            return Offer(plan, "downgrade", 0, until=running.ends_at)
        return Offer(plan, "upgrade", _upgrade(running, plan, now).amount_cents, until=running.ends_at)
    except PlanRefused as refused:
        return Offer(plan, None, refused=str(refused))


# --- Quotes --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Draft:
    """A quote before it is shown. `facts`: everything that the amount follows from, besides the moment."""

    kind: Kind
    subscription: Subscription | None
    price_cents: int
    amount_cents: int
    arrears_cents: int
    held_until: datetime
    facts: tuple[object, ...]

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps(self.facts, default=str).encode()).hexdigest()


def quote(org_id: int, plan_id: int, *, by: int, now: datetime) -> Quote:
    """Write down what this plan costs now: as a first plan, or as an upgrade of one that shares a model with it (A52).

    Held for ten minutes, an upgrade not beyond its period's end. Raises `PlanRefused`.
    """
    plan = refusals.plan(plan_id)
    drawn = draft(org_id, plan, now=now)
    return Quote.objects.create(
        wallet_id=org_id,
        subscription=drawn.subscription,
        kind=drawn.kind,
        plan_id=plan.id,
        price_cents=drawn.price_cents,
        amount_cents=drawn.amount_cents,
        arrears_cents=drawn.arrears_cents,
        fingerprint=drawn.fingerprint,
        made_by_id=by,
        made_at=now,
        held_until=drawn.held_until,
    )


def draft(org_id: int, plan: Plan, *, now: datetime) -> Draft:
    """What choosing this plan comes to now. Raises `PlanRefused`."""
    running = _sharing(org_id, plan)
    if running is None:
        return _first(org_id, plan, now)
    if plan.id == running.plan_id:
        raise PlanRefused(f"{plan.name} is the plan there is. To keep it, withdraw what is scheduled.")
    if plan.rank < running.plan.rank:
        raise PlanRefused(f"A change to {plan.name} is scheduled for the end of the period, and costs nothing now.")
    return _upgrade(running, plan, now)


def redrawn(quote: Quote, *, now: datetime) -> Draft:
    """What was quoted, as things stand now. Raises `QuoteOver` where that is not the same any more, and `PlanRefused`."""
    if now >= quote.held_until:
        raise refusals.QuoteOver("This price was held for ten minutes. Look at it again.")
    drawn = draft(quote.wallet_id, refusals.plan(quote.plan_id), now=now)
    if drawn.fingerprint != quote.fingerprint:
        raise refusals.QuoteOver
    return drawn


def _first(org_id: int, plan: Plan, now: datetime) -> Draft:
    refusals.refuse_if_not_for_sale(org_id, plan, now=now)
    price = refusals.price_cents(plan)
    owed = arrears.cents(org_id, now=now)
    facts = (Kind.FIRST, org_id, *_of_plan(plan), owed)
    return Draft(Kind.FIRST, None, price, price + owed, owed, now + HELD_FOR, facts)


def _upgrade(running: Subscription, plan: Plan, now: datetime) -> Draft:
    refusals.refuse_organization(running.wallet_id)
    if running.state == State.PAST_DUE:
        raise PlanRefused("An upgrade is not possible while a payment for the plan is due.")
    start, end = _running_period(running, now)
    if running.state != State.ACTIVE:
        raise PlanRefused("An upgrade is not possible while the plan is suspended.")
    if is_charged(running):
        raise PlanRefused("A payment for the plan is under way. Its outcome comes first.")
    refusals.refuse_if_covered(running.wallet_id, plan.covers, but=running, now=now)
    price = refusals.price_cents(plan)
    amount = prices.difference(
        new_cents=price, charged_cents=running.price_cents, now=now, start=start, end=end
    )  # fmt: skip
    facts = (
        Kind.UPGRADE,
        running.pk,
        running.plan_id,
        running.number,
        running.price_cents,
        start,
        end,
        *_of_plan(plan),
    )
    return Draft(Kind.UPGRADE, running, price, amount, 0, min(now + HELD_FOR, end), facts)


def _of_plan(plan: Plan) -> tuple[object, ...]:
    return plan.id, plan.price_usd, plan.daily_tokens, sorted(plan.covers)


def _running_period(running: Subscription, now: datetime) -> tuple[datetime, datetime]:
    if running.starts_at is None or running.ends_at is None:
        raise PlanRefused("The first payment of this plan is not made yet.")
    if now >= running.ends_at or is_renewing(running):
        raise PlanRefused("The plan is being renewed right now.")
    return running.starts_at, running.ends_at


def goes_on(org_id: int, model_ids: Collection[int], *, at: datetime) -> bool:
    """Whether a plan covers one of these models at that instant or after it: one that is not canceled renews (A21)."""
    begun = Subscription.objects.filter(
        wallet_id=org_id, state__in=PAID_STATES, covered__open=True, covered__model__in=model_ids
    ).distinct()
    return any(not (ends := cover.last_instant(one)) or ends > at for one in begun)


def is_renewing(running: Subscription) -> bool:
    """The clock has come to its period's end: the next one was written down, whatever the watch of who asks says."""
    return Charge.objects.filter(subscription=running, kind=Kind.RENEWAL, number=running.number + 1).exists()


def is_charged(running: Subscription) -> bool:
    """A payment for it is open: being charged, or waiting for its customer."""
    return Charge.objects.filter(subscription=running, intent__state__in=OPEN_PAYMENTS).exists()


def _sharing(org_id: int, plan: Plan) -> Subscription | None:
    """The open plan that shares a model with this one: they are up- or downgrades of each other."""
    return (
        Subscription.objects.filter(wallet_id=org_id, covered__open=True, covered__model__in=plan.covers)
        .select_related("plan").order_by("pk").first()
    )  # fmt: skip


# --- What is scheduled -----------------------------------------------------------------------------------------------------


def seen(running: Subscription) -> str:
    """What a page must have shown, for what is agreed to there to mean what it said: how it stands, in which period."""
    return f"{running.state}:{running.number}"


def schedule_change(running: Subscription, plan_id: int, *, by: int, shown: str = "", now: datetime) -> Change:
    """From the period's end it is this plan, of a lower rank, and until then nothing changes. What was scheduled before is
    replaced. `shown`: what `seen` was when somebody agreed. The wallet is locked. Raises `PlanRefused`, `QuoteOver`."""
    _refuse_if_moved(running, shown)
    plan = refusals.plan(plan_id)
    _refuse_schedule(running, now)
    if plan.rank >= running.plan.rank or not plan.covers & _covered(running):
        raise NotForSale(f"{plan.name} is no smaller plan for the same models.")
    refusals.refuse_if_covered(running.wallet_id, plan.covers, but=running, now=now)
    return _schedule(running, plan, by, now)


def cancel(running: Subscription, *, by: int, shown: str = "", now: datetime) -> Change | None:
    """It ends with its period, and until then nothing changes. Past due, or while it is renewed, it ends at once and nothing
    is owed (A11): then nothing is scheduled, and a payment that arrives goes back. `shown` as above. The wallet is locked.
    Raises `PlanRefused`, `QuoteOver`."""
    _refuse_if_moved(running, shown)
    if running.state not in PAID_STATES or running.ends_at is None:
        raise PlanRefused("There is no plan to cancel.")
    if running.state == State.PAST_DUE or now >= running.ends_at or is_renewing(running):
        ending.canceled(running, now=now)
        return None
    return _schedule(running, None, by, now)


def withdraw(running: Subscription, *, by: int, change_id: int | None = None, now: datetime) -> None:
    """What was scheduled does not happen: possible until the instant at which it would. `change_id`: this, and nothing that
    was scheduled since. The wallet is locked. Raises `PlanRefused`, `QuoteOver`."""
    change = cover.pending(running)
    if change is None:
        raise PlanRefused("Nothing is scheduled.")
    if change_id is not None and change.pk != change_id:
        raise refusals.QuoteOver("Something else is scheduled by now. Look at it again.")
    if now >= change.effective_at:
        raise PlanRefused("The change has taken effect.")
    # A contract may have been accepted for the time after it.
    refusals.refuse_if_covered(running.wallet_id, _covered(running), but=running, now=now)
    _withdraw(change, by, now)
    cover.date_ahead(running, now=now)
    telling.withdrawn(running, change, now=now)


def _refuse_if_moved(running: Subscription, shown: str) -> None:
    if shown and shown != seen(running):
        raise refusals.QuoteOver("The plan has changed since this was shown. Look at it again.")


def _refuse_schedule(running: Subscription, now: datetime) -> None:
    if running.state == State.PAST_DUE:
        raise PlanRefused("The renewal of this plan is not paid. Pay it first, or cancel the plan.")
    if running.state not in (State.ACTIVE, State.SUSPENDED):
        raise PlanRefused("This plan has not begun.")
    _running_period(running, now)


def _schedule(running: Subscription, plan: Plan | None, by: int, now: datetime) -> Change:
    assert running.ends_at is not None, "what was paid has an end"
    earlier = cover.pending(running)
    if earlier is not None and earlier.plan_id == (plan.id if plan else None):
        return earlier
    if earlier is not None:
        _withdraw(earlier, by, now)
    change = Change.objects.create(
        wallet_id=running.wallet_id, subscription=running, plan_id=plan.id if plan else None, effective_at=running.ends_at,
        price_cents=refusals.price_cents(plan) if plan else None, made_by_id=by, made_at=now,
    )  # fmt: skip
    cover.date_ahead(running, now=now)
    telling.scheduled(running, change, now=now)
    return change


def _withdraw(change: Change, by: int | None, now: datetime) -> None:
    Change.objects.filter(pk=change.pk).update(withdrawn_by_id=by, withdrawn_at=now)


def _covered(running: Subscription) -> frozenset[int]:
    return frozenset(running.covered.filter(open=True).values_list("model_id", flat=True))
