"""The door for use: a batch goes in whole, each event counts once whatever the retries, and nothing waits for an account.

Standing is read fresh and decided in Python; then the batch is stored together with the deltas the sweep will charge. (ts,
id) is unique; `ts` is the time inside a version-7 id, so for those that alone finds every repeat. Other ids also pass
`usage_seen`, so that one cannot come back under another time (A35).
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.db import IntegrityError, connection, transaction
from msgspec import UNSET

from billing.metering import columns, gateways, partitions, refusals, standing, storing
from billing.metering.columns import MICROSECOND, Y2000
from billing.metering.events import (
    AHEAD,
    ID_TIME_WITHIN,
    OLDEST,
    Batch,
    Event,
    Reason,
    Receipt,
    Refusal,
    refuse,
)
from billing.metering.standing import END, Rate, Standing, Verdict, Verdicts
from billing.metering.storing import Valid

Y1970 = (datetime(1970, 1, 1, tzinfo=UTC) - Y2000) // MICROSECOND
DAY = ID_TIME_WITHIN // MICROSECOND


class CannotStore(Exception):
    """The database could not take the batch now; nothing was stored."""


@dataclass
class Sorted:
    """A batch after each event was decided. `places` are those of the valid ones in what was sent."""

    valid: Valid = field(default_factory=Valid)
    places: list[int] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    duplicate: int = 0


def ingest(batch: Batch, *, gateway_id: int, now: datetime, reported: bool = True) -> Receipt:
    """Takes a batch in one transaction and says what became of each event. Raises CannotStore, then nothing was stored.

    `reported`: the gateway itself sends this now, which counts as a sign of life.
    """
    try:
        return _taken(batch, gateway_id, now, reported)
    except IntegrityError:
        # A day without a partition: made on the spot, as the clock should have done.
        partitions.make(now)
    try:
        return _taken(batch, gateway_id, now, reported)
    except IntegrityError as still:
        raise CannotStore from still


def _taken(batch: Batch, gateway_id: int, now: datetime, reported: bool) -> Receipt:
    with transaction.atomic():
        raw = connection.connection
        with connection.wrap_database_errors, columns.cursor(raw) as cursor:
            receipt = _receipt(cursor, batch, gateway_id, now)
            if receipt.refused:
                refusals.keep(cursor, receipt.refused, gateway_id=gateway_id, now=now)
        if reported:
            # Last, since it locks the gateway's row: what it says is complete becomes visible with the events themselves.
            gateways.mark_seen(gateway_id, now=now, complete_through=batch.complete_through)
        return receipt


def _receipt(cursor: psycopg.Cursor[Any], batch: Batch, gateway_id: int, now: datetime) -> Receipt:
    refused = list(batch.refused)
    if not batch.events:
        return Receipt(0, 0, refused)
    occurred = [event.occurred_at for event in batch.events]
    earliest, latest = now - OLDEST, now + AHEAD
    state = standing.read(
        cursor,
        {event.key for event in batch.events},
        {event.model for event in batch.events},
        # What lies outside the window is refused; neither a year nor a zone that PostgreSQL lacks gets into a statement.
        max(min(occurred), earliest).astimezone(UTC),
        min(max(*occurred, earliest), latest).astimezone(UTC),
    )
    decided = sort_out(batch, state, now)
    refused += decided.refused
    accepted = repeated = 0
    if valid := decided.valid:
        accepted, new = storing.store(cursor, valid, gateway_id=gateway_id, now=now)
        if accepted < len(valid):
            conflicts = _conflicts(cursor, decided, new)
            repeated = len(valid) - accepted - len(conflicts)
            refused += conflicts
    return Receipt(accepted, decided.duplicate + repeated, sorted(refused, key=lambda refusal: refusal.index))


def sort_out(batch: Batch, state: Standing, now: datetime) -> Sorted:
    """Decides each event of the batch by itself, and against its own neighbours: within one batch the first wins.

    The one loop that every event goes through, so it is written for speed.
    """
    out = Sorted()
    valid = out.valid
    numbers: dict[int, int] = {}
    seen: dict[int, Event] = {}
    earliest, latest = now - OLDEST, now + AHEAD
    start = end = END
    verdict: Verdict = Reason.UNKNOWN_KEY
    key = model = None
    for place, event in zip(batch.places, batch.events):
        at = event.occurred_at
        if not earliest <= at <= latest:
            out.refused.append(refuse(place, event, Reason.IN_FUTURE if at > latest else Reason.TOO_OLD))
            continue
        if event.key != key or event.model != model or not start <= at < end:
            key, model = event.key, event.model
            start, end, verdict = _holding(state.verdicts(key, model), at)
        number = event.id.int
        if number in seen:
            _repeated(out, place, event, seen[number])
            continue
        cached = event.cached_input_tokens
        if cached is UNSET:
            cached = 0
        occurred = (at - Y2000) // MICROSECOND
        ts = occurred
        if timed := number >> 76 & 0xF == 7 and number >> 62 & 3 == 2:
            ts = (number >> 80) * 1000 + Y1970
        if type(verdict) is not Rate or cached > event.input_tokens or not -DAY <= ts - occurred <= DAY:
            out.refused.append(_refused(place, event, verdict))
            continue
        rate = numbers.get(id(verdict))
        if rate is None:
            rate = numbers[id(verdict)] = len(valid.kinds)
            valid.kinds.append(verdict)
        seen[number] = event
        if not timed:
            valid.untimed.append(len(valid))
        valid.events.append(event)
        out.places.append(place)
        valid.ids.append(number.to_bytes(16))
        valid.times.append(ts)
        valid.occurred.append(occurred)
        valid.input.append(event.input_tokens)
        valid.cached.append(cached)
        valid.output.append(event.output_tokens)
        valid.rates.append(rate)
    return out


def _holding(verdicts: Verdicts, at: datetime) -> tuple[datetime, datetime, Verdict]:
    for span in verdicts:
        if at < span[1]:
            return span
    raise AssertionError("unreachable: the last span has no end")


def _repeated(out: Sorted, place: int, event: Event, first: Event) -> None:
    if first.same_as(event):
        out.duplicate += 1
    else:
        out.refused.append(refuse(place, event, Reason.ID_CONFLICT, "this id is in the same batch with another body"))


def _refused(place: int, event: Event, verdict: Verdict) -> Refusal:
    if event.cached > event.input_tokens:
        detail = f"cached_input_tokens is part of input_tokens, so never more, at $.events[{place}].cached_input_tokens"
        return refuse(place, event, Reason.INVALID, detail)
    if refusals.looks_like_a_secret(event.key):
        return refuse(place, event, Reason.RAW_KEY)
    return refuse(place, event, verdict if isinstance(verdict, Reason) else Reason.ID_TIME)


def _conflicts(cursor: psycopg.Cursor[Any], decided: Sorted, new: set[bytes]) -> list[Refusal]:
    """Of those that were there before, the ones with another body. A later statement, so it sees what a rival committed."""
    valid = decided.valid
    known = [n for n, id_ in enumerate(valid.ids) if id_ not in new]
    stored = storing.stored(cursor, valid, known)
    conflicts = []
    for n in known:
        event, rate = valid.events[n], valid.kinds[valid.rates[n]]
        body = (event.occurred_at, rate.key_id, rate.model_id, event.input_tokens, event.cached, event.output_tokens)
        if stored.get(valid.ids[n]) != body:
            conflicts.append(refuse(decided.places[n], event, Reason.ID_CONFLICT))
    return conflicts
