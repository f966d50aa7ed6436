"""What a payment paid for, part by part, and the notice that tells it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.ledger.models import CreditGrant, Transfer
from billing.money import ZERO, from_cents
from billing.notices import announcing
from billing.notices.models import Kind
from billing.payments.models import Intent, Purpose, State
from billing.payments.outcomes import UNAPPLIED, Settled

RECEIPTED = (Purpose.CREDITS, Purpose.SETTLEMENT, Purpose.CONTRACT)
"""A recharge and a plan tell of themselves: their notice is their receipt."""


@dataclass(frozen=True, slots=True)
class Parts:
    """USD; the three add up to what was paid, or to nothing where it was not credit that was bought. `expires_at` is that of
    the new credit."""

    overdraft_paid: Decimal
    debt_paid: Decimal
    new_credit: Decimal
    expires_at: datetime | None


def parts(intent: Intent) -> Parts:
    """Of a payment that is credited: what it paid off first, and the credit that is left of it. Two queries."""
    if intent.purpose == Purpose.CONTRACT:
        return Parts(ZERO, ZERO, ZERO, None)
    amount = from_cents(intent.amount_cents)
    grant = CreditGrant.objects.select_related("account").filter(payment_id=intent.pk).first()
    if grant is None:
        return Parts(amount, ZERO, ZERO, None)
    paid = dict(Transfer.objects.filter(key__in=[f"od:{grant.pk}", f"cd:{grant.pk}"]).values_list("reason", "amount"))
    granted = grant.account.granted or ZERO
    overdraft, debt = paid.get("overdraft_paid", ZERO), paid.get("debt_paid", ZERO)
    return Parts(amount - granted + overdraft, debt, granted - overdraft - debt, grant.account.expires_at)


def announce(settled: Settled, *, now: datetime) -> None:
    """The receipt of a payment that has just been settled; of any other news nothing. Once per payment."""
    if not settled.changed or settled.state != State.SUCCEEDED:
        return
    intent = Intent.objects.get(pk=settled.intent_id)
    if intent.purpose not in RECEIPTED or intent.failure_code == UNAPPLIED:
        return
    what = parts(intent)
    facts = {
        "intent": str(intent.pk),
        "amount": f"{from_cents(intent.amount_cents):.2f}",
        "charged_at": intent.charged_at.isoformat() if intent.charged_at else None,
        "card_brand": intent.card_brand,
        "card_last4": intent.card_last4,
        "purpose": intent.purpose,
        "overdraft_paid": f"{what.overdraft_paid:f}",
        "debt_paid": f"{what.debt_paid:f}",
        "new_credit": f"{what.new_credit:f}",
        "expires_at": what.expires_at.isoformat() if what.expires_at else None,
    }
    announcing.announce(settled.org_id, Kind.RECEIPT, key=str(intent.pk), facts=facts, now=now)
