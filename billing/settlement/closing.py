"""A calendar month is over and complete: its usage is posted, its overdraft decided on, its books closed for ever.

In sets of thousands of organizations, each set one transaction: a crash loses at most the set under way, which is then found
again by query, and an organization that somebody works on is left for the next run. It is settled once a month, or not at
all when nothing moved and nothing is owed. What is to be charged is charged afterwards, by `dunning`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction

from billing import periods
from billing.contracts import drawdown, months
from billing.ledger import accruals, expiry, posting, wallets
from billing.ledger.chart import Code
from billing.ledger.posting import Cause, Entry
from billing.metering import charging
from billing.settlement import ceilings, deciding, dunning, owing
from billing.settlement.deciding import Decision
from billing.settlement.models import Decided, Stage
from billing.settlement.owing import Owing
from billing.subscriptions import earning

log = structlog.get_logger(__name__)

CHUNK = 5_000
"""Organizations settled in one transaction."""
GRACE = timedelta(minutes=5)
"""How far the watermark must be past a month's end (A13)."""
AT_LATEST = timedelta(hours=72)
"""How long after its end a month is closed even if a gateway stays silent (A13)."""

STAGES = {Decided.CHARGE: Stage.DUE, Decided.NO_CARD: Stage.NO_CARD}

Then = Callable[[list[int], list[int]], object]
"""Called last in the transaction, with the organizations whose money moved, and those of them that used some of it."""


@dataclass(frozen=True, slots=True)
class Run:
    """What every set of one run shares."""

    now: datetime
    watermark: datetime | None
    recharging: owing.Recharging
    then: Then


def settle(*, now: datetime, watermark: datetime | None, recharging: owing.Recharging, then: Then) -> int:
    """Settle every month that is complete, the oldest first; answers how many. Again it finds nothing left to do."""
    run = Run(now, watermark, recharging, then)
    settled = 0
    for period in unsettled(now=now, watermark=watermark):
        waiting = _waiting(period, newest=period == last_complete(now=now, watermark=watermark))
        for first in range(0, len(waiting), CHUNK):
            settled += _settle(waiting[first : first + CHUNK], period, run)
    return settled


def last_complete(*, now: datetime, watermark: datetime | None) -> date:
    """The newest month that may be closed: the watermark is 5 minutes past its end, or its end 72 hours ago (A13)."""
    through = now - AT_LATEST
    if watermark is not None:
        through = max(through, min(watermark, now) - GRACE)
    return periods.month_before(periods.month_of(through))


def unsettled(*, now: datetime, watermark: datetime | None) -> list[date]:
    """Those in which something may wait to be closed, oldest first."""
    last = last_complete(now=now, watermark=watermark)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT period FROM ledger_period WHERE closed_at IS NULL AND period < %s ORDER BY period", [last]
        )
        return [*(period for (period,) in cursor.fetchall()), last]


# --- One set of organizations ----------------------------------------------------------------------------------------


def _settle(org_ids: list[int], period: date, run: Run) -> int:
    """One set. An organization that cannot be settled never holds up the others."""
    try:
        return _settle_together(org_ids, period, run)
    except (OperationalError, InterfaceError):
        raise
    except DatabaseError:
        if len(org_ids) == 1:
            log.exception("organization_not_settled", org_id=org_ids[0], period=f"{period:%Y-%m}")
            return 0
    middle = len(org_ids) // 2
    return sum(_settle(part, period, run) for part in (org_ids[:middle], org_ids[middle:]))


@transaction.atomic
def _settle_together(org_ids: list[int], period: date, run: Run) -> int:
    locked = wallets.lock_free(org_ids)
    using = _with_usage(locked)
    charged = charging.drain(using, now=run.now).charged
    expiry.expire(locked, now=run.now, watermark=run.watermark)
    accruals.close(locked, now=run.now, before=_end(period))
    drawdown.close(locked, now=run.now, before=_end(period))
    earning.earn(locked, through=periods.next_month(period), now=run.now)
    ready = owing.next_to_close(locked, period)
    if not ready:
        run.then(using, list(charged))
        return 0
    owed = owing.of(ready, period, recharging=run.recharging, now=run.now)
    ceiling = ceilings.when(ready, _end(period))
    decisions = {org_id: deciding.decide(owed[org_id].standing, ceiling=ceiling[org_id]) for org_id in ready}
    _write_off(decisions, owed, period, run.now)
    months.close(ready, period, now=run.now)
    _close(ready, period, run.now)
    _replace_earlier(decisions)
    _record(decisions, owed, period, ceiling, run.now)
    for org_id, decision in decisions.items():
        if decision.decided == Decided.NO_CARD:
            dunning.tell_no_card(org_id, period, deciding.chargeable(decision.carried, ceiling[org_id]), now=run.now)
    moved = {org_id for org_id, decision in decisions.items() if decision.decided != Decided.NOTHING}
    run.then(sorted(moved | set(using)), list(charged))
    return len(ready)


def _end(period: date) -> datetime:
    return periods.month_start(periods.next_month(period))


WAITING = """
SELECT org_id FROM ledger_period WHERE period = %(period)s AND closed_at IS NULL AND org_id <> 0
"""
WITHOUT_A_MONTH = """
UNION SELECT o.org_id FROM (
    SELECT org_id FROM accrual WHERE hour < %(end)s
    UNION SELECT org_id FROM usage_delta WHERE minute < %(end)s
    UNION SELECT org_id FROM account WHERE code = 1100 AND balance < 0) o
WHERE NOT EXISTS (
    SELECT FROM ledger_period p WHERE p.org_id = o.org_id AND p.period >= %(period)s AND p.closed_at IS NOT NULL)
"""
"""Who used something that is not posted yet, and who owes: also those for whom nothing moved in that month."""


def _waiting(period: date, *, newest: bool) -> list[int]:
    statement = WAITING + (WITHOUT_A_MONTH if newest else "") + "ORDER BY org_id"
    return [org_id for (org_id,) in owing.rows(statement, {"period": period, "end": _end(period)})]


def _with_usage(org_ids: list[int]) -> list[int]:
    found = owing.rows("SELECT DISTINCT org_id FROM usage_delta WHERE org_id = ANY(%(orgs)s)", {"orgs": org_ids})
    return sorted(org_id for (org_id,) in found)


# --- Writing it down ----------------------------------------------------------------------------------------------------


def _write_off(decisions: dict[int, Decision], owed: dict[int, Owing], period: date, now: datetime) -> None:
    """Posting row 21, in the month that is being closed: its statement shows it."""
    last_instant = _end(period) - timedelta(microseconds=1)
    entries = [
        Entry(
            org_id, Code.OVERDRAFT_EXCESS, owed[org_id].account_id, decision.written_off, "write_off",
            f"wo:{org_id}:{period:%Y-%m}:{decision.written_off_as}", Cause("settlement", f"{org_id}:{period:%Y-%m}"),
            last_instant,
        )
        for org_id, decision in decisions.items()
        if decision.written_off
    ]  # fmt: skip
    posting.post(entries, now=now)


def _close(org_ids: list[int], period: date, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_period_close(%s::bigint[], %s, %s)", [org_ids, period, now])


def _replace_earlier(decisions: dict[int, Decision]) -> None:
    """What was put off in an earlier month, and never tried, is part of what this one collects."""
    org_ids = [org_id for org_id, decision in decisions.items() if decision.decided in STAGES]
    if org_ids:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE settlement SET stage = 'replaced', next_try_at = NULL"
                " WHERE org_id = ANY(%s) AND stage IN ('due', 'no_card')",
                [org_ids],
            )


RECORD = """
INSERT INTO settlement (org_id, period, closed_at, overdraft_at_end, overdraft_at_closing, ceiling, decided, charge_cents,
                        written_off, written_off_as, carried, stage, tries, next_try_at)
SELECT org_id, %(period)s, %(now)s, at_end, at_closing, ceiling, decided, cents, written_off, written_off_as, carried,
    stage, 0, CASE stage WHEN 'due' THEN %(now)s END
FROM unnest(%(orgs)s::bigint[], %(at_end)s::numeric[], %(at_closing)s::numeric[], %(ceiling)s::numeric[],
            %(decided)s::text[], %(cents)s::bigint[], %(written_off)s::numeric[], %(as_)s::text[], %(carried)s::numeric[],
            %(stage)s::text[])
    AS s (org_id, at_end, at_closing, ceiling, decided, cents, written_off, written_off_as, carried, stage)
"""


def _record(
    decisions: dict[int, Decision],
    owed: dict[int, Owing],
    period: date,
    ceiling: dict[int, Decimal],
    now: datetime,
) -> None:
    ours = [owed[org_id].standing for org_id in decisions]
    made = list(decisions.values())
    values: dict[str, Any] = {
        "period": period,
        "now": now,
        "orgs": list(decisions),
        "ceiling": [ceiling[org_id] for org_id in decisions],
        "at_end": [standing.at_end for standing in ours],
        "at_closing": [standing.now for standing in ours],
        "decided": [decision.decided.value for decision in made],
        "cents": [decision.charge_cents for decision in made],
        "written_off": [decision.written_off for decision in made],
        "as_": [decision.written_off_as.value if decision.written_off_as else "" for decision in made],
        "carried": [decision.carried for decision in made],
        "stage": [STAGES.get(decision.decided, Stage.OVER).value for decision in made],
    }
    with connection.cursor() as cursor:
        cursor.execute(RECORD, values)
