"""The grants of an organization as people read them: what each gave, what is left of it, until when."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet, Sum

from billing.graphs import adding
from billing.ledger.balances import Balance
from billing.ledger.burndown import Source
from billing.ledger.chart import GRANT_CODES, Code
from billing.ledger.models import Account, CreditGrant, Transfer
from billing.money import ZERO
from billing.payments.models import Intent

PAST_SHOWN = 20
"""Used and expired grants on a page."""
TAKE, GIVE_BACK = ("refund_asked", "dispute_withdrawn"), ("refund_returned", "dispute_reinstated")
"""The reasons of transfers by which refunds and disputes take credit, and give it back."""


@dataclass(frozen=True, slots=True)
class Credit:
    """One grant, USD. `left` as posted, exactly; `left_shown` in cents that add up; `expired`: what it lost at its end;
    `back`: what refunds and disputes have taken of it."""

    account_id: int
    title: str
    issued_at: datetime
    expires_at: datetime
    granted: Decimal
    left: Decimal
    left_shown: Decimal
    rest: Decimal
    promotional: bool
    held: bool
    card_brand: str
    card_last4: str
    expired: Decimal = ZERO
    back: Decimal = ZERO

    @property
    def used(self) -> Decimal:
        return self.granted - self.left - self.expired - self.back

    @property
    def used_shown(self) -> Decimal:
        return self.granted - self.left_shown - self.back

    def in_late_window(self, now: datetime) -> bool:
        return self.expires_at <= now


@dataclass(frozen=True, slots=True)
class Table:
    """Open grants in the order they are drawn. They, less overdraft and debt as posted, add up to what is settled."""

    credits: tuple[Credit, ...]
    overdraft: Decimal
    overdraft_shown: Decimal
    debt: Decimal
    debt_shown: Decimal
    past: int
    ever: bool

    def sources(self, now: datetime) -> list[Source]:
        """What can be drawn from now on."""
        return [
            Source(one.account_id, one.rest, one.expires_at, one.promotional)
            for one in self.credits
            if not one.held and one.expires_at > now
        ]


def table(org_id: int) -> Table:
    """Six queries, however many grants."""
    open_ = list(_grants(org_id).filter(balance__gt=0).order_by("expires_at", F("code").desc(), "pk"))
    number = _grants(org_id).count()
    debts = dict(
        Account.objects.filter(wallet=org_id, code__in=[Code.OVERDRAFT, Code.CLAWBACK_DEBT]).values_list(
            "code", "balance"
        )
    )
    overdraft, debt = debts.get(Code.OVERDRAFT, ZERO), debts.get(Code.CLAWBACK_DEBT, ZERO)
    *left, overdraft_shown, debt_shown = adding.up([*(account.balance for account in open_), overdraft, debt])
    cards, back = _cards(open_), _taken_back(open_)
    return Table(
        tuple(
            _credit(account, shown, cards, back=back.get(account.pk, ZERO))
            for account, shown in zip(open_, left, strict=True)
        ),
        overdraft,
        overdraft_shown,
        debt,
        debt_shown,
        number - len(open_),
        number > 0,
    )


@dataclass(frozen=True, slots=True)
class PastPage:
    """Grants of which nothing is left, latest end first. `newer`, `older`: whether there are any beyond it."""

    credits: tuple[Credit, ...]
    newer: bool
    older: bool


def past_named(org_id: int, name: str) -> Account | None:
    """The used or expired grant of this organization that a cursor names, None for any other text."""
    if not name.isascii() or not name.isdigit() or len(name) > 18:
        return None
    return _grants(org_id).filter(pk=int(name), balance=0).first()


def past(
    org_id: int, *, before: Account | None = None, after: Account | None = None, size: int = PAST_SHOWN
) -> PastPage:
    """The latest ones, those that ended before `before`, or after `after`. Five queries, however many grants."""
    found = _grants(org_id).filter(balance=0)
    if after is not None:
        rows = list(found.filter(_beyond(after, "gt")).order_by("expires_at", "pk")[: size + 1])
        return PastPage(_told(rows[:size][::-1]), newer=len(rows) > size, older=True)
    if before is not None:
        found = found.filter(_beyond(before, "lt"))
    rows = list(found.order_by("-expires_at", "-pk")[: size + 1])
    return PastPage(_told(rows[:size]), newer=before is not None, older=len(rows) > size)


def _beyond(account: Account, way: str) -> Q:
    ends: dict[str, Any] = {f"expires_at__{way}": account.expires_at}
    return Q(**ends) | Q(expires_at=account.expires_at, **{f"pk__{way}": account.pk})


def _told(spent: Sequence[Account]) -> tuple[Credit, ...]:
    """With what was used, taken back and expired. Four queries."""
    cards = _cards(spent)
    lost = dict(
        Transfer.objects.filter(debit__in=spent, credit__code__in=[Code.BREAKAGE, Code.PROMO_ISSUED])
        .values_list("debit")
        .annotate(Sum("amount"))
        .order_by()
    )
    back = _taken_back(spent)
    return tuple(
        _credit(account, ZERO, cards, expired=lost.get(account.pk, ZERO), back=back.get(account.pk, ZERO))
        for account in spent
    )


def any_ever(org_id: int) -> bool:
    return _grants(org_id).exists()


def grants_of(account_ids: Iterable[int]) -> dict[int, CreditGrant]:
    """Account -> where its credit came from. One query."""
    return CreditGrant.objects.select_related("account").in_bulk(list(account_ids))


def cards_of(payment_ids: Iterable[UUID]) -> dict[UUID, Intent]:
    """Payment -> what was charged. One query."""
    return Intent.objects.in_bulk(list(payment_ids))


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the sum that a reader checks: signed, exactly and in cents."""

    label: str
    note: str
    exactly: Decimal
    cents: Decimal


def parts(balance: Balance) -> list[Part]:
    """Settled, less accrued, less held: they add up to what is available, exactly and as shown."""
    told = [("Settled", "in the ledger", balance.settled), ("Accrued", "used, not yet in the ledger", -balance.accrued)]
    if balance.held:
        told.append(("Held", "cannot be used now", -balance.held))
    cents = adding.up(amount for _, _, amount in told)
    return [Part(label, note, amount, shown) for (label, note, amount), shown in zip(told, cents, strict=True)]


def _grants(org_id: int) -> QuerySet[Account]:
    return Account.objects.filter(wallet=org_id, code__in=GRANT_CODES).select_related("grant")


def _taken_back(accounts: Sequence[Account]) -> dict[int, Decimal]:
    """Account -> what refunds and disputes took from it, less what they gave back. Two queries."""
    net: dict[int, Decimal] = defaultdict(Decimal)
    taken = Transfer.objects.filter(debit__in=accounts, reason__in=TAKE).values_list("debit")
    given = Transfer.objects.filter(credit__in=accounts, reason__in=GIVE_BACK).values_list("credit", "key")
    for account_id, amount in taken.annotate(Sum("amount")).order_by():
        net[account_id] += amount
    funded = {account.grant.key for account in accounts}
    for account_id, key, amount in given.annotate(Sum("amount")).order_by():
        net[account_id] -= ZERO if key in funded else amount
    return net


def _cards(accounts: Sequence[Account]) -> dict[UUID, Intent]:
    return cards_of(account.grant.payment_id for account in accounts if account.grant.payment_id)


def _credit(
    account: Account,
    left_shown: Decimal,
    cards: Mapping[UUID, Intent],
    *,
    expired: Decimal = ZERO,
    back: Decimal = ZERO,
) -> Credit:
    assert account.granted is not None
    assert account.expires_at is not None
    paid = cards.get(account.grant.payment_id) if account.grant.payment_id else None
    return Credit(
        account.pk,
        account.grant.title,
        account.grant.issued_at,
        account.expires_at,
        account.granted,
        account.balance,
        left_shown,
        account.rest,
        account.code == Code.CREDIT_PROMO,
        account.held,
        paid.card_brand if paid else "",
        paid.card_last4 if paid else "",
        expired,
        back,
    )
