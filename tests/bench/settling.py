"""Months that end: target 11."""

from datetime import UTC, datetime, timedelta
from unittest import mock

from django.db import connection

from billing import flows, periods
from billing.settlement import closing
from tests.bench import measuring
from tests.bench.measuring import Figure

TOGETHER, ALONE = 5_000, 60
"""Organizations of one measurement: one set, and so many one at a time. With 100,000 of them it is twenty such sets."""
FILL = """
WITH made AS (
    INSERT INTO organization (kind, slug, name, created_at)
    SELECT 'team', 'settling-' || %(round)s || '-' || n, 'Team ' || n, %(at)s FROM generate_series(1, %(count)s) n
    RETURNING id
) SELECT count(*) FROM made
"""
OPEN = """
INSERT INTO ledger_period (org_id, period, seq, head)
SELECT id, %(period)s, 0, decode(repeat('00', 32), 'hex') FROM organization WHERE slug LIKE 'settling-' || %(round)s || '-%%'
"""


def settling() -> list[Figure]:
    """11: a month of many organizations that moved and owe nothing, as nearly all do, in sets and one at a time."""
    ratios, _, _ = measuring.rates(
        lambda n: _rate(2 * n, TOGETHER, closing.CHUNK), lambda n: _rate(2 * n + 1, ALONE, 1)
    )
    return [measuring.figure("11", "settlement in sets of 5,000 / one at a time", ratios, at_least=50)]


def _rate(round_: int, count: int, chunk: int) -> float:
    """Organizations a second."""
    now = datetime.now(UTC)
    period = periods.month_before(periods.month_before(periods.month_of(now)))
    _fill(round_, count, periods.month_start(period) + timedelta(days=3), period)
    with mock.patch.object(closing, "CHUNK", chunk):
        settled: list[int] = []
        seconds = measuring.seconds(lambda: settled.append(flows.settle_periods(now=now)))
    if settled != [count]:
        raise RuntimeError(f"{settled} organizations were settled, not {count}")
    return count / seconds


def _fill(round_: int, count: int, at: datetime, period: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FILL, {"round": round_, "count": count, "at": at})
        cursor.execute(OPEN, {"round": round_, "period": period})
        cursor.execute("ANALYZE organization, wallet, account, ledger_period, settlement")
