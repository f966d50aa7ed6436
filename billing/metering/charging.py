"""The sweep: what was accepted becomes rollups, draws on credit and a new balance, within seconds.

It runs as often as one likes, twice at once too: deltas are taken with a DELETE under the wallet's lock, in the transaction
that charges them, so each is charged exactly once or is still there.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction

from billing.contracts import drawdown
from billing.coverage.models import Payer
from billing.ledger import accruals, wallets
from billing.ledger.accruals import Cost
from billing.metering import rating, watermark
from billing.metering.models import SweepRun

log = structlog.get_logger(__name__)

CHUNK = 1_000
"""Organizations charged in one transaction."""
RUNS_KEPT = timedelta(days=1)
ONE_SWEEP_AT_A_TIME = 5_001_904_377
"""The number of the advisory lock; any other would do."""

Then = Callable[[list[int], list[int]], object]
"""Called with the organizations of a chunk, and with those of them whose credit paid for something."""

ACCEPTED = "DELETE FROM usage_delta WHERE org_id = ANY(%(orgs)s) RETURNING *"
TAKEN_BACK = """
    SELECT %(org_id)s::bigint AS org_id, %(key_id)s::bigint AS key_id, %(coverage_id)s::bigint AS coverage_id,
        date_trunc('minute', %(occurred_at)s::timestamptz, 'UTC') AS minute, %(price_id)s::int AS price_id,
        %(model_id)s::smallint AS model_id, %(payer)s::smallint AS payer, -1 AS events, -%(input)s::bigint AS input_tokens,
        -%(cached)s::bigint AS cached_tokens, -%(output)s::bigint AS output_tokens, -%(late)s::bigint AS late_tokens
"""
ROLL_UP = """
WITH drained AS ({deltas}), grouped AS MATERIALIZED (
    SELECT org_id, key_id, coverage_id, minute, price_id, model_id, payer, count(*) AS drained,
        sum(events)::bigint AS events, sum(input_tokens)::bigint AS input_tokens,
        sum(cached_tokens)::bigint AS cached_tokens, sum(output_tokens)::bigint AS output_tokens,
        sum(late_tokens)::bigint AS late_tokens
    FROM drained GROUP BY 1, 2, 3, 4, 5, 6, 7
), closed AS MATERIALIZED (
    SELECT org_id, (max(period) + interval '1 month')::date AS oldest_open
    FROM ledger_period WHERE org_id = ANY(%(orgs)s) AND closed_at IS NOT NULL GROUP BY org_id
), rated AS MATERIALIZED (
    SELECT g.*, {cost} AS cost,
        greatest(date_trunc('month', {belongs} AT TIME ZONE 'UTC')::date, c.oldest_open) AS period
    FROM grouped g JOIN price p ON p.id = g.price_id LEFT JOIN closed c ON c.org_id = g.org_id
), minutes AS (
    INSERT INTO usage_minute AS u (org_id, minute, model_id, events, input_tokens, cached_tokens, output_tokens, cost)
    SELECT org_id, minute, model_id, sum(events), sum(input_tokens), sum(cached_tokens), sum(output_tokens), sum(cost)
    FROM rated GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (org_id, minute, model_id) DO UPDATE SET events = u.events + excluded.events,
        input_tokens = u.input_tokens + excluded.input_tokens, cached_tokens = u.cached_tokens + excluded.cached_tokens,
        output_tokens = u.output_tokens + excluded.output_tokens, cost = u.cost + excluded.cost
), hours AS (
    INSERT INTO usage_hour AS u (org_id, hour, key_id, model_id, payer, price_id, period, events,
                                 input_tokens, cached_tokens, output_tokens, late_tokens, cost)
    SELECT org_id, date_trunc('hour', minute, 'UTC'), key_id, model_id, payer, price_id, period, sum(events),
        sum(input_tokens), sum(cached_tokens), sum(output_tokens), sum(late_tokens), sum(cost)
    FROM rated GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7
    ON CONFLICT (org_id, hour, key_id, model_id, payer, price_id, period) DO UPDATE SET
        events = u.events + excluded.events,
        input_tokens = u.input_tokens + excluded.input_tokens, cached_tokens = u.cached_tokens + excluded.cached_tokens,
        output_tokens = u.output_tokens + excluded.output_tokens, late_tokens = u.late_tokens + excluded.late_tokens,
        cost = u.cost + excluded.cost
), allowances AS (
    INSERT INTO allowance_day AS u (org_id, day, coverage_id, tokens)
    SELECT org_id, (minute AT TIME ZONE 'UTC')::date, coverage_id, sum(input_tokens + output_tokens)
    FROM rated WHERE payer = {subscription} AND coverage_id IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (org_id, day, coverage_id) DO UPDATE SET tokens = u.tokens + excluded.tokens
), spends AS (
    INSERT INTO key_spend AS u (key_id, month, spent)
    SELECT key_id, date_trunc('month', minute AT TIME ZONE 'UTC')::date, sum(cost)
    FROM rated WHERE cost <> 0 GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (key_id, month) DO UPDATE SET spent = u.spent + excluded.spent
)
SELECT org_id, model_id, minute, sum(cost), sum(drained)::bigint,
    CASE payer WHEN {contract} THEN coverage_id END AS contract_span, sum(input_tokens + output_tokens)::bigint
FROM rated GROUP BY 1, 2, 3, 6 ORDER BY 1, 3, 2
"""
"""Deltas into the rollups: one statement for use and for what is taken back, so that both move the same figures.

`period` is the month in which the ledger posts it: use belongs where it occurred, what is taken back to when that was.
"""


def sweep(*, now: datetime, then: Then | None = None) -> list[int]:
    """Charges everything accepted so far; answers the organizations it touched, none when another sweep is at work.

    One transaction for each chunk of organizations. `then` is called with each chunk, last in its transaction.
    """
    started = time.perf_counter()
    with _alone() as alone:
        if not alone:
            return []
        # Read before anything is taken: whatever was reported by then is among what is taken now.
        complete_through = watermark.complete_through(now)
        waiting, rows, whole = _waiting(), 0, True
        for first in range(0, len(waiting), CHUNK):
            taken, charged = _charge(waiting[first : first + CHUNK], now, then)
            rows, whole = rows + taken, whole and charged
        _record(now, complete_through if whole else None, rows, started)
        return waiting


@dataclass(frozen=True, slots=True)
class Drained:
    """How many deltas were charged, and whose credit paid for something of it."""

    deltas: int = 0
    charged: tuple[int, ...] = ()


def drain(org_ids: Sequence[int], *, now: datetime) -> Drained:
    """Charges what these organizations used and was not charged yet. Their wallets are locked."""
    rows = _roll_up(ACCEPTED, "g.minute", orgs=list(org_ids))
    accruals.draw((Cost(row.org_id, row.model_id, row.minute, row.cost) for row in rows if row.cost), now=now)
    drawdown.use(_under_contract(rows), now=now)
    charged = sorted({row.org_id for row in rows if row.cost > 0})
    return Drained(sum(row.drained for row in rows), tuple(charged))


def take_from_rollups(org_id: int, *, now: datetime, **event: Any) -> None:
    """Takes one event out of the rollups (the names in TAKEN_BACK): it alone. What was accepted since the last drain must
    stay for the next one, since it is not drawn here. The wallet is locked."""
    rows = _roll_up(TAKEN_BACK, "%(now)s::timestamptz", orgs=[org_id], org_id=org_id, now=now, **event)
    drawdown.use(_under_contract(rows), now=now)


class _Moved(NamedTuple):
    """What was moved of one model and minute. `cost` in USD; `contract_span`: the coverage, where a contract pays."""

    org_id: int
    model_id: int
    minute: datetime
    cost: Decimal
    drained: int
    contract_span: int | None
    tokens: int


def _roll_up(deltas: str, belongs: str, **values: Any) -> list[_Moved]:
    """`belongs`: the moment that decides the month."""
    statement = ROLL_UP.format(
        deltas=deltas, belongs=belongs, cost=rating.cost_sql("g", "p"), subscription=Payer.SUBSCRIPTION.value,
        contract=Payer.CONTRACT.value,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [_Moved(*row) for row in cursor.fetchall()]


def _under_contract(rows: list[_Moved]) -> list[drawdown.Use]:
    return [
        drawdown.Use(row.contract_span, row.model_id, row.minute, row.tokens)
        for row in rows
        if row.contract_span is not None
    ]


def _charge(org_ids: list[int], now: datetime, then: Then | None) -> tuple[int, bool]:
    """One chunk: how many deltas, and whether all of them. An organization that cannot be charged never holds up others."""
    try:
        with transaction.atomic():
            locked = wallets.lock(org_ids)
            drained = drain(locked, now=now)
            if then is not None:
                then(locked, list(drained.charged))
            return drained.deltas, True
    except (OperationalError, InterfaceError):
        raise
    except DatabaseError:
        if len(org_ids) == 1:
            log.exception("organization_not_charged", org_id=org_ids[0])
            return 0, False
    parts = [_charge([org_id], now, then) for org_id in org_ids]
    return sum(taken for taken, _ in parts), all(charged for _, charged in parts)


def _waiting() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT org_id FROM usage_delta ORDER BY org_id")
        return [org_id for (org_id,) in cursor.fetchall()]


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether this is the only sweep; it stays so until the block ends, or the connection does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [ONE_SWEEP_AT_A_TIME])
        (alone,) = cursor.fetchone()
    try:
        yield alone
    finally:
        # A connection that broke has let the lock go by itself.
        if alone and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [ONE_SWEEP_AT_A_TIME])


def _record(now: datetime, complete_through: datetime | None, rows: int, started: float) -> None:
    milliseconds = round((time.perf_counter() - started) * 1000)
    SweepRun.objects.create(at=now, complete_through=complete_through, rows=rows, milliseconds=milliseconds)
    SweepRun.objects.filter(at__lt=now - RUNS_KEPT).delete()
