"""What a gateway reports, and the reasons for which an event is not charged."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import msgspec

MOST_EVENTS = 10_000
MOST_TOKENS = 100_000_000
"""Of one kind in one event; far above any context window, far below what could overflow a sum."""

AHEAD = timedelta(minutes=5)
OLDEST = timedelta(days=35)
LATE_AFTER = timedelta(minutes=15)
ID_TIME_WITHIN = timedelta(days=1)

Tokens = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class Event(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One request that was served. `key` is the key's public id; `input_tokens` is the whole prompt, cached part included.

    `occurred_at` is when the gateway admitted the request, minted once and resent unchanged (A31).
    """

    id: UUID
    key: Name
    model: Name
    input_tokens: Tokens
    cached_input_tokens: Tokens | msgspec.UnsetType = msgspec.UNSET
    output_tokens: Tokens
    occurred_at: Instant

    @property
    def cached(self) -> int:
        return 0 if isinstance(self.cached_input_tokens, msgspec.UnsetType) else self.cached_input_tokens

    def same_as(self, other: "Event") -> bool:
        return (self.key, self.model, self.input_tokens, self.cached, self.output_tokens, self.occurred_at) == (
            other.key, other.model, other.input_tokens, other.cached, other.output_tokens, other.occurred_at,
        )  # fmt: skip


class Reason(StrEnum):
    """Why an event is kept for staff and never charged (A19, A34, A35). No reason is about money."""

    INVALID = "invalid"
    RAW_KEY = "raw_key"
    UNKNOWN_KEY = "unknown_key"
    KEY_REVOKED = "key_revoked"
    KEY_EXPIRED = "key_expired"
    UNKNOWN_MODEL = "unknown_model"
    DEPRECATED = "deprecated"
    NO_PRICE = "no_price"
    IN_FUTURE = "in_future"
    TOO_OLD = "too_old"
    ID_TIME = "id_time"
    ID_CONFLICT = "id_conflict"


WORDS = {
    Reason.RAW_KEY: "the key itself was sent: send its public id; the secret was not stored",
    Reason.UNKNOWN_KEY: "no key has this public id",
    Reason.KEY_REVOKED: "the key was revoked before this occurred",
    Reason.KEY_EXPIRED: "the key had expired when this occurred",
    Reason.UNKNOWN_MODEL: "no model has this name",
    Reason.DEPRECATED: "the model was retired before this occurred",
    Reason.NO_PRICE: "the model had no price when this occurred",
    Reason.IN_FUTURE: "occurred_at is more than 5 minutes ahead",
    Reason.TOO_OLD: "occurred_at is more than 35 days ago",
    Reason.ID_TIME: "the time inside the id and occurred_at are more than a day apart",
    Reason.ID_CONFLICT: "this id was used before with another body",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that is not charged: its place in the batch, its id if it had one, why, and the event itself."""

    index: int
    id: str | None
    reason: Reason
    detail: str
    body: Any


@dataclass(frozen=True, slots=True)
class Batch:
    """Well-formed events with their places in what was sent, and what was refused while reading."""

    events: Sequence[Event]
    places: Sequence[int]
    refused: Sequence[Refusal] = ()
    complete_through: datetime | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch, each event exactly once: accepted + duplicate + refused = all."""

    accepted: int = 0
    duplicate: int = 0
    refused: Sequence[Refusal] = field(default_factory=list)


def refuse(place: int, event: Event, reason: Reason, detail: str = "") -> Refusal:
    return Refusal(place, str(event.id), reason, detail or WORDS[reason], msgspec.to_builtins(event))
