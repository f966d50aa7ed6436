"""Putting decided events into the tables: at best three COPYs, else one statement that finds what is there already.

Most batches are new as a whole, and for those COPY is twice as quick as anything that looks for repeats. A key that is there
already ends it, the savepoint takes it back, and the careful way does the batch again. Both go by (ts, id) within events
and by id within `usage_seen`, so batches that overlap wait for each other in one order and never in a circle.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from django.db import transaction

from billing.metering import columns
from billing.metering.columns import MICROSECOND, Y2000
from billing.metering.events import LATE_AFTER, Event
from billing.metering.standing import Rate

MINUTE = 60_000_000
LATE = LATE_AFTER // MICROSECOND

ACCEPT = """
WITH rate AS MATERIALIZED (
    SELECT * FROM unnest(%s, %s, %s, %s, %s, %s) WITH ORDINALITY
        AS r(org_id, key_id, coverage_id, price_id, model_id, payer, n)
), batch AS MATERIALIZED (
    SELECT * FROM unnest(%s, %s, %s, %s, %s, %s, %s)
        AS e(id, ts, occurred_at, input_tokens, cached_tokens, output_tokens, rate)
), {seen} new AS (
    INSERT INTO usage_event (id, ts, occurred_at, accepted_at, org_id, key_id, coverage_id, price_id, model_id, gateway_id,
                             payer, input_tokens, cached_tokens, output_tokens)
    SELECT e.id, e.ts, e.occurred_at, %s, r.org_id, r.key_id, nullif(r.coverage_id, 0), r.price_id, r.model_id, %s, r.payer,
        e.input_tokens, e.cached_tokens, e.output_tokens
    FROM batch e JOIN rate r ON r.n = e.rate {unseen}
    ORDER BY e.ts, e.id
    ON CONFLICT DO NOTHING
    RETURNING id, occurred_at, org_id, key_id, coverage_id, price_id, model_id, payer,
        input_tokens, cached_tokens, output_tokens
), delta AS (
    INSERT INTO usage_delta (org_id, key_id, coverage_id, minute, price_id, model_id, payer, events,
                             input_tokens, cached_tokens, output_tokens, late_tokens)
    SELECT org_id, key_id, coverage_id, date_bin('1 minute', occurred_at, '2000-01-01T00:00:00Z'), price_id, model_id, payer,
        count(*), sum(input_tokens), sum(cached_tokens), sum(output_tokens),
        coalesce(sum(input_tokens + output_tokens) FILTER (WHERE occurred_at < %s), 0)
    FROM new GROUP BY 1, 2, 3, 4, 5, 6, 7
)
SELECT count(*), CASE WHEN count(*) < %s THEN array_agg(id) END FROM new
"""
# Version-7 ids carry their time, so only the others go through `usage_seen`.
TIMED = "((get_byte(uuid_send(e.id), 6) & 240) = 112 AND (get_byte(uuid_send(e.id), 8) & 192) = 128)"
SEEN = f"""seen AS (
    INSERT INTO usage_seen (id, ts) SELECT e.id, e.ts FROM batch e WHERE NOT {TIMED} ORDER BY e.id
    ON CONFLICT DO NOTHING RETURNING id
),"""
UNSEEN = f"WHERE {TIMED} OR e.id IN (SELECT id FROM seen)"
ACCEPT_TIMED = ACCEPT.format(seen="", unseen="")
ACCEPT_ANY = ACCEPT.format(seen=SEEN, unseen=UNSEEN)

COPY_SEEN = "COPY usage_seen (id, ts) FROM STDIN (FORMAT BINARY)"
COPY_EVENTS = """COPY usage_event (ts, id, occurred_at, input_tokens, cached_tokens, output_tokens, accepted_at, gateway_id,
    org_id, key_id, coverage_id, price_id, model_id, payer) FROM STDIN (FORMAT BINARY)"""
COPY_DELTAS = """COPY usage_delta (minute, events, input_tokens, cached_tokens, output_tokens, late_tokens,
    org_id, key_id, coverage_id, price_id, model_id, payer) FROM STDIN (FORMAT BINARY)"""
SEEN_ROW = struct.Struct("!hi16siq")
EVENT_ROW = struct.Struct("!hiqi16siqiqiqiq")
DELTA_ROW = struct.Struct("!hiqiqiqiqiqiq")
COPY_HEAD, COPY_END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"

KNOWN = """
SELECT EXISTS (SELECT FROM usage_event WHERE ts = %s AND id = %s)
    OR EXISTS (SELECT FROM usage_event WHERE ts = %s AND id = %s)
"""
# LATERAL with OFFSET 0: one look-up in one day's index for each id, never a scan of all days.
STORED = """
SELECT b.id, e.occurred_at, e.key_id, e.model_id, e.input_tokens, e.cached_tokens, e.output_tokens
FROM unnest(%s, %s) AS b(id, ts)
LEFT JOIN usage_seen s ON s.id = b.id
CROSS JOIN LATERAL (
    SELECT * FROM usage_event u WHERE u.ts = coalesce(s.ts, b.ts) AND u.id = b.id OFFSET 0
) e
"""


@dataclass
class Valid:
    """The events to be stored, column by column; no id is there twice. Times in microseconds since 2000, `rates` are places
    in `kinds`."""

    events: list[Event] = field(default_factory=list)
    ids: list[bytes] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    occurred: list[int] = field(default_factory=list)
    input: list[int] = field(default_factory=list)
    cached: list[int] = field(default_factory=list)
    output: list[int] = field(default_factory=list)
    rates: list[int] = field(default_factory=list)
    kinds: list[Rate] = field(default_factory=list)
    untimed: list[int] = field(default_factory=list)
    """Places of the ids that are not of version 7."""

    def __len__(self) -> int:
        return len(self.ids)


def store(cursor: psycopg.Cursor[Any], valid: Valid, *, gateway_id: int, now: datetime) -> tuple[int, set[bytes]]:
    """Stores what is new of these, with its deltas: how many were, and which, if not all. In the caller's transaction."""
    if not _sent_before(cursor, valid):
        try:
            with transaction.atomic():
                _copy_all(cursor, valid, gateway_id, now)
                return len(valid), set()
        except psycopg.errors.UniqueViolation:
            pass  # some of it is there already, or a rival sends it at this moment
    return _insert_new(cursor, valid, gateway_id, now)


def stored(cursor: psycopg.Cursor[Any], valid: Valid, places: Sequence[int]) -> dict[bytes, tuple[Any, ...]]:
    """What is stored under these ids: id -> (occurred at, key, model, input, cached, output)."""
    cursor.execute(
        STORED,
        [columns.uuids([valid.ids[n] for n in places]), columns.instants([valid.times[n] for n in places])],
        prepare=False,
    )
    return {id_.bytes: tuple(body) for id_, *body in cursor.fetchall()}


def _sent_before(cursor: psycopg.Cursor[Any], valid: Valid) -> bool:
    """Whether the first or the last event is known: then the batch is sent again, and COPY would be in vain."""
    if valid.untimed:
        ends = [UUID(bytes=valid.ids[n]) for n in (valid.untimed[0], valid.untimed[-1])]
        cursor.execute("SELECT EXISTS (SELECT FROM usage_seen WHERE id = ANY(%s))", [ends], prepare=False)
    else:
        # Values, not a join: then one day's index is all that is even planned for.
        first, last = ((Y2000 + valid.times[n] * MICROSECOND, UUID(bytes=valid.ids[n])) for n in (0, -1))
        cursor.execute(KNOWN, [*first, *last], prepare=False)
    ((known,),) = cursor.fetchall()
    return bool(known)


# --- All of it is new --------------------------------------------------------------------------------------------------


def _copy_all(cursor: psycopg.Cursor[Any], valid: Valid, gateway_id: int, now: datetime) -> None:
    if valid.untimed:
        seen = sorted((valid.ids[n], valid.times[n]) for n in valid.untimed)
        _copy(cursor, COPY_SEEN, [SEEN_ROW.pack(2, 16, id_, 8, ts) for id_, ts in seen])
    accepted_at = (now - Y2000) // MICROSECOND
    common = struct.pack("!iqih", 8, accepted_at, 2, gateway_id)
    tails = [_tail(rate) for rate in valid.kinds]
    heads = [common + tail for tail in tails]
    rows = sorted(zip(valid.times, valid.ids, valid.occurred, valid.input, valid.cached, valid.output, valid.rates))
    pack = EVENT_ROW.pack
    _copy(
        cursor,
        COPY_EVENTS,
        [
            pack(14, 8, ts, 16, id_, 8, at, 8, tokens, 8, cached, 8, written) + heads[rate]
            for ts, id_, at, tokens, cached, written, rate in rows
        ],
    )
    deltas = _deltas(valid, accepted_at)
    _copy(
        cursor,
        COPY_DELTAS,
        [
            DELTA_ROW.pack(12, 8, minute, *(part for figure in sums for part in (8, figure))) + tails[rate]
            for (rate, minute), sums in deltas.items()
        ],
    )


def _deltas(valid: Valid, accepted_at: int) -> dict[tuple[int, int], list[int]]:
    """(rate, minute) -> [events, input, cached, output, late tokens]."""
    deltas: dict[tuple[int, int], list[int]] = {}
    late = accepted_at - LATE
    for at, tokens, cached, written, rate in zip(valid.occurred, valid.input, valid.cached, valid.output, valid.rates):
        place = (rate, at - at % MINUTE)
        sums = deltas.get(place)
        if sums is None:
            sums = deltas[place] = [0, 0, 0, 0, 0]
        sums[0] += 1
        sums[1] += tokens
        sums[2] += cached
        sums[3] += written
        if at < late:
            sums[4] += tokens + written
    return deltas


def _tail(rate: Rate) -> bytes:
    """The columns that are the same for every event of a rate."""
    coverage = struct.pack("!iq", 8, rate.coverage_id) if rate.coverage_id is not None else struct.pack("!i", -1)
    owner = struct.pack("!iqiq", 8, rate.org_id, 8, rate.key_id)
    return owner + coverage + struct.pack("!iiihih", 4, rate.price_id, 2, rate.model_id, 2, rate.payer)


def _copy(cursor: psycopg.Cursor[Any], statement: str, rows: Iterable[bytes]) -> None:
    with cursor.copy(statement) as copy:
        copy.write(b"".join((COPY_HEAD, *rows, COPY_END)))


# --- Some of it is not -------------------------------------------------------------------------------------------------


def _insert_new(cursor: psycopg.Cursor[Any], valid: Valid, gateway_id: int, now: datetime) -> tuple[int, set[bytes]]:
    rates = valid.kinds
    cursor.execute(
        ACCEPT_ANY if valid.untimed else ACCEPT_TIMED,
        [
            columns.int8s([rate.org_id for rate in rates]),
            columns.int8s([rate.key_id for rate in rates]),
            columns.int8s([rate.coverage_id or 0 for rate in rates]),
            columns.int4s([rate.price_id for rate in rates]),
            columns.int4s([rate.model_id for rate in rates]),
            columns.int4s([rate.payer for rate in rates]),
            columns.uuids(valid.ids),
            columns.instants(valid.times),
            columns.instants(valid.occurred),
            columns.int8s(valid.input),
            columns.int8s(valid.cached),
            columns.int8s(valid.output),
            columns.int4s([rate + 1 for rate in valid.rates]),
            now,
            gateway_id,
            now - LATE_AFTER,
            len(valid),
        ],
        # A prepared statement would guess ten rows for each array and join them in nested loops.
        prepare=False,
    )
    ids: list[UUID] | None
    ((accepted, ids),) = cursor.fetchall()
    return accepted, {id_.bytes for id_ in ids or ()}
