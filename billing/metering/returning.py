"""Where the money of a reversed event goes (posting row 9): overdraft, the grants that paid, or a correction."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from billing import periods
from billing.ledger import accounts, grants, posting
from billing.ledger.chart import Code
from billing.ledger.models import Account, CreditGrant, GrantSource
from billing.ledger.posting import Cause, Entry
from billing.money import ZERO

CORRECTION_LASTS = timedelta(days=90)

# What paid for this hour of this model, less what went back already; then what paid the overdraft off. Of each the newest
# first, and those that live before the others: only where none lives it is a correction.
PAID_BY = """
SELECT a.id, a.code, a.granted - a.balance AS room, a.expires_at > %(now)s AND NOT a.held AS live, paid.amount
FROM (
    SELECT account_id, sum(amount) AS amount, max(id) FILTER (WHERE amount > 0) AS newest, 1 AS turn
    FROM (
        SELECT debit_id AS account_id, amount, id FROM transfer
        WHERE org_id = %(org)s AND hour = %(hour)s AND model_id = %(model)s AND credit_id = 4000
        UNION ALL
        SELECT credit_id, -amount, id FROM transfer
        WHERE org_id = %(org)s AND hour = %(hour)s AND model_id = %(model)s AND debit_id = 4000
            AND NOT EXISTS (SELECT FROM credit_grant g WHERE g.key = transfer.key)
    ) moved GROUP BY account_id
    UNION ALL
    SELECT debit_id, sum(amount), max(id), 2 FROM transfer
    WHERE credit_id = %(overdraft)s AND debit_id <> 4000 GROUP BY debit_id
) paid JOIN account a ON a.id = paid.account_id
WHERE a.org_id = %(org)s AND a.code IN (2000, 2010) AND paid.amount > 0
ORDER BY paid.turn, live DESC, paid.newest DESC
"""

# What went back already as correction grants, by kind.
CORRECTED = """
SELECT a.code, sum(t.amount) FROM transfer t JOIN credit_grant g ON g.key = t.key JOIN account a ON a.id = t.credit_id
WHERE t.org_id = %(org)s AND t.hour = %(hour)s AND t.model_id = %(model)s AND t.debit_id = 4000 GROUP BY a.code
"""


@dataclass(frozen=True, slots=True)
class Return:
    """An amount of USD that was charged for one model and hour, and is given back for one reversal."""

    reversal_id: UUID
    org_id: int
    model_id: int
    hour: datetime
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Source:
    """A grant that paid: what it paid here, and the room it has before it would hold more than was ever granted."""

    account_id: int
    code: int
    room: Decimal
    live: bool
    paid: Decimal


@dataclass(frozen=True, slots=True)
class Share:
    """A part of the amount and where it goes: a grant that paid, or None for a correction grant of this kind."""

    account_id: int | None
    code: int
    amount: Decimal


def give_back(back: Return, *, now: datetime) -> None:
    """Posts the return. The wallet is locked, everything used is drawn, and every open line is posted."""
    overdraft_id = accounts.of(back.org_id, Code.OVERDRAFT)
    owed = -Account.objects.get(pk=overdraft_id).balance
    lowered = min(owed, back.amount)
    posts = _Posts(back, now)
    if lowered:
        posts.add(Code.REVENUE_USAGE, overdraft_id, lowered)
    for share in shares(back.amount - lowered, _paid_by(back, overdraft_id, now)):
        if share.account_id is None:
            posts.correct(share)
        else:
            posts.add(Code.REVENUE_USAGE, share.account_id, share.amount)
            posts.mirror(share)
    posting.post(posts.entries, now=now)
    for correction in posts.corrections:
        grants.pay_debts(correction, correction.granted or ZERO, suffix="", now=now)


def shares(amount: Decimal, sources: list[Source]) -> Iterator[Share]:
    """Splits an amount over the grants that paid, in order. What a grant cannot take is a correction of its kind."""
    room = {source.account_id: source.room for source in sources}
    for source in sources:
        if not amount:
            return
        part = min(amount, source.paid)
        taken = min(part, room[source.account_id]) if source.live else ZERO
        if taken:
            room[source.account_id] -= taken
            yield Share(source.account_id, source.code, taken)
        if part > taken:
            yield Share(None, source.code, part - taken)
        amount -= part
    if amount:
        # Paid by a card at settlement: what comes back is credit that was paid for.
        yield Share(None, Code.CREDIT_PAID, amount)


def not_corrected(sources: list[Source], corrected: dict[int, Decimal]) -> Iterator[Source]:
    """The grants less what corrections have made good: those that live no more come back once, as what they were."""
    for source in sources:
        made_good = ZERO if source.live else min(source.paid, corrected.get(source.code, ZERO))
        if made_good:
            corrected[source.code] -= made_good
        yield replace(source, paid=source.paid - made_good)


def _paid_by(back: Return, overdraft_id: int, now: datetime) -> list[Source]:
    place: dict[str, Any] = {
        "org": back.org_id, "hour": back.hour, "model": back.model_id, "overdraft": overdraft_id, "now": now,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(PAID_BY, place)
        sources = [Source(*row) for row in cursor.fetchall()]
        cursor.execute(CORRECTED, place)
        return list(not_corrected(sources, dict(cursor.fetchall())))


@dataclass
class _Posts:
    """The transfers of one return, numbered in order."""

    back: Return
    now: datetime
    entries: list[Entry] = field(default_factory=list)
    corrections: list[Account] = field(default_factory=list)

    def add(self, debit: int, credit: int, amount: Decimal, reason: str = "reversal") -> str:
        key = f"rev:{self.back.reversal_id}:{len(self.entries) + 1}"
        cause = Cause("reversal", str(self.back.reversal_id))
        self.entries.append(
            Entry(
                self.back.org_id, debit, credit, amount, reason, key, cause, self.now, self.back.hour, self.back.model_id,
            )
        )  # fmt: skip
        return key

    def mirror(self, share: Share) -> None:
        """Promotional credit that comes back was not used after all."""
        if share.code == Code.CREDIT_PROMO:
            self.add(Code.PROMO_ISSUED, Code.PROMOTIONS, share.amount, "promotion_returned")

    def correct(self, share: Share) -> None:
        """A new grant for what no live one can take. As all new credit it pays what is owed."""
        ends = periods.ceil_minute(self.now + CORRECTION_LASTS)
        account = Account.objects.create(
            wallet_id=self.back.org_id, code=share.code, granted=share.amount, expires_at=ends
        )
        key = self.add(Code.REVENUE_USAGE, account.pk, share.amount)
        CreditGrant.objects.create(
            account=account, wallet_id=self.back.org_id, source=GrantSource.CORRECTION, title="Usage taken back", key=key,
            issued_at=self.now,
        )  # fmt: skip
        self.corrections.append(account)
        self.mirror(share)
