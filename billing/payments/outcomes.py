"""What became of a payment, and the one function that makes it so.

The return page's check, the webhook and the poller all come here. Whoever is first does it; the others find it done.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import structlog
from django.db import transaction

from billing.ledger import grants, plan_fees, posting, receivables, wallets
from billing.ledger.chart import Code
from billing.ledger.models import GrantSource
from billing.money import from_cents
from billing.payments import declines, methods
from billing.payments.answers import Card, Checkout, Payment
from billing.payments.models import OPEN_STATES, Intent, Purpose, State

log = structlog.get_logger(__name__)

CURRENCY = "usd"
UNAPPLIED = "unapplied"
"""The failure code of a payment that arrived and does not fit: the money waits for staff (A54)."""

CREDIT = {
    Purpose.CREDITS: (GrantSource.PURCHASE, "Purchase"),
    Purpose.RECHARGE: (GrantSource.RECHARGE, "Auto-recharge"),
}
"""The purposes whose payments become credit, and what that credit is called."""
REST = "Rest of a settlement payment"


# --- What may be said of a payment -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Paid:
    """The money is there. `charged_at` is Stripe's moment of the charge: credit is valid for a year from it (A53)."""

    amount_cents: int
    currency: str
    provider_id: str
    charge_id: str
    charged_at: datetime
    card: Card | None = None


@dataclass(frozen=True, slots=True)
class Processing:
    """Paid, as far as the customer is concerned; the bank has not answered yet."""

    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The customer can pay at `url` until `deadline`. `declined` is the code of the last attempt, if one failed."""

    checkout_id: str
    url: str
    deadline: datetime
    provider_id: str | None = None
    declined: str = ""


@dataclass(frozen=True, slots=True)
class Declined:
    """Over, and nothing was charged."""

    code: str
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Canceled:
    """Over before anything was charged. `code`: canceled, expired, or that of the last refused attempt."""

    code: str = "canceled"
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody could say. It is asked again.

    `declined`: a card was refused, and it is not certain yet that its payment `provider_id` can never be paid.
    """

    provider_id: str | None = None
    declined: str = ""


Outcome = Paid | Processing | Waiting | Declined | Canceled | Unknown


def of_checkout(checkout: Checkout) -> Outcome:
    """What a Checkout session says, read together with its payment."""
    payment = checkout.payment
    if payment is not None and payment.status in ("succeeded", "processing"):
        return of_payment(payment)
    declined = payment.decline.code if payment and payment.decline else ""
    provider_id = payment.id if payment else None
    if checkout.status == "open":
        return Waiting(checkout.id, checkout.url, checkout.expires_at, provider_id, declined)
    if checkout.status == "expired":
        return Canceled(declined or "expired", provider_id)
    if payment is not None:
        return of_payment(payment)
    return Unknown()


def of_payment(payment: Payment) -> Outcome:
    """What a payment says that has no page of its own."""
    if payment.status == "succeeded" and payment.charge is not None:
        charge = payment.charge
        return Paid(payment.received_cents, payment.currency, payment.id, charge.id, charge.created, charge.card)
    if payment.status == "processing":
        return Processing(payment.id)
    if payment.status == "canceled":
        return Canceled(provider_id=payment.id)
    if payment.status == "requires_payment_method" and payment.decline is not None:
        return Declined(payment.decline.code, payment.id)
    return Unknown()


# --- Making it so ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settled:
    """Where the payment stands now. `changed` is False for whoever came second; `credited` is what was granted just now."""

    org_id: int
    intent_id: UUID
    state: State
    changed: bool
    credited: Decimal | None = None


@transaction.atomic
def settle(intent_id: UUID, outcome: Outcome, *, now: datetime) -> Settled | None:
    """Apply what became of a payment, once, in one transaction with what follows from it; None when it is not ours.

    Locks the wallet, then the intent. A payment that succeeds after it failed or was canceled is credited (A15); what
    does not fit in amount or currency goes to unapplied receipts and is logged for staff (A54).
    """
    org_id = Intent.objects.filter(pk=intent_id).values_list("wallet_id", flat=True).first()
    if org_id is None:
        return None
    wallets.lock([org_id])
    intent = Intent.objects.select_for_update().get(pk=intent_id)
    before = State(intent.state)
    credited = None
    if isinstance(outcome, Paid):
        credited = _receive(intent, outcome, now)
    elif before in OPEN_STATES:
        _move(intent, outcome)
        intent.checked_at = now
        intent.settled_at = None if intent.state in OPEN_STATES else now
        intent.save()
        if intent.failure_code == declines.CARD_GONE:
            methods.gone(intent.method_id, now=now)
    state = State(intent.state)
    if state != before:
        log.info("payment_moved", intent=str(intent_id), before=before.value, after=state.value)
    return Settled(org_id, intent_id, state, state != before or credited is not None, credited)


LADDER = tuple(State)


def _move(intent: Intent, outcome: Processing | Waiting | Declined | Canceled | Unknown) -> None:
    """An open payment one step further down the ladder; never back up."""
    match outcome:
        case Waiting():
            wanted, code = State.WAITING, outcome.declined
            intent.checkout_id, intent.checkout_url, intent.deadline = (
                outcome.checkout_id,
                outcome.url,
                outcome.deadline,
            )
        case Processing():
            wanted, code = State.PROCESSING, ""
        case Declined():
            wanted, code = State.FAILED, outcome.code
        case Canceled():
            wanted, code = State.CANCELED, outcome.code
        case Unknown():
            wanted, code = State.UNKNOWN, outcome.declined or intent.failure_code
    if LADDER.index(wanted) >= LADDER.index(State(intent.state)):
        intent.state = wanted
        intent.failure_code = code
        intent.failure_message = declines.reason(code) if code else ""
    intent.provider_id = intent.provider_id or outcome.provider_id


def _receive(intent: Intent, paid: Paid, now: datetime) -> Decimal | None:
    """Money arrived. Answers what was credited now; None when it was here before, has no place, or is for a plan
    or a contract."""
    if intent.state == State.SUCCEEDED:
        if intent.charge_id != paid.charge_id:
            _set_aside(intent, paid, f"pay:{intent.pk}:{paid.charge_id}", "paid_twice", now)
        return None
    purpose = Purpose(intent.purpose)
    fits = (paid.amount_cents, paid.currency) == (intent.amount_cents, CURRENCY)
    intent.state = State.SUCCEEDED
    intent.provider_id = intent.provider_id or paid.provider_id
    intent.charge_id, intent.charged_at = paid.charge_id, paid.charged_at
    intent.checked_at = intent.settled_at = now
    intent.failure_code = "" if fits else UNAPPLIED
    intent.failure_message = ""
    if paid.card is not None:
        intent.card_brand, intent.card_last4 = paid.card.brand, paid.card.last4
    intent.save()
    if not fits:
        _set_aside(intent, paid, f"pay:{intent.pk}", "does_not_fit", now)
        return None
    if paid.card is not None:
        methods.save(intent.wallet_id, paid.card, now=now)
    amount = from_cents(paid.amount_cents)
    if purpose == Purpose.CONTRACT:
        receivables.pay(intent.wallet_id, amount, payment_id=intent.pk, charged_at=paid.charged_at, now=now)
        return None
    if purpose == Purpose.SUBSCRIPTION:
        plan_fees.collect(intent.wallet_id, amount, payment_id=intent.pk, charged_at=paid.charged_at, now=now)
        return None
    if purpose == Purpose.SETTLEMENT:
        grants.pay_overdraft(
            intent.wallet_id, amount, payment_id=intent.pk, title=REST, charged_at=paid.charged_at, now=now
        )
        return amount
    source, title = CREDIT[purpose]
    grants.issue_paid(
        intent.wallet_id, amount, payment_id=intent.pk, source=source, title=title, charged_at=paid.charged_at, now=now
    )
    return amount


def _set_aside(intent: Intent, paid: Paid, key: str, why: str, now: datetime) -> None:
    """Posting row 38: money without a place. The ledger counts US dollars only: another currency is left to staff."""
    if posting.is_posted(key):
        return
    log.error(
        "payment_unapplied",
        why=why,
        intent=str(intent.pk),
        charge=paid.charge_id,
        expected_cents=intent.amount_cents,
        received_cents=paid.amount_cents,
        currency=paid.currency,
    )
    if paid.currency == CURRENCY and paid.amount_cents > 0:
        cause = posting.Cause("intent", str(intent.pk))
        entry = posting.Entry(
            intent.wallet_id, Code.STRIPE, Code.UNAPPLIED, from_cents(paid.amount_cents), UNAPPLIED, key, cause,
            paid.charged_at,
        )  # fmt: skip
        posting.post([entry], now=now)
