"""Issuing credit. Each grant is an account; new credit pays the overdraft first, paid credit then the claw-back debt."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing import periods
from billing.ledger import accounts, accruals, posting
from billing.ledger.chart import Code
from billing.ledger.models import Account, CreditGrant, GrantSource
from billing.ledger.posting import Cause, Entry
from billing.money import usd


class NotAGrant(ValueError):
    """Credit that cannot be issued: nothing, or already past its end."""


def issue_paid(
    org_id: int,
    amount: Decimal,
    *,
    payment_id: UUID,
    source: GrantSource,
    title: str,
    charged_at: datetime,
    now: datetime,
    issued_by: int | None = None,
) -> CreditGrant:
    """Credit for a settled payment, once per payment; it expires one year after Stripe charged (A53).

    Posting rows 1, 3 and 3b. The wallet is locked.
    """
    issue = _Issue(
        org_id, usd(amount), Code.CREDIT_PAID, Code.STRIPE, f"pay:{payment_id}", Cause("intent", str(payment_id)),
        source.value, charged_at,
    )  # fmt: skip
    return _issue(
        issue,
        CreditGrant(
            source=source,
            title=title,
            payment_id=payment_id,
            issued_by_id=issued_by,
            key=issue.key,
        ),
        expires_at=periods.one_year_after(charged_at),
        now=now,
    )


def issue_promotional(
    org_id: int,
    amount: Decimal,
    *,
    key: str,
    title: str,
    expires_at: datetime,
    reason: str,
    issued_by: int | None,
    now: datetime,
) -> CreditGrant:
    """Credit without money, once per key; never deferred revenue (A3). `expires_at` is rounded up to the minute.

    Posting rows 2, 4a and 4b. Raises NotAGrant when it would expire at once. The wallet is locked.
    """
    if expires_at <= now:
        raise NotAGrant("Promotional credit must expire in the future.")
    issue = _Issue(
        org_id,
        usd(amount),
        Code.CREDIT_PROMO,
        Code.PROMO_ISSUED,
        f"promo:{key}",
        Cause("promotion", key),
        "promotion",
        now,
    )
    return _issue(
        issue,
        CreditGrant(
            source=GrantSource.PROMOTION,
            title=title,
            reason=reason,
            issued_by_id=issued_by,
            key=issue.key,
        ),
        expires_at=periods.ceil_minute(expires_at),
        now=now,
    )


@dataclass(frozen=True, slots=True)
class _Issue:
    org_id: int
    amount: Decimal
    code: Code
    funded_by: Code
    key: str
    cause: Cause
    reason: str
    effective_at: datetime


def _issue(issue: _Issue, grant: CreditGrant, *, expires_at: datetime, now: datetime) -> CreditGrant:
    if issue.amount <= 0:
        raise NotAGrant("Credit must be more than nothing.")
    if existing := CreditGrant.objects.filter(key=issue.key).first():
        return existing
    account = Account.objects.create(
        wallet_id=issue.org_id, code=issue.code, granted=issue.amount, expires_at=expires_at
    )
    grant.account, grant.wallet_id, grant.issued_at = account, issue.org_id, now
    grant.save(force_insert=True)
    funding = Entry(
        issue.org_id,
        issue.funded_by,
        account.pk,
        issue.amount,
        issue.reason,
        issue.key,
        issue.cause,
        issue.effective_at,
    )
    posting.post([funding, *_pay_debts(issue, account, now)], now=now)
    return grant


def _pay_debts(issue: _Issue, account: Account, now: datetime) -> list[Entry]:
    """Rows 3, 3b and 4: what new credit pays before anything else. Usage beyond credit is posted first, so it counts."""
    overdraft_id = accounts.of(issue.org_id, Code.OVERDRAFT)
    accruals.close([issue.org_id], now=now, account_ids=[overdraft_id])
    cause = Cause("grant", str(account.pk))

    def entry(debit: int, credit: int, amount: Decimal, reason: str, key: str, suffix: str = "") -> Entry:
        return Entry(issue.org_id, debit, credit, amount, reason, f"{key}:{account.pk}{suffix}", cause, now)

    entries = []
    overdraft = min(-Account.objects.get(pk=overdraft_id).balance, issue.amount)
    if overdraft:
        entries.append(entry(account.pk, overdraft_id, overdraft, "overdraft_paid", "od"))
        if issue.code == Code.CREDIT_PROMO:
            entries.append(entry(Code.PROMOTIONS, Code.PROMO_ISSUED, overdraft, "promotion_used", "od", ":contra"))
    if issue.code == Code.CREDIT_PAID:
        debt_id = accounts.of(issue.org_id, Code.CLAWBACK_DEBT)
        if debt := min(-Account.objects.get(pk=debt_id).balance, issue.amount - overdraft):
            entries.append(entry(account.pk, debt_id, debt, "debt_paid", "cd"))
    return entries
