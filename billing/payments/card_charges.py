"""Charging a saved card without its customer: what is meant to be charged is committed first, then Stripe is called.

Each call carries the key `{intent}:{attempt}`: asking again after an unknown outcome answers what happened the first time.
Stripe keeps keys for 24 hours; after 23 we look for the payment instead. A card's refusal leaves a PaymentIntent at Stripe
that could still be paid: it is cancelled there, and only when Stripe says that it is, the payment has failed (A15).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction

from billing.payments import declines, disputes, gateway, outcomes
from billing.payments.answers import Payment
from billing.payments.models import OPEN_STATES, Customer, Intent, PaymentMethod, Purpose

log = structlog.get_logger(__name__)

SAME_KEY_FOR = timedelta(hours=23)
TITLES = {
    Purpose.RECHARGE: "auto-recharge",
    Purpose.SETTLEMENT: "period end",
    Purpose.CONTRACT: "reserved capacity",
    Purpose.SUBSCRIPTION: "plan",
}


class CannotCharge(ValueError):
    """No card of this organization is charged without its customer now. The message is for the customer."""


class ChargeUnderWay(CannotCharge):
    """Another one is open: one at a time, and its outcome first."""

    def __init__(self) -> None:
        super().__init__("Another charge is under way.")


class NoCard(CannotCharge):
    """The card was removed, has expired, or there is none."""

    def __init__(self) -> None:
        super().__init__("There is no saved card that can be charged.")


class Disputed(CannotCharge):
    """A payment of the organization is disputed (A2)."""

    def __init__(self) -> None:
        super().__init__("A payment is disputed: until that is decided no card is charged.")


@dataclass(frozen=True, slots=True)
class CardOrder:
    """What is to be charged to which saved card. `key` is the natural one of the cause: the same key charges once."""

    org_id: int
    purpose: Purpose
    amount_cents: int
    key: str
    method_id: int


def commit(order: CardOrder, *, now: datetime) -> Intent:
    """Write down what is going to be charged, in the caller's transaction under the wallet's lock; the same key answers the
    same payment. Raises `ChargeUnderWay`, `NoCard` and `Disputed`.
    """
    earlier = Intent.objects.filter(key=order.key).first()
    if earlier is not None:
        if (earlier.wallet_id, earlier.amount_cents) != (order.org_id, order.amount_cents):
            raise ValueError(f"{order.key} was charged with another amount")
        return earlier
    if order.purpose not in TITLES:
        raise ValueError(f"{order.purpose} is paid by its customer")
    if under_way(order.org_id):
        raise ChargeUnderWay
    method = PaymentMethod.objects.filter(wallet_id=order.org_id, pk=order.method_id).first()
    if method is None or not is_usable(method, now=now) or not Customer.objects.filter(wallet_id=order.org_id).exists():
        raise NoCard
    if disputes.open_for(order.org_id):
        raise Disputed
    return Intent.objects.create(
        wallet_id=order.org_id,
        purpose=order.purpose,
        amount_cents=order.amount_cents,
        key=order.key,
        method=method,
        created_at=now,
        card_brand=method.brand,
        card_last4=method.last4,
    )


def under_way(org_id: int) -> bool:
    """A card of this organization is being charged without its customer, or nobody knows whether it was."""
    return Intent.objects.filter(wallet_id=org_id, method__isnull=False, state__in=OPEN_STATES).exists()


def is_usable(method: PaymentMethod, *, now: datetime) -> bool:
    """Still saved, and not past the last day of its last month, in UTC."""
    today = now.astimezone(UTC)
    return method.detached_at is None and (method.exp_year, method.exp_month) >= (today.year, today.month)


# --- At Stripe -----------------------------------------------------------------------------------------------------------


def charge(intent_id: UUID, *, now: datetime) -> outcomes.Outcome:
    """Charge the card, or ask what became of it: by the same key, so that it is only ever charged once.

    Outside any transaction. Never raises for Stripe's troubles: they are the outcome Unknown. `Declined` is said of a
    payment that is cancelled at Stripe, or of which Stripe has none.
    """
    intent, asked_before = _note_call(intent_id, now)
    if intent.provider_id:
        return _read(intent, intent.provider_id)
    if intent.state not in OPEN_STATES or (asked_before and now - (intent.called_at or now) > SAME_KEY_FOR):
        return _find(intent, over=True)
    try:
        return _conclude(intent, _ask(intent))
    except gateway.Declined as declined:
        log.info("card_declined", intent=str(intent_id), code=declined.code)
        if declined.payment_id:
            return _withdraw(declined.payment_id, declined.code)
        return _find(intent, over=True, code=declined.code)
    except gateway.Unknown as error:
        log.warning("card_charge_unknown", intent=str(intent_id), error=str(error))
        return _find(intent, over=error.replayed) if asked_before else outcomes.Unknown()
    except gateway.Refused as error:
        log.error("card_charge_refused", intent=str(intent_id), code=error.code, error=error.message)
        code = declines.CARD_GONE if error.param == "payment_method" else declines.NOT_CHARGED
        # A first call that is refused had no effect. Of a repeated one only a look tells: the first may have had one.
        return _find(intent, over=True, code=code) if asked_before else outcomes.Declined(code)


def _note_call(intent_id: UUID, now: datetime) -> tuple[Intent, bool]:
    """Commit that Stripe is about to be asked; answers whether it was asked before."""
    with transaction.atomic():
        intent = Intent.objects.select_for_update(of=("self",)).select_related("method").get(pk=intent_id)
        asked_before = intent.called_at is not None
        if not asked_before:
            intent.called_at = now
            intent.save(update_fields=["called_at"])
    return intent, asked_before


def _ask(intent: Intent) -> Payment:
    if intent.method is None:
        raise ValueError(f"payment {intent.pk} names no card")
    new = gateway.NewCardCharge(
        intent_id=intent.pk,
        customer_id=_customer(intent),
        method_id=intent.method.stripe_id,
        amount_cents=intent.amount_cents,
        title=f"{settings.BRAND['name']} {TITLES[Purpose(intent.purpose)]}",
    )
    return gateway.charge_card(new, key=f"{intent.pk}:{intent.attempt}")


def _customer(intent: Intent) -> str:
    return Customer.objects.values_list("stripe_id", flat=True).get(wallet_id=intent.wallet_id)


def _read(intent: Intent, payment_id: str) -> outcomes.Outcome:
    try:
        return _conclude(intent, gateway.read_payment(payment_id))
    except (gateway.Unknown, gateway.Refused, gateway.Declined) as error:
        log.warning("payment_not_read", intent=str(intent.pk), error=str(error))
        return outcomes.Unknown()


def _find(intent: Intent, *, over: bool, code: str = declines.NOT_CHARGED) -> outcomes.Outcome:
    """What Stripe has for this payment; or nothing, which is final only when it is `over`."""
    try:
        found = gateway.find_payment(_customer(intent), intent.pk, since=intent.created_at - timedelta(hours=1))
    except (gateway.Unknown, gateway.Refused, gateway.Declined) as error:
        log.warning("payment_not_looked_up", intent=str(intent.pk), error=str(error))
        return outcomes.Unknown()
    if found:
        return _conclude(intent, found)
    return outcomes.Declined(code) if over else outcomes.Unknown()


def _conclude(intent: Intent, payment: Payment) -> outcomes.Outcome:
    """What a PaymentIntent says. One that is neither paid nor cancelled waits for a customer who is not there."""
    if payment.status in ("succeeded", "processing"):
        return outcomes.of_payment(payment)
    code = payment.decline.code if payment.decline else intent.failure_code
    if payment.status == "requires_action":
        code = code or "authentication_required"
    if payment.status == "canceled":
        return outcomes.Declined(code, payment.id) if code else outcomes.Canceled(provider_id=payment.id)
    return _withdraw(payment.id, code or declines.NOT_CHARGED)


def _withdraw(payment_id: str, code: str) -> outcomes.Outcome:
    """Cancel it at Stripe, and believe only Stripe's word that it is. Was it paid a moment before, then it is paid."""
    try:
        try:
            payment = gateway.cancel_payment(payment_id)
        except gateway.Refused:
            payment = gateway.read_payment(payment_id)
    except (gateway.Unknown, gateway.Refused, gateway.Declined) as error:
        log.warning("payment_not_cancelled", payment=payment_id, error=str(error))
        return outcomes.Unknown(payment_id, code)
    if payment.status in ("succeeded", "processing"):
        return outcomes.of_payment(payment)
    if payment.status == "canceled":
        return outcomes.Declined(code, payment_id)
    return outcomes.Unknown(payment_id, code)
