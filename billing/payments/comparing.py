"""Stripe's objects beside what we have of them, a page at a time. Only reads; `reconciling` decides what follows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from billing.money import ZERO
from billing.payments import booked
from billing.payments import refunds as our_refunds
from billing.payments.answers import Charge, Dispute, Refund
from billing.payments.models import Customer, Intent, RefundState, State
from billing.payments.models import Dispute as OurDispute
from billing.payments.models import Refund as OurRefund
from billing.payments.outcomes import CURRENCY
from billing.payments.reconciliations import Kind


@dataclass(frozen=True, slots=True)
class Difference:
    kind: Kind
    words: str
    here_cents: int | None = None
    there_cents: int | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """One object of Stripe's beside ours. Cents are gross; `safe`: it can be settled without asking anybody."""

    ours: bool
    org_id: int | None = None
    intent_id: UUID | None = None
    there_cents: int = 0
    here_cents: Decimal = ZERO
    differences: tuple[Difference, ...] = ()
    safe: bool = True


NOT_OURS = Judged(ours=False)


# --- Charges ---------------------------------------------------------------------------------------------------------


def charges(told: Sequence[Charge]) -> dict[str, Judged]:
    by_charge = booked.intents_of(charge.id for charge in told)
    by_id = Intent.objects.in_bulk([charge.intent_id for charge in told if charge.intent_id])
    ours = {
        charge.id: (by_id.get(charge.intent_id) if charge.intent_id else None) or by_charge.get(charge.id)
        for charge in told
    }
    keys = {id_: booked.key_of_charge(intent, id_) for id_, intent in ours.items() if intent is not None}
    posted = booked.of_keys(keys.values())
    owners = dict(
        Customer.objects.filter(stripe_id__in=[charge.customer_id for charge in told]).values_list(
            "stripe_id", "wallet_id"
        )
    )
    return {
        charge.id: _charge(
            charge,
            ours[charge.id],
            posted.get(keys.get(charge.id, ""), ZERO),
            owners.get(charge.customer_id),
        )
        for charge in told
    }


def _charge(charge: Charge, intent: Intent | None, posted: Decimal, owner: int | None) -> Judged:
    there = charge.amount_cents if charge.paid else 0
    if intent is None:
        if charge.intent_id is None or not there:
            return NOT_OURS
        words = f"Its metadata names the payment {charge.intent_id}, which is not in this portal's books."
        return Judged(True, None, None, there, ZERO, (Difference(Kind.UNKNOWN_HERE, words, None, there),), safe=False)
    differences = []
    strange = owner is not None and owner != intent.wallet_id
    if strange:
        words = f"Stripe charged the customer of organization {owner} for a payment of organization {intent.wallet_id}."
        differences.append(Difference(Kind.ORGANIZATION, words, intent.amount_cents, there))
    if there and charge.currency != CURRENCY:
        words = f"It was charged in {charge.currency.upper()}; the books are in {CURRENCY.upper()}."
        differences.append(Difference(Kind.CURRENCY, words, intent.amount_cents, there))
        there = 0
    elif there and charge.amount_cents != intent.amount_cents:
        words = "It is not the amount that the payment was to collect: the money waits in unapplied receipts."
        differences.append(Difference(Kind.AMOUNT, words, intent.amount_cents, there))
    if charge.paid and intent.state != State.SUCCEEDED:
        words = f"Paid at Stripe; the payment is {intent.get_state_display().lower()!r} here."
        differences.append(Difference(Kind.STATE, words, int(posted), there))
    elif not charge.paid and intent.charge_id == charge.id:
        differences.append(Difference(Kind.STATE, "Paid here, and not at Stripe.", int(posted), 0))
    elif posted != there:
        differences.append(_ledger(posted, there))
    return Judged(
        True, intent.wallet_id, intent.pk, there, posted, tuple(differences), safe=charge.paid and not strange
    )


def _ledger(posted: Decimal, there: int) -> Difference:
    return Difference(Kind.LEDGER, "Account 1000 does not hold what Stripe moved.", int(posted), there)


# --- Refunds ---------------------------------------------------------------------------------------------------------


def refunds(told: Sequence[Refund]) -> dict[str, Judged]:
    by_name = {
        str(row.provider_id): row
        for row in OurRefund.objects.filter(provider_id__in=[refund.id for refund in told]).select_related("intent")
    }
    # By its mark only while ours waits for its name: a mark can be copied in the dashboard.
    nameless = OurRefund.objects.filter(provider_id=None).select_related("intent")
    by_id = nameless.in_bulk([r.refund_id for r in told if r.refund_id])
    rows = {r.id: by_name.get(r.id) or (by_id.get(r.refund_id) if r.refund_id else None) for r in told}
    intents = booked.intents_of(refund.charge_id for refund in told)
    posted = booked.of_keys(key for row in rows.values() if row for key in booked.keys_of_refund(row.pk))
    judged = {}
    for refund in told:
        row = rows[refund.id]
        cents = sum((posted.get(key, ZERO) for key in booked.keys_of_refund(row.pk)), ZERO) if row else ZERO
        judged[refund.id] = _refund(refund, row, intents.get(refund.charge_id), cents)
    return judged


def _refund(refund: Refund, row: OurRefund | None, intent: Intent | None, posted: Decimal) -> Judged:
    wanted = our_refunds.STATES.get(refund.status, RefundState.UNKNOWN)
    there = -refund.amount_cents if wanted == RefundState.SUCCEEDED else 0
    if row is None:
        if intent is None and refund.refund_id is None:
            return NOT_OURS
        words = "A refund of our payment, and not in the books." if intent else "Marked as ours, and not in the books."
        kind = Kind.UNKNOWN_HERE if refund.currency == CURRENCY else Kind.CURRENCY
        difference = Difference(kind, words, None, -refund.amount_cents)
        org_id, intent_id = (intent.wallet_id, intent.pk) if intent else (None, None)
        return Judged(True, org_id, intent_id, there, ZERO, (difference,), safe=intent is not None)
    differences = []
    if intent is not None and intent.pk != row.intent_id:
        words = f"At Stripe it refunds the payment {intent.pk}."
        differences.append(Difference(Kind.PAYMENT, words, row.amount_cents, refund.amount_cents))
    if refund.currency != CURRENCY:
        words = f"It was refunded in {refund.currency.upper()}; the books are in {CURRENCY.upper()}."
        differences.append(Difference(Kind.CURRENCY, words, row.amount_cents, refund.amount_cents))
        there = 0
    elif refund.amount_cents != row.amount_cents:
        words = "It is not the amount that was asked for."
        differences.append(Difference(Kind.AMOUNT, words, row.amount_cents, refund.amount_cents))
    if row.state != wanted:
        words = f"{refund.status} at Stripe; {row.get_state_display().lower()!r} here."
        differences.append(Difference(Kind.STATE, words, int(posted), there))
    elif posted != there:
        differences.append(_ledger(posted, there))
    safe = not any(difference.kind == Kind.PAYMENT for difference in differences)
    return Judged(True, row.wallet_id, row.intent_id, there, posted, tuple(differences), safe)


# --- Disputes --------------------------------------------------------------------------------------------------------


def disputes(told: Sequence[Dispute]) -> dict[str, Judged]:
    ids = [dispute.id for dispute in told]
    rows = {
        row.provider_id: row
        for row in OurDispute.objects.filter(provider_id__in=ids).prefetch_related("movements").select_related("intent")
    }
    intents = booked.intents_of(dispute.charge_id for dispute in told)
    posted = booked.of_disputes(ids)
    return {
        dispute.id: _dispute(
            dispute, rows.get(dispute.id), intents.get(dispute.charge_id), posted.get(dispute.id, ZERO)
        )
        for dispute in told
    }


def _dispute(dispute: Dispute, row: OurDispute | None, intent: Intent | None, posted: Decimal) -> Judged:
    there = sum(moved.amount_cents for moved in dispute.movements)
    if row is None:
        if intent is None:
            return NOT_OURS
        kind = Kind.UNKNOWN_HERE if dispute.currency == CURRENCY else Kind.CURRENCY
        difference = Difference(kind, "A dispute of our payment, and not in the books.", None, there)
        return Judged(True, intent.wallet_id, intent.pk, there, ZERO, (difference,))
    differences = []
    if intent is not None and intent.pk != row.intent_id:
        words = f"At Stripe it is about the payment {intent.pk}."
        differences.append(Difference(Kind.PAYMENT, words, row.amount_cents, dispute.amount_cents))
    if any(currency != CURRENCY for currency in _currencies(dispute)):
        words = f"It is not in {CURRENCY.upper()}, as the books are."
        differences.append(Difference(Kind.CURRENCY, words, row.amount_cents, dispute.amount_cents))
        there = 0
    elif dispute.amount_cents != row.amount_cents:
        words = "It is not the amount that is disputed at Stripe."
        differences.append(Difference(Kind.AMOUNT, words, row.amount_cents, dispute.amount_cents))
    if row.status != dispute.status:
        words = f"{dispute.status} at Stripe; {row.status} here."
        differences.append(Difference(Kind.STATE, words, int(posted), there))
    ours = {moved.pk: moved.amount_cents for moved in row.movements.all()}
    if ours != {moved.id: moved.amount_cents for moved in dispute.movements}:
        words = f"{len(dispute.movements)} movements at Stripe, {len(ours)} here, or of other amounts."
        differences.append(Difference(Kind.MOVEMENTS, words, sum(ours.values()), there))
    elif posted != there:
        differences.append(_ledger(posted, there))
    safe = not any(difference.kind == Kind.PAYMENT for difference in differences)
    return Judged(True, row.wallet_id, row.intent_id, there, posted, tuple(differences), safe)


def _currencies(dispute: Dispute) -> Iterable[str]:
    return (dispute.currency, *(moved.currency for moved in dispute.movements))
