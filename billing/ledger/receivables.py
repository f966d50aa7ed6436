"""What an organization owes for reserved capacity (account 1120): paid with money, or let go by staff."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing.ledger import accounts, debts, posting
from billing.ledger.chart import Code
from billing.ledger.debts import ForgivenessRefused
from billing.ledger.models import Account, Transfer
from billing.ledger.posting import Cause, Entry
from billing.money import usd


def owed(org_id: int) -> Decimal:
    """Commitments that are due and overage, as posted and not paid, in USD. The wallet is locked."""
    balance: Decimal = Account.objects.get(pk=accounts.of(org_id, Code.CONTRACT_RECEIVABLE)).balance
    return -balance


def pay(org_id: int, amount: Decimal, *, payment_id: UUID, charged_at: datetime, now: datetime) -> None:
    """A payment for a contract arrived: it pays what is owed (posting row 28); what nobody owes is money without a place,
    for staff (A54). The wallet is locked."""
    cause, key = Cause("intent", str(payment_id)), f"pay:{payment_id}"
    receivable = accounts.of(org_id, Code.CONTRACT_RECEIVABLE)
    paid = min(owed(org_id), usd(amount))
    entries = []
    if paid:
        entries.append(Entry(org_id, Code.STRIPE, receivable, paid, "contract", key, cause, charged_at))
    if amount > paid:
        name = f"{key}:rest" if paid else key
        entries.append(Entry(org_id, Code.STRIPE, Code.UNAPPLIED, amount - paid, "unapplied", name, cause, charged_at))
    posting.post(entries, now=now)


def forgive(org_id: int, amount: Decimal, *, reason: str, nonce: UUID, by: int, now: datetime) -> Decimal:
    """Staff let go of what is owed, or a part of it, to bad debt (posting row 22). The wallet is locked.

    The same `nonce` again changes nothing. Raises ForgivenessRefused.
    """
    key = f"wo:{nonce}"
    if before := Transfer.objects.filter(key=key).first():
        if (before.wallet_id, before.amount) != (org_id, amount):
            raise ForgivenessRefused("This form was used for another amount.")
        return amount
    debts.check(amount, owed(org_id), reason)
    receivable = accounts.of(org_id, Code.CONTRACT_RECEIVABLE)
    entry = Entry(
        org_id, Code.BAD_DEBT, receivable, amount, "receivable_forgiven", key, Cause("staff", str(by)), now,
        note=reason.strip(),
    )  # fmt: skip
    posting.post([entry], now=now)
    return amount
