"""A receipt for each payment that became credit or paid for a plan: written with it, in one transaction, never changed."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from billing.ledger import wallets
from billing.ledger.chart import Code
from billing.ledger.models import CreditGrant, Transfer
from billing.money import ZERO, from_cents
from billing.payments.models import Intent, Purpose, State
from billing.payments.outcomes import UNAPPLIED
from billing.statements import parties, verifier, writing
from billing.statements.models import LAYOUT, Receipt, ReceiptParty, Series

PAID = Intent.objects.filter(state=State.SUCCEEDED).exclude(failure_code=UNAPPLIED)
"""What has a receipt. Money without a place has none: nothing was sold for it."""


def due() -> list[tuple[int, UUID]]:
    """Payments without a receipt: organization and payment, oldest first."""
    return list(PAID.filter(receipt=None).order_by("settled_at", "pk").values_list("wallet_id", "pk"))


def issue_due(*, now: datetime) -> int:
    """The receipts that are missing: of payments from before there were any. Owns its transactions."""
    missing = due()
    for org_id, intent_id in missing:
        with transaction.atomic():
            wallets.lock([org_id])
            issue(intent_id, now=now)
    return len(missing)


def issue(intent_id: UUID, *, now: datetime) -> Receipt | None:
    """The receipt of this payment, in the caller's transaction; None where there is nothing to be receipted.

    The wallet is locked. Again answers the one there is.
    """
    if (before := Receipt.objects.filter(pk=intent_id).first()) is not None:
        return before
    intent = PAID.filter(pk=intent_id).first()
    if intent is None:
        return None
    block = writing.seal(parties.of_receipt(intent))
    body = _body(intent)
    receipt = Receipt(
        intent=intent, wallet_id=intent.wallet_id, number=writing.next_number(Series.RECEIPT), layout=LAYOUT, issued_at=now
    )  # fmt: skip
    receipt.body = verifier.canonical({**body, "number": receipt.name, "parties": block.digest})
    receipt.save(force_insert=True)
    ReceiptParty.objects.create(receipt=receipt, salt=block.salt, text=block.text)
    return receipt


def _body(intent: Intent) -> dict[str, object]:
    """What was paid and what it paid for. Debts come first; the rest is credit, unless it was for a plan."""
    assert intent.charged_at is not None
    amount = from_cents(intent.amount_cents)
    grant = CreditGrant.objects.select_related("account").filter(payment_id=intent.pk).first()
    overdraft, debt = _debts_paid(intent, grant)
    expires_at = grant.account.expires_at if grant else None
    credit = ZERO if intent.purpose in (Purpose.CONTRACT, Purpose.SUBSCRIPTION) else amount - overdraft - debt
    return {
        "layout": LAYOUT,
        "organization": intent.wallet_id,
        "intent": str(intent.pk),
        "purpose": intent.purpose,
        "charged_at": writing.moment(intent.charged_at),
        "currency": "USD",
        "amount": writing.amount(amount),
        "overdraft_paid": writing.amount(overdraft),
        "debt_paid": writing.amount(debt),
        "new_credit": writing.amount(credit),
        "expires_at": writing.moment(expires_at) if expires_at else None,
    }


def _debts_paid(intent: Intent, grant: CreditGrant | None) -> tuple[Decimal, Decimal]:
    """By the payment itself (period end), or by the credit it became, at once."""
    first = [f"od:{grant.pk}", f"cd:{grant.pk}"] if grant else []
    moved = Transfer.objects.filter(
        Q(key__in=first) | Q(cause_kind="intent", cause_id=str(intent.pk), debit=Code.STRIPE)
    )
    paid = dict.fromkeys((Code.OVERDRAFT, Code.CLAWBACK_DEBT), ZERO)
    for code, amount in moved.filter(wallet=intent.wallet_id).values_list("credit__code", "amount"):
        if code in paid:
            paid[Code(code)] += amount
    return paid[Code.OVERDRAFT], paid[Code.CLAWBACK_DEBT]
