"""Movements of an organization's credit: each transfer that changes what it has settled, in the order of their effect.

What only moves between its own accounts (new credit that pays an overdraft) or within the house is none. An hour of usage
stands at its start, a purchase when the card was charged. This room reads them; `lines.py` makes pages of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db import connection

from billing.ledger.chart import WALLET_CODES, Code
from billing.ledger.models import Transfer
from billing.money import ZERO

NO_MONEY = (Code.REVENUE_USAGE, Code.BAD_DEBT, Code.OVERDRAFT_EXCESS)
"""What comes from these accounts is no money in: usage taken back, a debt forgiven."""


class Kind(StrEnum):
    """What a reader may ask for alone."""

    ALL = "all"
    MONEY_IN = "money-in"
    USAGE = "usage"
    EXPIRY = "expiry"


@dataclass(frozen=True, slots=True)
class Movement:
    """One transfer as it changed the settled credit: `amount` is signed. `account_id` is the organization's account."""

    id: int
    period: date
    seq: int
    effective_at: datetime
    posted_at: datetime
    reason: str
    account_id: int
    account_code: int
    other_code: int
    amount: Decimal
    hour: datetime | None
    model_id: int | None
    cause_kind: str
    cause_id: str

    @property
    def name(self) -> str:
        """How the line is called in addresses and in letters: month and number, "2026-04.17"."""
        return f"{self.period:%Y-%m}.{self.seq}"

    @property
    def is_usage(self) -> bool:
        return self.other_code == Code.REVENUE_USAGE and self.amount < 0

    @property
    def is_debt(self) -> bool:
        """Of the claw-back debt: credit that was used before its payment was taken back."""
        return self.account_code == Code.CLAWBACK_DEBT

    @property
    def is_money_in(self) -> bool:
        return self.other_code not in NO_MONEY and self.amount > 0

    @property
    def is_expiry(self) -> bool:
        return self.other_code in (Code.BREAKAGE, Code.PROMO_ISSUED) and self.amount < 0

    @property
    def is_promotional(self) -> bool:
        return self.account_code == Code.CREDIT_PROMO


@dataclass(frozen=True, slots=True)
class Extent:
    """How many movements there are, and since when."""

    number: int
    since: datetime | None


# --- Reading -----------------------------------------------------------------------------------------------------------

MOVEMENTS = """
SELECT t.id, t.period, t.seq, t.effective_at, t.posted_at, t.reason,
    CASE WHEN c.code = ANY(%(wallet)s) THEN c.id ELSE d.id END,
    CASE WHEN c.code = ANY(%(wallet)s) THEN c.code ELSE d.code END,
    CASE WHEN c.code = ANY(%(wallet)s) THEN d.code ELSE c.code END,
    CASE WHEN c.code = ANY(%(wallet)s) THEN t.amount ELSE -t.amount END,
    t.hour, t.model_id, t.cause_kind, t.cause_id
"""
FROM = """
FROM transfer t JOIN account d ON d.id = t.debit_id JOIN account c ON c.id = t.credit_id
WHERE t.org_id = %(org)s AND (d.code = ANY(%(wallet)s)) <> (c.code = ANY(%(wallet)s))
"""
ONLY = {
    Kind.ALL: "",
    Kind.MONEY_IN: f"AND c.code = ANY(%(wallet)s) AND d.code NOT IN {tuple(int(code) for code in NO_MONEY)}",
    Kind.USAGE: "AND 4000 IN (c.code, d.code)",
    Kind.EXPIRY: "AND c.code IN (4900, 2090)",
}
OLDER = "AND (t.effective_at, t.id) < (%(at)s, %(id)s)"
NEWER = "AND (t.effective_at, t.id) > (%(at)s, %(id)s)"
NEWEST_FIRST = "ORDER BY t.effective_at DESC, t.id DESC"
OLDEST_FIRST = "ORDER BY t.effective_at, t.id"
FROM_THERE = "AND (t.effective_at, t.id) >= (%(at)s, %(id)s)"
SETTLED = f"""
SELECT (SELECT posted FROM wallet WHERE org_id = %(org)s)
    - coalesce((SELECT sum(CASE WHEN c.code = ANY(%(wallet)s) THEN t.amount ELSE -t.amount END) {FROM}"""


def named(org_id: int, name: str) -> Transfer | None:
    """The transfer that "2026-04.17" names in this organization's books, None for any other text."""
    month, _, number = name.partition(".")
    try:
        period = date.fromisoformat(f"{month}-01")
    except ValueError:
        return None
    if len(month) != 7 or not number.isascii() or not number.isdigit() or len(number) > 15:
        return None
    return Transfer.objects.filter(wallet_id=org_id, period=period, seq=int(number)).first()


def settled(org_id: int) -> Decimal:
    with connection.cursor() as cursor:
        cursor.execute("SELECT posted FROM wallet WHERE org_id = %s", [org_id])
        row = cursor.fetchone()
        return row[0] if row else ZERO


def settled_after(org_id: int, transfer: Transfer) -> Decimal:
    """The settled credit right after this transfer, in the order of the ledger."""
    return _settled(org_id, transfer, NEWER)


def settled_before(org_id: int, transfer: Transfer) -> Decimal:
    return _settled(org_id, transfer, FROM_THERE)


def extent(org_id: int, kind: Kind) -> Extent:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*), min(t.effective_at) {FROM} {ONLY[kind]}", _parameters(org_id, None))
        return Extent(*(cursor.fetchone() or (0, None)))


def of_hour(org_id: int, hour: datetime, model_id: int) -> list[Movement]:
    """Every movement of one hour of one model, oldest first: what was charged, and what was taken back since."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"{MOVEMENTS} {FROM} {ONLY[Kind.USAGE]} AND t.effective_at >= %(hour)s AND t.hour = %(hour)s"
            f" AND t.model_id = %(model)s {OLDEST_FIRST}",
            {**_parameters(org_id, None), "hour": hour, "model": model_id},
        )
        return [Movement(*row) for row in cursor.fetchall()]


def of_transfer(org_id: int, transfer: Transfer) -> Movement | None:
    """The transfer as it changed the settled credit, None when it did not."""
    with connection.cursor() as cursor:
        cursor.execute(f"{MOVEMENTS} {FROM} AND t.id = %(id)s", _parameters(org_id, transfer))
        row = cursor.fetchone()
        return Movement(*row) if row else None


@contextmanager
def stream(org_id: int, kind: Kind, rest: str, at: Transfer | None) -> Iterator[Iterator[Movement]]:
    """As many of them as are asked for: rows come in chunks."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(f"{MOVEMENTS} {FROM} {ONLY[kind]} {rest}", _parameters(org_id, at))
        yield (Movement(*row) for chunk in iter(lambda: cursor.fetchmany(500), []) for row in chunk)


def _settled(org_id: int, transfer: Transfer, less: str) -> Decimal:
    """What is settled now, less what these movements changed."""
    with connection.cursor() as cursor:
        cursor.execute(f"{SETTLED} {less}), 0)", _parameters(org_id, transfer))
        [balance] = cursor.fetchone() or [ZERO]
        return Decimal(balance)


def _parameters(org_id: int, transfer: Transfer | None) -> dict[str, Any]:
    at = {"at": transfer.effective_at, "id": transfer.pk} if transfer else {}
    return {"org": org_id, "wallet": [int(code) for code in WALLET_CODES], **at}
