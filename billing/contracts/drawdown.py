"""Use draws a contract down: counted within seconds, posted by the hour, and the same whatever the order of arrival (A7).

Each hour line of a model holds tokens. When it is posted, what is posted of its month grows by them, and the line is worth
what that growth is within the commitment (row 29) and beyond it (row 30): both telescope, so their sums are those of the
month's total. In a month that is closed, what was booked as unused becomes used (row 32, A22). Use that is taken back is
a line below zero, and everything runs backwards (A33).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction

from billing import periods
from billing.contracts import months, overage, signing, terms
from billing.contracts.models import Contract
from billing.contracts.monthly import ContractMonth
from billing.coverage.models import Coverage, Payer
from billing.ledger import accounts, accruals, grants, posting, receivables, wallets
from billing.ledger.chart import Code
from billing.ledger.models import GrantSource
from billing.ledger.posting import Cause, Entry
from billing.money import ZERO, from_cents
from billing.notices.announcing import announce
from billing.notices.models import Kind

CHUNK = 500
"""Organizations posted in one transaction."""
CREDIT_LASTS = timedelta(days=90)
"""Overage that was paid and taken back is credit for so long (A33)."""


@dataclass(frozen=True, slots=True)
class Use:
    """Tokens of one model in one minute of occurrence, under one span of coverage; below zero: taken back."""

    coverage_id: int
    model_id: int
    minute: datetime
    tokens: int


def use(uses: Iterable[Use], *, now: datetime) -> None:
    """Count it, and put it into the hour lines. The organizations' wallets are locked already."""
    by_span: dict[int, dict[tuple[date, int, datetime], int]] = defaultdict(lambda: defaultdict(int))
    for one in uses:
        place = (periods.month_of(one.minute), one.model_id, periods.floor_hour(one.minute))
        by_span[one.coverage_id][place] += one.tokens
    if not by_span:
        return
    spans = Coverage.objects.filter(pk__in=by_span, payer=Payer.CONTRACT)
    contracts = dict(spans.values_list("pk", "source_id"))
    by_contract: dict[int, dict[tuple[date, int, datetime], int]] = defaultdict(lambda: defaultdict(int))
    for span, places in by_span.items():
        for place, tokens in places.items():
            by_contract[contracts[span] or 0][place] += tokens
    for contract_id in sorted(by_contract):
        _count(signing.locked(contract_id), by_contract[contract_id], now)


def close_due(*, now: datetime, watermark: datetime | None) -> int:
    """Post every line whose hour is complete, or over for 15 minutes; answers how many. Owns its transactions."""
    through = max(now - accruals.GRACE, watermark) if watermark else now - accruals.GRACE
    closed = 0
    while orgs := _organizations_with_lines_due(through):
        with transaction.atomic():
            closed += _post(wallets.lock(orgs), through=through, before=None, now=now)
    return closed


def close(org_ids: Sequence[int], *, now: datetime, before: datetime | None = None) -> int:
    """Post the open lines of these organizations at once: all, or those of hours `before` this instant. Their wallets are
    locked."""
    return _post(list(org_ids), through=None, before=before, now=now)


def due_at_once(org_ids: Sequence[int], *, now: datetime) -> int:
    """Overage beyond 500 USD that is not due yet is posted and due now (A20); answers how many dues that made. The wallets
    are locked."""
    many = overage.beyond(org_ids, terms.AT_ONCE)
    if not many:
        return 0
    close(many, now=now)
    return overage.take_up(many, at_least=terms.AT_ONCE, now=now)


# --- Counting ------------------------------------------------------------------------------------------------------------


def _count(contract: Contract, places: dict[tuple[date, int, datetime], int], now: datetime) -> None:
    found = {period: months.begin(contract, period, now=now) for period in sorted({place[0] for place in places})}
    rows = []
    for (period, model_id, hour), tokens in sorted(places.items()):
        month = found[period]
        _tell_limit(contract, month, tokens, now)
        month.total += tokens
        rows.append((contract.wallet_id, month.pk, model_id, hour, tokens, accruals.closes_at(hour, now)))
    for month in found.values():
        month.save(update_fields=["total"])
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO contract_line (org_id, month_id, model_id, hour, tokens, closes_at)
            SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::smallint[], %s::timestamptz[], %s::bigint[],
                                 %s::timestamptz[])
            ON CONFLICT (month_id, model_id, hour) DO UPDATE SET tokens = contract_line.tokens + excluded.tokens
            """,
            [list(column) for column in zip(*rows, strict=True)],
        )


def _tell_limit(contract: Contract, month: ContractMonth, more: int, now: datetime) -> None:
    """The moment at which requests begin to be refused for this month's overage, once for each limit."""
    pool, limit = months.pool_of(month, contract), from_cents(contract.overage_limit_cents)
    if month.total + more >= month.tokens and pool.overage(month.total) < limit <= pool.overage(month.total + more):
        facts = signing.facts(contract, limit=f"{limit:.2f}")
        key = f"{contract.public_id}:{month}:{contract.overage_limit_cents}"
        announce(contract.wallet_id, Kind.CONTRACT_LIMIT, key=key, facts=facts, now=now)


def _organizations_with_lines_due(through: datetime) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT org_id FROM contract_line WHERE closes_at <= %s ORDER BY org_id LIMIT %s", [through, CHUNK]
        )
        return [org_id for (org_id,) in cursor.fetchall()]


# --- Posting -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    id: int
    org_id: int
    month_id: int
    model_id: int
    hour: datetime
    tokens: int


def _post(org_ids: list[int], *, through: datetime | None, before: datetime | None, now: datetime) -> int:
    lines = _taken(org_ids, through, before)
    if not lines:
        return 0
    _begin({line.month_id for line in lines}, now)
    wanted = ContractMonth.objects.select_for_update(of=("self",)).filter(pk__in={line.month_id for line in lines})
    found = {month.pk: month for month in wanted.select_related("contract").order_by("pk")}
    by_org: dict[int, _Posts] = {}
    for line in sorted(lines, key=lambda line: (line.org_id, line.hour, line.id)):
        posts = by_org.setdefault(line.org_id, _Posts(line.org_id, now))
        posts.add(line, found[line.month_id])
    posting.post([entry for posts in by_org.values() for entry in posts.entries], now=now)
    for posts in by_org.values():
        posts.give_back()
    for month in found.values():
        month.save(update_fields=["posted", "returned"])
    return len(lines)


def _begin(month_ids: set[int], now: datetime) -> None:
    """Use of the first seconds of a month may come before the clock: nothing is posted before the commitment is."""
    for month in ContractMonth.objects.select_related("contract").filter(pk__in=month_ids, begun_at=None):
        months.begin(month.contract, month.period, now=now)


def _taken(org_ids: list[int], through: datetime | None, before: datetime | None) -> list[_Line]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM contract_line
            WHERE org_id = ANY(%s) AND (%s::timestamptz IS NULL OR closes_at <= %s)
                AND (%s::timestamptz IS NULL OR hour < %s)
            RETURNING id, org_id, month_id, model_id, hour, tokens
            """,
            [org_ids, through, through, before, before],
        )
        return [_Line(*row) for row in cursor.fetchall()]


class _Posts:
    """The transfers of one organization's lines, in order, and what of its overage goes back as credit."""

    def __init__(self, org_id: int, now: datetime) -> None:
        self.org_id, self.now = org_id, now
        self.entries: list[Entry] = []
        self._owed = receivables.owed(org_id)
        self._receivable = accounts.of(org_id, Code.CONTRACT_RECEIVABLE)
        self._deferred = accounts.of(org_id, Code.CONTRACT_DEFERRED)
        self._credit: list[tuple[_Line, Decimal]] = []

    def add(self, line: _Line, month: ContractMonth) -> None:
        """Rows 29, 30 and 32, or the same backwards."""
        growth = months.pool_of(month, month.contract).growth(month.posted, month.posted + line.tokens)
        month.posted += line.tokens
        unused = Code.REVENUE_CONTRACT_UNUSED if month.closed_at else self._deferred
        self._move(line, unused, Code.REVENUE_CONTRACT, growth.within, "contract_usage", "")
        beyond = growth.overage
        if beyond < 0:
            to_credit = max(ZERO, -beyond - self._owed)
            if to_credit:
                self._credit.append((line, to_credit))
                month.returned += to_credit
            beyond += to_credit
        self._owed += beyond
        self._move(line, self._receivable, Code.REVENUE_CONTRACT_OVERAGE, beyond, "contract_overage", ":over")

    def give_back(self) -> None:
        """What was paid beyond the commitment, and is not owed after all, is credit."""
        for line, amount in self._credit:
            issue = grants.Issue(
                self.org_id, amount, Code.CREDIT_PAID, Code.REVENUE_CONTRACT_OVERAGE, f"kuse:{line.id}:credit",
                _cause(line), "overage_returned", self.now,
            )  # fmt: skip
            grants.issue_returned(
                issue, source=GrantSource.CORRECTION, title="Overage taken back", expires_at=self.now + CREDIT_LASTS,
                held=False, now=self.now,
            )  # fmt: skip

    def _move(self, line: _Line, debit: int, credit: int, amount: Decimal, reason: str, suffix: str) -> None:
        if amount < 0:
            debit, credit, amount = credit, debit, -amount
        if amount:
            entry = Entry(
                self.org_id, debit, credit, amount, reason, f"kuse:{line.id}{suffix}", _cause(line), line.hour, line.hour,
                line.model_id,
            )  # fmt: skip
            self.entries.append(entry)


def _cause(line: _Line) -> Cause:
    return Cause("contract_line", str(line.id))
