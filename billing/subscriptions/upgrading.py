"""An upgrade: at once, for the difference that was quoted, when its payment settles. A failure leaves all as it was."""

from datetime import datetime
from uuid import UUID

from billing.subscriptions import beginning, choosing, cover, refusals, telling
from billing.subscriptions.models import Change, Charge, CoveredModel, Kind, PaidPeriod, State, Subscription
from billing.subscriptions.refusals import QuoteOver


def begin(org_id: int, quote_id: UUID, *, by: int, method_id: int | None, now: datetime) -> Charge:
    """Agree to a quote of an upgrade; one that is free takes effect here. The wallet is locked. The same quote again answers
    the charge of the first time. Raises `PlanRefused`, `QuoteOver`."""
    quote = beginning.quote_of(org_id, quote_id)
    if earlier := Charge.objects.filter(quote=quote).first():
        return earlier
    if quote.kind != Kind.UPGRADE or quote.subscription is None:
        raise QuoteOver
    choosing.redrawn(quote, now=now)
    running = quote.subscription
    charge = beginning.charge_quote(quote, running, number=running.number, by=by, method_id=method_id, now=now)
    if charge.intent is None:
        _apply(charge, now)
    return charge


def paid(charge: Charge, *, now: datetime) -> bool:
    """The difference has settled: the greater plan holds from now on. False where it came too late, and goes back."""
    running = charge.subscription
    same = (
        running.state == State.ACTIVE and running.number == charge.number and running.price_cents < charge.price_cents
    )
    if not same or running.ends_at is None or now >= running.ends_at or choosing.is_renewing(running):
        return False
    plan = refusals.plan(charge.plan_id)
    try:
        refusals.refuse_if_covered(running.wallet_id, plan.covers, but=running, now=now)
    except refusals.PlanRefused:
        return False
    _apply(charge, now)
    return True


def _apply(charge: Charge, now: datetime) -> None:
    running = charge.subscription
    assert running.ends_at is not None, "only what is paid is upgraded"
    Change.objects.filter(subscription=running, withdrawn_at=None, applied_at=None).update(
        withdrawn_at=now, withdrawn_by_id=charge.made_by_id
    )
    running.plan_id, running.price_cents = charge.plan_id, charge.price_cents
    running.save(update_fields=["plan", "price_cents"])
    PaidPeriod.objects.create(
        wallet_id=running.wallet_id, subscription=running, number=running.number, part=_next_part(running),
        plan_id=charge.plan_id, price_cents=charge.price_cents, charged_cents=charge.amount_cents, starts_at=now,
        ends_at=running.ends_at, paid_at=now, charge=charge,
    )  # fmt: skip
    covers(running)
    cover.date_ahead(running, now=now)
    running.refresh_from_db()
    telling.upgraded(running, charge, now=now)


def covers(running: Subscription) -> None:
    """It covers the models of its plan, and no others. What another plan covers meanwhile stays that one's."""
    wanted = refusals.plan(running.plan_id).covers
    CoveredModel.objects.filter(subscription=running, open=True).exclude(model__in=wanted).update(open=False)
    taken = CoveredModel.objects.filter(wallet_id=running.wallet_id, open=True, model__in=wanted)
    for model_id in sorted(wanted - set(taken.values_list("model_id", flat=True))):
        CoveredModel.objects.update_or_create(
            subscription=running, model_id=model_id, defaults={"wallet_id": running.wallet_id, "open": True}
        )


def _next_part(running: Subscription) -> int:
    return PaidPeriod.objects.filter(subscription=running, number=running.number).count()
