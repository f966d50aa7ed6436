"""The end of a period: what was scheduled happens, and the next one is charged, tried again over the days of grace, or the
plan ends (A11, A12). Run twice, late or by two at once it does the same: the subscription says what is due, under its lock.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db.models import F

from billing.payments import card_charges, declines
from billing.payments.card_charges import CannotCharge, CardOrder, ChargeUnderWay
from billing.payments.models import OPEN_STATES as OPEN_PAYMENTS
from billing.payments.models import Intent, Purpose
from billing.subscriptions import beginning, calendar, cover, ending, prices, refusals, rises, telling, upgrading
from billing.subscriptions.models import Change, Charge, Ended, Kind, PaidPeriod, State, Subscription
from billing.subscriptions.prices import Agreed
from billing.subscriptions.refusals import PlanRefused

log = structlog.get_logger(__name__)

AT_ONCE = 500
PUT_OFF = timedelta(minutes=1)
"""How long a renewal waits that another charge stands in the way of."""
LOOK_AGAIN = timedelta(minutes=20)
"""While its outcome is unknown the plan does not end: so often its cover is dated on."""


@dataclass(frozen=True, slots=True)
class Due:
    """A subscription that the clock is to look at."""

    id: int
    org_id: int


def due(*, now: datetime) -> Iterator[Due]:
    found = Subscription.objects.filter(next_at__lte=now).order_by("next_at", "pk")
    for id_, org_id in found.values_list("pk", "wallet_id")[:AT_ONCE]:
        yield Due(id_, org_id)


def begin(subscription_id: int, *, now: datetime) -> UUID | None:
    """Do what is due with it; answers the payment that is to be made outside, or None. The wallet is locked."""
    running = Subscription.objects.select_for_update(of=("self",)).get(pk=subscription_id)
    if running.next_at is None or running.next_at > now:
        return None
    match running.state:
        case State.INCOMPLETE:
            ending.end(running, Ended.NOT_PAID, tell=False, now=now)
        case State.SUSPENDED:
            # No card is charged while a payment is disputed: a period that is over then is the last one.
            ending.end(running, Ended.DISPUTED, now=now)
        case State.ACTIVE | State.PAST_DUE:
            return _renew(running, now)
    return None


def _renew(running: Subscription, now: datetime) -> UUID | None:
    if open_charge(running) is not None:
        _look_again(running, now + LOOK_AGAIN, now)
        return None
    if running.state == State.ACTIVE and not _apply_change(running, now):
        return None
    if refusals.all_retired(refusals.plan(running.plan_id).covers, now):
        ending.end(running, Ended.RETIRED, now=now)
        return None
    price = _price(running)
    key = f"renew:{running.pk}:{running.number + 1}:{running.tries + 1}"
    try:
        if running.method_id is None:
            raise card_charges.NoCard
        order = CardOrder(running.wallet_id, Purpose.SUBSCRIPTION, price, key, running.method_id)
        intent = card_charges.commit(order, now=now)
    except ChargeUnderWay:
        _look_again(running, now + PUT_OFF, now)
        return None
    except CannotCharge as cannot:
        running.tries += 1
        _failed(running, str(cannot), price, None, now)
        return None
    running.tries, running.next_at = running.tries + 1, now + LOOK_AGAIN
    running.save()
    _charge(running, intent, price, None, now)
    cover.date_ahead(running, now=now)
    return intent.pk


def next_cents(running: Subscription, plan_id: int) -> int:
    """Cents of the next period, if it is of this plan. Nobody who has a plan pays more for it than he agreed to: a higher
    price reaches him only with notice (A32), a lower one at once. What is scheduled costs at most what was shown."""
    assert running.ends_at is not None, "what is renewed was paid"
    offered = refusals.price_cents(refusals.plan(plan_id))
    last = running.periods.filter(number=running.number).order_by("-part").values_list("plan_id", flat=True).first()
    if last == plan_id:
        return prices.renewal(offered, rises.of(running), starts_at=running.ends_at)
    chosen = running.changes.filter(plan=plan_id, withdrawn_at=None).order_by("-pk").first()
    return prices.renewal(offered, chosen_at(chosen, offered), starts_at=running.ends_at) if chosen else offered


def chosen_at(change: Change, offered_cents: int) -> Agreed:
    """What a plan that is scheduled was shown to cost."""
    return Agreed(offered_cents if change.price_cents is None else change.price_cents, change.effective_at)


def _price(running: Subscription) -> int:
    return next_cents(running, running.plan_id)


def _apply_change(running: Subscription, now: datetime) -> bool:
    """What was scheduled for the period's end happens at it, whenever the clock comes by. False: that was the end."""
    change = cover.pending(running)
    if change is None:
        return True
    change.applied_at = now
    change.save(update_fields=["applied_at"])
    if change.plan_id is None:
        ending.end(running, Ended.CANCELED, at=running.ends_at, now=now)
        return False
    running.plan_id = change.plan_id
    running.save(update_fields=["plan"])
    upgrading.covers(running)
    running.refresh_from_db()
    return True


def _charge(running: Subscription, intent: Intent, price: int, by: int | None, now: datetime) -> Charge:
    return Charge.objects.create(
        wallet_id=running.wallet_id, subscription=running, kind=Kind.RENEWAL, number=running.number + 1,
        plan_id=running.plan_id, price_cents=price, amount_cents=price, intent=intent, made_by_id=by, made_at=now,
    )  # fmt: skip


def open_charge(running: Subscription) -> Charge | None:
    """The renewal that is being charged, or whose outcome nobody knows, or that its customer pays in the browser."""
    return Charge.objects.filter(
        subscription=running, number=F("subscription__number") + 1, intent__state__in=OPEN_PAYMENTS
    ).first()


def _look_again(running: Subscription, at: datetime, now: datetime) -> None:
    running.next_at = at
    running.save(update_fields=["next_at"])
    cover.date_ahead(running, waiting=_is_waited_for(running), now=now)


def _is_waited_for(running: Subscription) -> bool:
    """A card is charged for it, or will be in a moment. A page on which nobody has paid is not waited for."""
    charge = open_charge(running)
    return running.state == State.ACTIVE or (charge is not None and charge.intent is not None and (
        charge.intent.method_id is not None or charge.intent.state == "processing"
    ))  # fmt: skip


# --- What became of it ---------------------------------------------------------------------------------------------------


def paid(charge: Charge, *, now: datetime) -> bool:
    """The next period is paid: it begins where the last one ended, however late (A11). False: it was paid before, or the
    plan has ended, and the money goes back."""
    running = charge.subscription
    if running.state not in (State.ACTIVE, State.PAST_DUE, State.SUSPENDED) or charge.number != running.number + 1:
        return False
    assert running.anchor is not None, "what was paid has an anchor"
    period = calendar.period(running.anchor, charge.number)
    running.state = State.SUSPENDED if running.state == State.SUSPENDED else State.ACTIVE
    running.number, running.starts_at, running.ends_at = period.number, period.start, period.end
    running.price_cents, running.renewals = charge.price_cents, running.renewals + 1
    running.tries, running.grace_from, running.next_at = 0, None, period.end
    running.method = beginning.card_of(charge) or running.method
    running.save()
    PaidPeriod.objects.create(
        wallet_id=running.wallet_id, subscription=running, number=period.number, plan_id=charge.plan_id,
        price_cents=charge.price_cents, charged_cents=charge.amount_cents, starts_at=period.start, ends_at=period.end,
        paid_at=now, charge=charge,
    )  # fmt: skip
    cover.date_ahead(running, now=now)
    telling.renewed(running, charge, now=now)
    return True


def not_paid(charge: Charge, *, now: datetime) -> None:
    """This try is over, and nothing was charged: past due, with the next try, or the end."""
    running, intent = charge.subscription, charge.intent
    newest = Charge.objects.filter(subscription=running, kind=Kind.RENEWAL).latest("pk")
    if charge.pk != newest.pk or charge.number != running.number + 1 or intent is None:
        return
    if running.state not in (State.ACTIVE, State.PAST_DUE):
        return
    if intent.method_id is None and running.grace_from is not None:
        # A page that nobody paid on was no try: the next one is when it was going to be.
        running.next_at = calendar.next_try(running.grace_from, _last_try(running)) or now
        running.save(update_fields=["next_at"])
        cover.date_ahead(running, waiting=False, now=now)
        return
    _failed(running, declines.reason(intent.failure_code), charge.amount_cents, charge, now)


def _last_try(running: Subscription) -> datetime:
    """When a card was last asked for this renewal."""
    tried = running.charges.filter(kind=Kind.RENEWAL, number=running.number + 1, intent__method__isnull=False)
    last = tried.order_by("-pk").values_list("made_at", flat=True).first()
    assert running.grace_from is not None, "a renewal that failed is in grace"
    return max(last, running.grace_from) if last else running.grace_from


def _failed(running: Subscription, reason: str, cents: int, charge: Charge | None, now: datetime) -> None:
    assert running.ends_at is not None, "what is renewed was paid"
    running.grace_from = running.grace_from or calendar.grace_begins(running.ends_at, now)
    retry_at = calendar.next_try(running.grace_from, now)
    if retry_at is None:
        ending.end(running, Ended.UNPAID, now=now)
        return
    running.state, running.next_at = State.PAST_DUE, retry_at
    running.save()
    cover.date_ahead(running, waiting=False, now=now)
    telling.failed(running, reason, cents, retry_at, now=now)


# --- In the browser --------------------------------------------------------------------------------------------------------


def finish(running: Subscription, *, by: int, now: datetime) -> Charge:
    """A customer pays a renewal in the browser that the bank refused: written down, to be paid on Stripe's page. Asked again
    while that is open it is the same. The wallet is locked. Raises `PlanRefused`."""
    if running.state != State.PAST_DUE:
        raise PlanRefused("There is nothing to pay: the plan is not past due.")
    if earlier := open_charge(running):
        return earlier
    price, number = _price(running), running.charges.count() + 1
    intent = beginning.payment(
        running.wallet_id, price, key=f"renew:{running.pk}:{running.number + 1}:page:{number}", by=by, method_id=None,
        now=now,
    )  # fmt: skip
    return _charge(running, intent, price, by, now)
