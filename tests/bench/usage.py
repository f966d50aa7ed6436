"""Use coming in: targets 1, 2, 5, 6 and 13."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
from django.db import connection, transaction
from psycopg import errors

from billing import flows
from billing.coverage.models import Payer
from billing.ledger import audit, chains
from billing.ledger.audit import Scope
from billing.metering import columns, ingest
from billing.metering.events import Batch, Event
from billing.metering.models import UsageEvent
from tests.bench import measuring, world
from tests.bench.measuring import Figure
from tests.bench.world import Customer, Server, World

BATCH = 1_000
BATCHES = 10
"""Batches of one measurement: ten thousand events."""

COLUMNS = (
    "id, ts, occurred_at, accepted_at, org_id, key_id, price_id, model_id, gateway_id, payer, "
    "input_tokens, cached_tokens, output_tokens"
)
Row = tuple[Any, ...]


def http(here: World, server: Server) -> list[Figure]:
    """1 and 2: a batch of a thousand over HTTP, all that is done to it, against COPY and against bulk_create."""
    found = []
    for label, customers, least in (("1 organization", (here.one,), 0.30), ("100 x 4 keys", here.hundred, 0.20)):
        ratios, _, _ = measuring.rates(partial(_posting_rate, server, customers), partial(_copy_rate, here, customers))
        number = "1" if label.startswith("1 ") else "1b"
        found.append(measuring.figure(number, f"HTTP ingest / binary COPY, {label}", ratios, at_least=least))
        world.empty_usage()
    ratios, _, _ = measuring.rates(partial(_posting_rate, server, (here.one,)), partial(_bulk_create_rate, here))
    found.append(measuring.figure("2", "HTTP ingest / bulk_create", ratios, at_least=4))
    world.empty_usage()
    return found


def charging(here: World) -> list[Figure]:
    """5 and 6: ingest, rate and debit against only appending, and against a locked account per event."""
    ratios, _, _ = measuring.rates(partial(_charging_rate, here), partial(_append_rate, here))
    appended = measuring.figure("5", "ingest + rate + debit / append only, 100 organizations", ratios, at_least=0.5)
    world.empty_usage()
    ratios, _, _ = measuring.rates(partial(_charging_rate, here), partial(_one_by_one_rate, here))
    locked = measuring.figure("6", "the same / SELECT FOR UPDATE per event", ratios, at_least=40)
    return [appended, locked]


def overlapping(here: World) -> list[Figure]:
    """13: the same batches from four connections in opposite orders; no deadlock, and every sum equal."""
    world.empty_usage()
    now = datetime.now(UTC)
    batches = [_decoded(here.hundred, now) for _ in range(10)]
    deadlocks: list[str] = []

    def send(order: Sequence[Batch]) -> None:
        try:
            for batch in order:
                ingest.ingest(batch, gateway_id=here.gateway_id, now=now)
        except errors.DeadlockDetected as dead:
            deadlocks.append(str(dead))
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=[batches[:: 1 if n % 2 else -1]]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    flows.sweep(now=now)
    return [
        measuring.figure("13", "deadlocks, overlapping batches", [len(deadlocks)], at_most=0),
        measuring.figure("13b", "organizations whose sums differ", [imbalance(here, expected=10 * BATCH)], at_most=0),
    ]


def imbalance(here: World, expected: int) -> int:
    """How many things differ: events counted, events x price against rollups, and the ledger's own audit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM usage_event")
        (counted,) = cursor.fetchone()
        cursor.execute(
            """
            SELECT count(*) FROM (
                SELECT e.org_id, sum((e.input_tokens - e.cached_tokens) * p.input_usd + e.cached_tokens * p.cached_usd
                                     + e.output_tokens * p.output_usd) AS cost
                FROM usage_event e JOIN price p ON p.id = e.price_id GROUP BY 1) e
            FULL JOIN (SELECT org_id, sum(cost) AS cost FROM usage_hour GROUP BY 1) h USING (org_id)
            FULL JOIN (SELECT org_id, sum(cost) AS cost FROM usage_minute GROUP BY 1) m USING (org_id)
            WHERE e.cost IS DISTINCT FROM h.cost OR h.cost IS DISTINCT FROM m.cost
            """
        )
        (differing,) = cursor.fetchone()
    # Earlier measures took their usage away again and left what it cost in the ledger.
    promises = list(audit.ask((*audit.CHECKS, *chains.CHECKS), Scope(datetime.now(UTC))))
    return int(differing + len(promises) + (counted != expected))


# --- What is timed: each answers events per second ---


def _posting_rate(server: Server, customers: Sequence[Customer], round_: int) -> float:
    now = datetime.now(UTC)
    bodies = [world.body(world.events(customers, BATCH, now)) for _ in range(BATCHES)]

    def post() -> None:
        for body in bodies:
            if server.post("/api/v1/usage", body)["accepted"] != BATCH:
                raise RuntimeError("not all events were accepted")

    return BATCH * BATCHES / measuring.seconds(post)


def _copy_rate(here: World, customers: Sequence[Customer], round_: int) -> float:
    """The fastest PostgreSQL takes rows: binary COPY into a plain table without index, a thousand rows a commit."""
    batches = [_rows(here, customers) for _ in range(BATCHES)]
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_copy")
        cursor.execute("CREATE TABLE bench_copy (LIKE usage_event)")

    def copy() -> None:
        for rows in batches:
            with (
                connection.cursor() as cursor,
                cursor.copy(f"COPY bench_copy ({COLUMNS}) FROM STDIN (FORMAT binary)") as sink,
            ):
                sink.set_types(
                    [
                        "uuid",
                        "timestamptz",
                        "timestamptz",
                        "timestamptz",
                        "int8",
                        "int8",
                        "int4",
                        "int2",
                        "int2",
                        "int2",
                    ]
                    + ["int8"] * 3
                )
                for row in rows:
                    sink.write_row(row)

    return BATCH * BATCHES / measuring.seconds(copy)


def _bulk_create_rate(here: World, round_: int) -> float:
    batches = [[UsageEvent(**_named(row)) for row in _rows(here, (here.one,))] for _ in range(BATCHES)]

    def create() -> None:
        for batch in batches:
            UsageEvent.objects.bulk_create(batch)

    return BATCH * BATCHES / measuring.seconds(create)


def _charging_rate(here: World, round_: int) -> float:
    """Ingest as the door does it, then one sweep, as in five busy seconds."""
    now = datetime.now(UTC)
    batches = [_decoded(here.hundred, now) for _ in range(BATCHES)]

    def charge() -> None:
        for batch in batches:
            ingest.ingest(batch, gateway_id=here.gateway_id, now=now)
        flows.sweep(now=now)

    return BATCH * BATCHES / measuring.seconds(charge)


APPEND = """
INSERT INTO usage_event (id, ts, occurred_at, accepted_at, org_id, key_id, price_id, model_id, gateway_id, payer,
                         input_tokens, cached_tokens, output_tokens)
SELECT id, ts, ts, %s, org_id, key_id, %s, %s, %s, %s, i, 0, o
FROM unnest(%s, %s, %s, %s, %s, %s) AS e(id, ts, org_id, key_id, i, o) ORDER BY ts, id
"""


def _append_rate(here: World, round_: int) -> float:
    """Rows that are resolved already, appended to the same partitions by the same kind of statement, and nothing else."""
    now = datetime.now(UTC)
    batches = [_rows(here, here.hundred) for _ in range(BATCHES)]

    def append() -> None:
        for rows in batches:
            packed = (
                columns.uuids([row[0].bytes for row in rows]),
                columns.instants([(row[1] - columns.Y2000) // columns.MICROSECOND for row in rows]),
                *(columns.int8s([row[place] for row in rows]) for place in (4, 5, 10, 12)),
            )
            with transaction.atomic(), columns.cursor(connection.connection) as cursor:
                cursor.execute(
                    APPEND,
                    [now, here.price.pk, here.model.pk, here.gateway_id, Payer.CREDITS.value, *packed],
                    prepare=False,
                )

    return BATCH * BATCHES / measuring.seconds(append)


def _one_by_one_rate(here: World, round_: int, count: int = 200) -> float:
    """The obvious way: a transaction per event that locks the account, inserts, and lowers the balance."""
    rows = _rows(here, here.hundred)[:count]
    places = ", ".join(["%s"] * len(COLUMNS.split(",")))
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_account")
        cursor.execute("CREATE TABLE bench_account AS SELECT org_id, 1000000::numeric(26,12) AS balance FROM wallet")
        cursor.execute("ALTER TABLE bench_account ADD PRIMARY KEY (org_id)")

    def one_by_one() -> None:
        for row in rows:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT balance FROM bench_account WHERE org_id = %s FOR UPDATE", [row[4]])
                cursor.execute(f"INSERT INTO usage_event ({COLUMNS}) VALUES ({places})", row)
                cost = Decimal(str(row[10])) * here.price.input_usd + Decimal(str(row[12])) * here.price.output_usd
                cursor.execute("UPDATE bench_account SET balance = balance - %s WHERE org_id = %s", [cost, row[4]])

    return count / measuring.seconds(one_by_one)


# --- What goes in ------------------------------------------------------------------------------------------------------


def _decoded(customers: Sequence[Customer], now: datetime) -> Batch:
    made = msgspec.convert(world.events(customers, BATCH, now), list[Event])
    return Batch(events=made, places=list(range(BATCH)))


def _rows(here: World, customers: Sequence[Customer]) -> list[Row]:
    """Events as rows, resolved, in the order of COLUMNS."""
    now = datetime.now(UTC)
    keys = {key: (who.org_id, id_) for who in customers for key, id_ in zip(who.keys, who.key_ids)}
    rows: list[Row] = []
    for event in msgspec.convert(world.events(customers, BATCH, now), list[Event]):
        org_id, key_id = keys[event.key]
        at = event.occurred_at
        rows.append(
            (event.id, at, at, now, org_id, key_id, here.price.pk, here.model.pk, here.gateway_id, Payer.CREDITS.value,
             event.input_tokens, 0, event.output_tokens)
        )  # fmt: skip
    return rows


def _named(row: Row) -> dict[str, object]:
    return dict(zip((name.strip() for name in COLUMNS.split(",")), row))
