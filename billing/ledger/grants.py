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


@dataclass(frozen=True, slots=True)
class Issue:
    """How a grant is funded: the amount in USD, from which account, for what."""

    org_id: int
    amount: Decimal
    code: Code
    funded_by: int
    key: str
    cause: Cause
    reason: str
    effective_at: datetime


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
    issue = Issue(
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


def pay_overdraft(
    org_id: int, amount: Decimal, *, payment_id: UUID, title: str, charged_at: datetime, now: datetime
) -> CreditGrant | None:
    """A payment for the overdraft arrived: it pays what is owed now, and what is left becomes a grant, which is answered.

    Posting rows 20 and 20b, once per payment. Usage beyond credit is posted first, so it counts. The wallet is locked.
    """
    overdraft_id = accounts.of(org_id, Code.OVERDRAFT)
    accruals.close([org_id], now=now, account_ids=[overdraft_id])
    cause, key = Cause("intent", str(payment_id)), f"pay:{payment_id}"
    paid = min(-Account.objects.get(pk=overdraft_id).balance, usd(amount))
    if paid:
        posting.post(
            [Entry(org_id, Code.STRIPE, overdraft_id, paid, "settlement", key, cause, charged_at)], now=now
        )  # fmt: skip
    if paid == amount:
        return None
    source = GrantSource.SETTLEMENT_REST
    rest = Issue(
        org_id, amount - paid, Code.CREDIT_PAID, Code.STRIPE, f"{key}:rest", cause, source.value, charged_at
    )  # fmt: skip
    grant = CreditGrant(source=source, title=title, payment_id=payment_id, key=rest.key)
    return _issue(rest, grant, expires_at=periods.one_year_after(charged_at), now=now)


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
    issue = Issue(
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


def issue_returned(
    issue: Issue, *, source: GrantSource, title: str, expires_at: datetime, held: bool, now: datetime
) -> CreditGrant:
    """Credit that comes back and finds no grant to return to, once per key. `held`: under an open dispute, pays nothing.

    The wallet is locked.
    """
    grant = CreditGrant(source=source, title=title, key=issue.key)
    return _issue(issue, grant, expires_at=periods.ceil_minute(expires_at), now=now, held=held)


def _issue(issue: Issue, grant: CreditGrant, *, expires_at: datetime, now: datetime, held: bool = False) -> CreditGrant:
    if issue.amount <= 0:
        raise NotAGrant("Credit must be more than nothing.")
    if existing := CreditGrant.objects.filter(key=issue.key).first():
        return existing
    account = Account.objects.create(
        wallet_id=issue.org_id, code=issue.code, granted=issue.amount, expires_at=expires_at, held=held,
        held_since=now if held else None,
    )  # fmt: skip
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
    posting.post([funding], now=now)
    if not held:
        pay_debts(account, issue.amount, suffix="", now=now)
    return grant


def pay_debts(account: Account, amount: Decimal, *, suffix: str, now: datetime) -> None:
    """Rows 3, 3b and 4: what credit pays when it comes or comes back, before anything else, with at most this amount.

    Usage beyond credit is posted first, so it counts. `suffix` makes the keys of a grant that comes more than once differ.
    """
    org_id = account.wallet_id
    overdraft_id = accounts.of(org_id, Code.OVERDRAFT)
    accruals.close([org_id], now=now, account_ids=[overdraft_id])
    cause = Cause("grant", str(account.pk))

    def entry(debit: int, credit: int, amount: Decimal, reason: str, key: str) -> Entry:
        return Entry(org_id, debit, credit, amount, reason, key, cause, now)

    entries = []
    overdraft = min(-Account.objects.get(pk=overdraft_id).balance, amount)
    if overdraft:
        key = f"od:{account.pk}{suffix}"
        entries.append(entry(account.pk, overdraft_id, overdraft, "overdraft_paid", key))
        if account.code == Code.CREDIT_PROMO:
            entries.append(entry(Code.PROMOTIONS, Code.PROMO_ISSUED, overdraft, "promotion_used", f"{key}:contra"))
    if account.code == Code.CREDIT_PAID:
        debt_id = accounts.of(org_id, Code.CLAWBACK_DEBT)
        if debt := min(-Account.objects.get(pk=debt_id).balance, amount - overdraft):
            entries.append(entry(account.pk, debt_id, debt, "debt_paid", f"cd:{account.pk}{suffix}"))
    posting.post(entries, now=now)
