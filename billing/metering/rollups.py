"""Rollups are what the sweep added up; here they are added up again from the events, and compared.

Both read the same prices and the same sum (`rating.cost_sql`), so a difference is a fault. Mending adds the difference to
the month that is open now: what a closed month said stays said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from billing.coverage.models import Payer
from billing.ledger import posting, wallets
from billing.metering import charging, rating

SUMS = ("events", "input_tokens", "cached_tokens", "output_tokens", "late_tokens", "cost")

EVENTS = f"""
SELECT e.org_id, e.key_id, e.coverage_id, e.model_id, e.price_id, e.payer,
    date_trunc('minute', e.occurred_at, 'UTC') AS minute, 1 AS events, e.input_tokens, e.cached_tokens, e.output_tokens,
    CASE WHEN e.accepted_at - e.occurred_at > interval '15 minutes' THEN e.input_tokens + e.output_tokens ELSE 0 END
        AS late_tokens,
    {rating.cost_sql("e", "p")} AS cost
FROM usage_event e JOIN price p ON p.id = e.price_id
WHERE e.org_id = ANY(%(orgs)s) AND e.ts >= %(since)s::timestamptz - interval '1 day' AND e.occurred_at >= %(since)s
    AND NOT EXISTS (SELECT 1 FROM usage_reversal r WHERE r.event_id = e.id)
"""
PENDING = f"""
SELECT d.org_id, d.key_id, d.coverage_id, d.model_id, d.price_id, d.payer, d.minute, d.events, d.input_tokens,
    d.cached_tokens, d.output_tokens, d.late_tokens, {rating.cost_sql("d", "p")} AS cost
FROM usage_delta d JOIN price p ON p.id = d.price_id WHERE d.org_id = ANY(%(orgs)s) AND d.minute >= %(since)s
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """A rollup row that is not the sum of its events: `missing` is what has to be added to each figure."""

    table: str
    place: tuple[Any, ...]
    missing: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Rollup:
    """A table, how its key is made from usage, and which sums it keeps."""

    table: str
    key: dict[str, str]
    sums: dict[str, str]
    of: str = "true"
    kept: str = "true"

    def query(self) -> str:
        """Rows that differ: (key ..., what is missing from each sum ...). One statement, so one moment."""
        keys = ", ".join(self.key)
        made = ", ".join(f"{sql} AS {name}" for name, sql in self.key.items())
        positive = ", ".join(f"{sql} AS {name}" for name, sql in self.sums.items())
        negative = ", ".join(f"-({sql})" for sql in self.sums.values())
        taken = ", ".join(f"-t.{name}" for name in self.sums)
        own = ", ".join(f"t.{name}" for name in self.key)
        missing = ", ".join(f"sum({name}) AS {name}" for name in self.sums)
        differs = " OR ".join(f"sum({name}) <> 0" for name in self.sums)
        return f"""
            SELECT {keys}, {missing} FROM (
                SELECT {made}, {positive} FROM ({EVENTS}) u WHERE {self.of}
                UNION ALL SELECT {made}, {negative} FROM ({PENDING}) u WHERE {self.of}
                UNION ALL SELECT {own}, {taken} FROM {self.table} t WHERE {self.kept}
            ) x GROUP BY {keys} HAVING {differs} ORDER BY {keys}"""


def _as_they_are(*names: str) -> dict[str, str]:
    return {name: name for name in names}


IN_ORGANIZATIONS = "t.org_id = ANY(%(orgs)s) AND "
ROLLUPS = (
    Rollup(
        "usage_minute",
        _as_they_are("org_id", "minute", "model_id"),
        _as_they_are("events", "input_tokens", "cached_tokens", "output_tokens", "cost"),
        kept=IN_ORGANIZATIONS + "t.minute >= %(since)s",
    ),
    Rollup(
        "usage_hour",
        {
            "org_id": "org_id", "hour": "date_trunc('hour', minute, 'UTC')",
            **_as_they_are("key_id", "model_id", "payer", "price_id"),
        },
        _as_they_are(*SUMS),
        kept=IN_ORGANIZATIONS + "t.hour >= %(since)s",
    ),
    Rollup(
        "allowance_day",
        {"org_id": "org_id", "day": "(minute AT TIME ZONE 'UTC')::date", "coverage_id": "coverage_id"},
        {"tokens": "input_tokens + output_tokens"},
        of=f"payer = {Payer.SUBSCRIPTION.value} AND coverage_id IS NOT NULL",
        kept=IN_ORGANIZATIONS + "t.day >= %(since)s::date",
    ),
    Rollup(
        "key_spend",
        {"key_id": "key_id", "month": "date_trunc('month', minute AT TIME ZONE 'UTC')::date"},
        {"spent": "cost"},
        kept="t.month >= %(since)s::date AND t.key_id IN (SELECT k.id FROM api_key k WHERE k.org_id = ANY(%(orgs)s))",
    ),
)  # fmt: skip


def compare(org_ids: Sequence[int], *, since: datetime) -> list[Difference]:
    """Every rollup row of these organizations, from `since` on, that is not the sum of its events. Empty when all is well.

    `since` is the start of a UTC day; the months' sums are compared only when it is the start of a month.
    """
    found = []
    with connection.cursor() as cursor:
        for rollup in ROLLUPS:
            if rollup.table == "key_spend" and since.day != 1:
                continue
            cursor.execute(rollup.query(), {"orgs": list(org_ids), "since": since})
            wide = len(rollup.key)
            found += [Difference(rollup.table, row[:wide], row[wide:]) for row in cursor.fetchall()]
    return found


def rebuild(org_ids: Sequence[int], *, since: datetime, now: datetime) -> int:
    """Makes the rollups equal to the events again, in the caller's transaction; answers how many rows were mended."""
    locked = wallets.lock(org_ids)
    charging.drain(locked, now=now)
    differences = compare(locked, since=since)
    for difference in differences:
        _mend(difference)
    return len(differences)


def _mend(difference: Difference) -> None:
    rollup = next(rollup for rollup in ROLLUPS if rollup.table == difference.table)
    names, place = list(rollup.key), list(difference.place)
    if rollup.table == "usage_hour":
        org_id, hour = place[:2]
        names.append("period")
        place.append(posting.open_period(hour, posting.last_closed([org_id]).get(org_id)))
    columns = [*names, *rollup.sums]
    grown = ", ".join(f"{name} = u.{name} + excluded.{name}" for name in rollup.sums)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {rollup.table} AS u ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"
            f" ON CONFLICT ({', '.join(names)}) DO UPDATE SET {grown}",
            [*place, *difference.missing],
        )
