"""A plan begins: agreed to by a quote, paid at once, covered from the moment the payment settles, never before (A51)."""

from datetime import datetime, timedelta
from uuid import UUID

from billing.payments import card_charges
from billing.payments.card_charges import CannotCharge, CardOrder
from billing.payments.collecting import CHECKOUT_OPEN_FOR
from billing.payments.methods import of as cards_of
from billing.payments.models import Intent, PaymentMethod, Purpose
from billing.subscriptions import arrears, calendar, choosing, cover, ending, refusals, telling
from billing.subscriptions.models import Charge, CoveredModel, Ended, Kind, PaidPeriod, Quote, State, Subscription
from billing.subscriptions.refusals import PlanRefused, QuoteOver

VOID_AFTER = timedelta(hours=23)
"""A first payment that is still open then is not waited for (A51): what arrives later goes back."""


def begin(org_id: int, quote_id: UUID, *, by: int, method_id: int | None, now: datetime) -> Charge:
    """Agree to a quote of a first plan: written down with its payment, which charges this saved card, or (None) is made on
    Stripe's page. The wallet is locked. The same quote again answers the charge of the first time.

    Raises `PlanRefused`, `QuoteOver`.
    """
    quote = quote_of(org_id, quote_id)
    if earlier := Charge.objects.filter(quote=quote).first():
        return earlier
    if quote.kind != Kind.FIRST:
        raise QuoteOver
    choosing.redrawn(quote, now=now)
    begun = Subscription.objects.create(
        wallet_id=org_id, plan_id=quote.plan_id, asked_by_id=by, created_at=now, method_id=method_id,
        next_at=now + VOID_AFTER,
    )  # fmt: skip
    for model_id in sorted(refusals.plan(quote.plan_id).covers):
        CoveredModel.objects.create(wallet_id=org_id, subscription=begun, model_id=model_id)
    return charge_quote(quote, begun, number=1, by=by, method_id=method_id, now=now)


def charge_quote(
    quote: Quote, subscription: Subscription, *, number: int, by: int, method_id: int | None, now: datetime
) -> Charge:
    """What was quoted, to the cent. Raises `PlanRefused` where the card cannot be charged."""
    intent = payment(
        quote.wallet_id, quote.amount_cents, key=f"plan:{quote.pk}", by=by, method_id=method_id, now=now
    ) if quote.amount_cents else None  # fmt: skip
    return Charge.objects.create(
        wallet_id=quote.wallet_id, subscription=subscription, kind=quote.kind, number=number, plan_id=quote.plan_id,
        price_cents=quote.price_cents, amount_cents=quote.amount_cents, arrears_cents=quote.arrears_cents, intent=intent,
        quote=quote, made_by_id=by, made_at=now,
    )  # fmt: skip


def payment(org_id: int, cents: int, *, key: str, by: int | None, method_id: int | None, now: datetime) -> Intent:
    """The payment for a plan that its customer asked for: of this saved card, or (None) on Stripe's page."""
    if method_id is None:
        return Intent.objects.create(
            wallet_id=org_id, purpose=Purpose.SUBSCRIPTION, amount_cents=cents, key=key, created_by_id=by, created_at=now,
            deadline=now + CHECKOUT_OPEN_FOR,
        )  # fmt: skip
    try:
        return card_charges.commit(CardOrder(org_id, Purpose.SUBSCRIPTION, cents, key, method_id), now=now)
    except CannotCharge as cannot:
        raise PlanRefused(str(cannot)) from cannot


def paid(charge: Charge, *, now: datetime) -> bool:
    """The first payment has settled: the plan begins now. False where it cannot, and the money goes back."""
    begun = charge.subscription
    if begun.state != State.INCOMPLETE:
        return False
    models = list(begun.covered.filter(open=True).values_list("model_id", flat=True))
    if refusals.is_covered_otherwise(begun.wallet_id, models, now=now):
        ending.end(begun, Ended.TAKEN, now=now)
        return False
    first = calendar.period(now, 1)
    begun.state, begun.anchor, begun.number = State.ACTIVE, now, 1
    begun.starts_at, begun.ends_at, begun.price_cents = first.start, first.end, charge.price_cents
    begun.next_at, begun.method = first.end, card_of(charge) or begun.method
    begun.save()
    PaidPeriod.objects.create(
        wallet_id=begun.wallet_id, subscription=begun, number=1, plan_id=charge.plan_id, price_cents=charge.price_cents,
        charged_cents=charge.amount_cents - charge.arrears_cents, starts_at=first.start, ends_at=first.end, paid_at=now,
        charge=charge,
    )  # fmt: skip
    arrears.pay(charge, now=now)
    cover.date_ahead(begun, now=now)
    telling.started(begun, charge, now=now)
    return True


def not_paid(charge: Charge, *, now: datetime) -> None:
    """The first payment is over and was not made: nothing began."""
    if charge.subscription.state == State.INCOMPLETE:
        ending.end(charge.subscription, Ended.NOT_PAID, tell=False, now=now)


def card_of(charge: Charge) -> PaymentMethod | None:
    """The saved card that this was paid with: renewals charge it."""
    intent = charge.intent
    if intent is None or intent.method_id is not None:
        return intent.method if intent else None
    kept = cards_of(charge.wallet_id).filter(brand=intent.card_brand, last4=intent.card_last4)
    return kept.order_by("-created_at", "-pk").first()


def quote_of(org_id: int, quote_id: UUID) -> Quote:
    """Raises `QuoteOver` where this organization was shown no such thing."""
    quote = Quote.objects.select_related("plan").filter(pk=quote_id, wallet_id=org_id).first()
    if quote is None:
        raise QuoteOver("There is no such offer. Choose the plan again.")
    return quote
