"""Open ledger lines: usage is drawn within seconds and posted once the hour is complete.

A line is one account, model and hour of occurrence. Until it is posted its amount is the account's and the wallet's
`accrued`; posting turns the line into one immutable transfer (rows 5, 6 and 7 of the posting table).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction

from billing import periods
from billing.ledger import accounts, burndown, posting, wallets
from billing.ledger.chart import GRANT_CODES, Code
from billing.ledger.models import Account
from billing.money import ZERO

GRACE = timedelta(minutes=15)
"""How long after its hour a line waits when no watermark says that the hour is complete."""
CHUNK = 500
"""Organizations posted in one transaction."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one organization owes for one model in one minute of occurrence, in USD."""

    org_id: int
    model_id: int
    minute: datetime
    amount: Decimal


def draw(costs: Iterable[Cost], *, now: datetime) -> None:
    """Let grants, then the overdraft, pay for this usage. The organizations' wallets are locked already."""
    uses: dict[int, list[burndown.Use]] = defaultdict(list)
    for cost in costs:
        if cost.amount:
            uses[cost.org_id].append(burndown.Use(cost.model_id, cost.minute, cost.amount))
    if not uses:
        return
    sources = _drawable(uses)
    overdrafts = accounts.overdrafts(uses)
    lines: dict[tuple[int, int, int, datetime], Decimal] = {}
    for org_id, used in uses.items():
        for taken in burndown.draw(used, sources[org_id]):
            account = taken.account_id if taken.account_id is not None else overdrafts[org_id]
            line = (org_id, account, taken.model_id, periods.floor_hour(taken.minute))
            # Taken out and put back, so that the line drawn last is the last.
            lines[line] = lines.pop(line, ZERO) + taken.amount
    _accrue(lines, now)


def close_due(*, now: datetime, watermark: datetime | None) -> int:
    """Post every line whose hour is complete, or over for 15 minutes; answers how many. Owns its transactions."""
    through = max(now - GRACE, watermark) if watermark else now - GRACE
    closed = 0
    while orgs := _organizations_with_lines_due(through):
        with transaction.atomic():
            closed += _post(wallets.lock(orgs), through=through, accounts_=None, now=now)
    return closed


def close(
    org_ids: Iterable[int], *, now: datetime, account_ids: list[int] | None = None, before: datetime | None = None
) -> int:
    """Post the open lines of these organizations at once: all, those of some accounts, or of hours `before` this instant.

    Their wallets are locked.
    """
    return _post(list(org_ids), through=None, accounts_=account_ids, now=now, before=before)


def _drawable(org_ids: Iterable[int]) -> dict[int, list[burndown.Source]]:
    """The grants with a rest, those in their late window included; a grant held by a dispute pays for nothing."""
    found: dict[int, list[burndown.Source]] = defaultdict(list)
    grants = Account.objects.filter(wallet__in=list(org_ids), code__in=GRANT_CODES, exhausted=False, held=False)
    for account in grants:
        assert account.expires_at is not None
        found[account.wallet_id].append(
            burndown.Source(account.pk, account.rest, account.expires_at, account.code == Code.CREDIT_PROMO)
        )
    return found


def _accrue(lines: dict[tuple[int, int, int, datetime], Decimal], now: datetime) -> None:
    """Grow the lines, their accounts and their wallets by the same amounts.

    A line that grows gets a new id: lines are posted in the order in which they were last drawn, and what is taken back
    goes to the grant drawn last (A33).
    """
    rows = [(*line, amount, closes_at(line[3], now)) for line, amount in lines.items()]
    by_account: dict[int, Decimal] = defaultdict(Decimal)
    by_wallet: dict[int, Decimal] = defaultdict(Decimal)
    for org_id, account_id, _, _, amount, _ in rows:
        by_account[account_id] += amount
        by_wallet[org_id] += amount
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO accrual (org_id, account_id, model_id, hour, amount, closes_at)
            SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::smallint[], %s::timestamptz[], %s::numeric[],
                                 %s::timestamptz[])
            ON CONFLICT (org_id, account_id, model_id, hour) DO UPDATE
            SET amount = accrual.amount + excluded.amount, id = excluded.id
            """,
            [list(column) for column in zip(*rows, strict=True)],
        )
    _move_accrued(by_account, by_wallet, sign=1)


def closes_at(hour: datetime, now: datetime) -> datetime:
    """The end of the line's hour, or of the current hour when the usage came late."""
    end = hour + periods.HOUR
    return end if end > now - GRACE else periods.floor_hour(now) + periods.HOUR


def _organizations_with_lines_due(through: datetime) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT org_id FROM accrual WHERE closes_at <= %s ORDER BY org_id LIMIT %s", [through, CHUNK]
        )
        return [org_id for (org_id,) in cursor.fetchall()]


def _post(
    org_ids: list[int],
    *,
    through: datetime | None,
    accounts_: list[int] | None,
    now: datetime,
    before: datetime | None = None,
) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM accrual
            WHERE org_id = ANY(%s) AND (%s::timestamptz IS NULL OR closes_at <= %s)
                AND (%s::bigint[] IS NULL OR account_id = ANY(%s)) AND (%s::timestamptz IS NULL OR hour < %s)
            RETURNING id, org_id, account_id, model_id, hour, amount
            """,
            [org_ids, through, through, accounts_, accounts_, before, before],
        )
        lines = cursor.fetchall()
    if not lines:
        return 0
    by_account: dict[int, Decimal] = defaultdict(Decimal)
    by_wallet: dict[int, Decimal] = defaultdict(Decimal)
    for _, org_id, account_id, _, _, amount in lines:
        by_account[account_id] += amount
        by_wallet[org_id] += amount
    # Accrued falls first: a grant whose balance fell before would look overdrawn for a moment, and be refused.
    _move_accrued(by_account, by_wallet, sign=-1)
    codes = accounts.codes(by_account)
    posting.post(
        [
            entry
            for id_, org_id, account_id, model_id, hour, amount in sorted(
                lines, key=lambda line: (line[1], line[4], line[0])
            )
            for entry in _line_entries(id_, org_id, account_id, codes[account_id], model_id, hour, amount)
        ],
        now=now,
    )
    return len(lines)


def _line_entries(
    line_id: int, org_id: int, account_id: int, code: int, model_id: int, hour: datetime, amount: Decimal
) -> Iterable[posting.Entry]:
    """Rows 5, 6a with 6b, and 7 of the posting table."""
    cause = posting.Cause("accrual", str(line_id))
    yield posting.Entry(
        org_id, account_id, Code.REVENUE_USAGE, amount, "usage", f"use:{line_id}", cause, hour, hour, model_id
    )
    if code == Code.CREDIT_PROMO:
        yield posting.Entry(
            org_id, Code.PROMOTIONS, Code.PROMO_ISSUED, amount, "promotion_used", f"use:{line_id}:contra", cause, hour, hour,
            model_id,
        )  # fmt: skip


def _move_accrued(by_account: dict[int, Decimal], by_wallet: dict[int, Decimal], *, sign: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE account a SET accrued = a.accrued + m.delta,
                exhausted = a.code IN (2000, 2010) AND a.balance = a.accrued + m.delta
            FROM unnest(%s::bigint[], %s::numeric[]) AS m(id, delta) WHERE a.id = m.id
            """,
            [list(by_account), [sign * amount for amount in by_account.values()]],
        )
        cursor.execute(
            """
            UPDATE wallet w SET accrued = w.accrued + m.delta
            FROM unnest(%s::bigint[], %s::numeric[]) AS m(org_id, delta) WHERE w.org_id = m.org_id
            """,
            [list(by_wallet), [sign * amount for amount in by_wallet.values()]],
        )
