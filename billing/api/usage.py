"""Use coming in: `POST /api/v1/usage` and `POST /api/v1/usage/reversals`, for gateways."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from django.http import HttpResponse

from billing import flows, wording
from billing.api import doors, strict
from billing.metering import ingest, refusals, reversing
from billing.metering.events import AHEAD, MOST_EVENTS, WORDS, Batch, Event, Instant, Reason, Receipt, Refusal
from billing.metering.reversing import Reversal


class Report(msgspec.Struct, forbid_unknown_fields=True):
    """A batch of usage. Empty it is a heartbeat; `complete_through` says that everything before has been reported."""

    events: list[Event]
    complete_through: Instant | msgspec.UnsetType = msgspec.UNSET


class _Loose(msgspec.Struct, forbid_unknown_fields=True):
    """The same with each event unread, for a batch in which one of them is wrong."""

    events: list[msgspec.Raw]
    complete_through: Instant | msgspec.UnsetType = msgspec.UNSET


class Refused(msgspec.Struct):
    index: int
    id: str | None
    reason: Reason
    detail: str
    retryable: bool = False


class Answer(msgspec.Struct):
    """accepted + duplicate + refused = the events sent. A refused event is never to be sent again."""

    accepted: int
    duplicate: int
    refused: list[Refused]


class ReversalAsk(msgspec.Struct, forbid_unknown_fields=True):
    """Takes one event back whole. `id` is the reversal's own, so that sending it twice does it once."""

    id: UUID
    event_id: UUID
    reason: reversing.Words


class ReversalAnswer(msgspec.Struct):
    id: str
    event_id: str
    cost_usd: str
    duplicate: bool


@doors.door("POST")
@doors.gateway
def report(request: doors.GatewayRequest) -> HttpResponse:
    now = datetime.now(UTC)
    batch = read(doors.read(request), now)
    try:
        receipt = ingest.ingest(batch, gateway_id=request.gateway.id, now=now)
    except ingest.CannotStore:
        raise doors.away() from None
    return doors.reply(told(receipt))


@doors.door("POST")
@doors.gateway
def reverse(request: doors.GatewayRequest) -> HttpResponse:
    ask = doors.body(request, ReversalAsk)
    reversal = Reversal(ask.id, ask.event_id, ask.reason, request.gateway.id)
    try:
        done = flows.reverse_usage(reversal, now=datetime.now(UTC))
    except reversing.NoSuchEvent as unknown:
        raise doors.Problem(404, "unknown_event", str(unknown)) from None
    except reversing.Conflict as conflict:
        raise doors.Problem(409, conflict.code, str(conflict)) from None
    return doors.reply(ReversalAnswer(str(ask.id), str(ask.event_id), wording.plain(done.cost), done.duplicate))


def told(receipt: Receipt) -> Answer:
    refused = [
        Refused(refusal.index, refusals.shown_id(refusal.id), refusal.reason, refusals.masked(refusal.detail))
        for refusal in receipt.refused
    ]
    return Answer(receipt.accepted, receipt.duplicate, refused)


# --- Reading a batch -----------------------------------------------------------------------------------------------------


def read(raw: bytes, now: datetime) -> Batch:
    """The batch in these bytes. A body that is not one whole JSON document of the right shape is a 400; an event that is
    an object and yet wrong is refused by itself, and its neighbours are not."""
    try:
        batch = _at_once(raw) or _one_by_one(raw)
    except strict.Unreadable as fault:
        raise doors.unreadable(fault) from None
    if batch.complete_through is not None and batch.complete_through > now + AHEAD:
        raise doors.Problem(
            400, "invalid_body", "complete_through is more than 5 minutes ahead", at="$.complete_through"
        )
    return batch


def _at_once(raw: bytes) -> Batch | None:
    """The quick way, for a batch without a fault; None when it has to be looked at closely.

    Types, ranges and unknown keys are checked by the decoder, which would however take the last of two equal keys. Without a
    backslash in the body each text in it has exactly two quotation marks, so counting them counts the texts: each key and
    each text value that was decoded. One more, and something was there twice.
    """
    if b"\\" in raw:
        return None
    try:
        report = msgspec.json.decode(raw, type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    events = report.events
    _not_too_many(events)
    told_cached = sum(event.cached_input_tokens is not msgspec.UNSET for event in events)
    complete_through = _stated(report.complete_through)
    keys_and_texts = 10 * len(events) + told_cached + 1 + (2 if complete_through is not None else 0)
    if raw.count(b'"') != 2 * keys_and_texts:
        return None
    return Batch(events, range(len(events)), complete_through=complete_through)


def _one_by_one(raw: bytes) -> Batch:
    document = strict.read(raw)
    loose = strict.typed(raw, _Loose)
    _not_too_many(loose.events)
    bodies: Sequence[Any] = document["events"]
    events, places, refused = [], [], []
    for place, (part, body) in enumerate(zip(loose.events, bodies)):
        if not isinstance(body, dict):
            raise strict.Unreadable("an event is an object", f"$.events[{place}]")
        try:
            events.append(_event(part, body))
            places.append(place)
        except strict.Unreadable as fault:
            refused.append(_refused(place, body, fault))
    return Batch(events, places, refused, _stated(loose.complete_through))


def _event(part: msgspec.Raw, body: dict[str, Any]) -> Event:
    key = body.get("key")
    if isinstance(key, str) and refusals.looks_like_a_secret(key):
        raise _RawKey("a secret", "$.key")
    return strict.typed(part, Event)


class _RawKey(strict.Unreadable):
    """The key itself where its public id belongs."""


def _refused(place: int, body: dict[str, Any], fault: strict.Unreadable) -> Refusal:
    id_ = body.get("id")
    shown = id_ if isinstance(id_, str) else None
    if isinstance(fault, _RawKey):
        return Refusal(place, shown, Reason.RAW_KEY, WORDS[Reason.RAW_KEY], body)
    at = (fault.at or "$").replace("$", f"$.events[{place}]", 1)
    return Refusal(place, shown, Reason.INVALID, f"{fault.detail}, at {at}", body)


def _stated(instant: datetime | msgspec.UnsetType) -> datetime | None:
    """In UTC: PostgreSQL knows no offset of 16 hours and more. Python has no instant before the year 1 in any zone."""
    if isinstance(instant, msgspec.UnsetType):
        return None
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise doors.Problem(400, "invalid_body", "there is no such time in UTC", at="$.complete_through") from None


def _not_too_many(events: Sequence[Any]) -> None:
    if len(events) > MOST_EVENTS:
        raise doors.Problem(413, "too_many_events", f"a batch has at most {MOST_EVENTS} events: send smaller batches")
