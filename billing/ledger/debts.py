"""Claw-back debt: what an organization owes because credit was taken back after it was spent (A2).

One account for each organization. Which debt is paid, written off or open still follows from the order of its transfers:
what is paid or written off lowers the oldest debt first, what a refund or dispute gives back lowers its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from billing.ledger import accounts, posting
from billing.ledger.chart import Code
from billing.ledger.models import Account, Transfer
from billing.ledger.posting import Cause, Entry
from billing.money import ZERO, NotMoney, usd

WRITTEN_OFF_AFTER = timedelta(days=180)
REASON_LENGTH = 500


class ForgivenessRefused(ValueError):
    """The debt is not forgiven. The message is for staff."""


@dataclass(slots=True)
class Debt:
    """One debt and what became of it, in USD. `key` is that of the transfer that made it, `cause` who took."""

    key: str
    cause: Cause
    since: datetime
    open: Decimal
    paid: Decimal = ZERO
    written_off: Decimal = ZERO


def of(org_id: int) -> list[Debt]:
    """Every debt an organization ever had, oldest first."""
    account_id = accounts.of(org_id, Code.CLAWBACK_DEBT)
    return replay(Transfer.objects.filter(Q(debit=account_id) | Q(credit=account_id)).order_by("id"), account_id)


def replay(transfers: Iterable[Transfer], account_id: int) -> list[Debt]:
    """Follow the transfers of the debt account in their order."""
    debts: list[Debt] = []
    for moved in transfers:
        cause = Cause(moved.cause_kind, moved.cause_id)
        if moved.debit_id == account_id:
            debts.append(Debt(moved.key, cause, moved.posted_at, moved.amount))
            continue
        own = [debt for debt in debts if debt.cause == cause]
        _lower(own or debts, moved, counted=not own)
    return debts


def is_open(org_id: int) -> bool:
    return Account.objects.filter(wallet_id=org_id, code=Code.CLAWBACK_DEBT, balance__lt=0).exists()


def due(*, now: datetime) -> list[int]:
    """Organizations that owe debt and have had some for so long that it may be written off."""
    owing = Account.objects.filter(code=Code.CLAWBACK_DEBT, balance__lt=0)
    old = Transfer.objects.filter(debit__in=owing, posted_at__lte=now - WRITTEN_OFF_AFTER)
    return list(old.values_list("wallet_id", flat=True).distinct().order_by("wallet_id"))


def write_off(org_id: int, *, now: datetime) -> Decimal:
    """Write off what is owed for 180 days, to bad debt (posting row 22). The wallet is locked; again changes nothing."""
    old = [debt for debt in of(org_id) if debt.open and debt.since <= now - WRITTEN_OFF_AFTER]
    debt_id = accounts.of(org_id, Code.CLAWBACK_DEBT)
    posting.post(
        [
            Entry(
                org_id, Code.BAD_DEBT, debt_id, debt.open, "debt_written_off", f"wo:{debt.key}", Cause("debt", debt.key), now
            )
            for debt in old
        ],
        now=now,
    )  # fmt: skip
    return sum((debt.open for debt in old), ZERO)


def forgive(org_id: int, amount: Decimal, *, reason: str, nonce: UUID, by: int, now: datetime) -> Decimal:
    """Staff let go of what is owed, or a part of it, to bad debt (posting row 22). The wallet is locked.

    The same `nonce` again changes nothing. Raises ForgivenessRefused.
    """
    key = f"wo:{nonce}"
    cause = Cause("staff", str(by))
    if before := Transfer.objects.filter(key=key).first():
        if (before.wallet_id, before.amount) != (org_id, amount):
            raise ForgivenessRefused("This form was used for another amount.")
        return amount
    owed = -Account.objects.get(pk=accounts.of(org_id, Code.CLAWBACK_DEBT)).balance
    check(amount, owed, reason)
    debt_id = accounts.of(org_id, Code.CLAWBACK_DEBT)
    entry = Entry(
        org_id, Code.BAD_DEBT, debt_id, amount, "debt_forgiven", key, cause, now, note=reason.strip()
    )  # fmt: skip
    posting.post([entry], now=now)
    return amount


def check(amount: Decimal, owed: Decimal, reason: str) -> None:
    """What staff let go of is owed, within what one person may, and has a reason. Raises ForgivenessRefused."""
    try:
        usd(amount)
    except NotMoney as error:
        raise ForgivenessRefused(str(error)) from error
    if not reason.strip() or len(reason.strip()) > REASON_LENGTH:
        raise ForgivenessRefused(f"Say why, in at most {REASON_LENGTH} characters.")
    if amount <= 0 or amount > owed:
        raise ForgivenessRefused(f"At most {owed:f} USD are owed.")
    if amount > settings.STAFF_LIMIT_USD:
        raise ForgivenessRefused(f"At most {settings.STAFF_LIMIT_USD:,.2f} USD can be forgiven at once.")


def _lower(debts: list[Debt], moved: Transfer, *, counted: bool) -> None:
    """Take a transfer's amount off these debts, oldest first. `counted`: it was paid or written off, not given back."""
    left = moved.amount
    for debt in debts:
        part = min(left, debt.open)
        left -= part
        debt.open -= part
        if counted and moved.debit_id == Code.BAD_DEBT:
            debt.written_off += part
        elif counted:
            debt.paid += part
