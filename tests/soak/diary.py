"""What the actors of a soak noted themselves: what they sent, and what they were told. The oracles hold the books to it."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Sent:
    """An event as a gateway sent it, each time the same."""

    org_id: int
    key: str
    model: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    occurred_at: datetime


@dataclass(slots=True)
class Purchase:
    """One form that a customer sent, however often. `nonce` is the form's own."""

    org_id: int
    nonce: UUID
    cents: int
    intent_id: UUID | None = None
    paid_at_stripe: bool = False
    """Stripe's page said so."""
    told_paid: bool = False
    """Purser's page said so."""


class Kind(StrEnum):
    GIFT = "gift"
    REFUND = "refund"


@dataclass(slots=True)
class Act:
    """What staff confirmed in one form. `whose`: the organization of a gift, the payment of a refund; `amount` in USD.

    Repeated after a lost answer, the form may be refused for what it did itself: then staff do not know.
    """

    kind: Kind
    whose: str
    amount: Decimal
    nonce: UUID | None = None
    told_done: bool = False


@dataclass
class Diary:
    """Everybody's notes. Each row has one writer; the counters may be moved by all."""

    sent: dict[UUID, Sent] = field(default_factory=dict)
    taken: set[UUID] = field(default_factory=set)
    """Events that a gateway was told are accepted, or were before."""
    refused: set[UUID] = field(default_factory=set)
    """Events that a gateway was told will never be charged."""
    reversals: dict[UUID, UUID] = field(default_factory=dict)
    """Reversal -> event, answered as done."""
    purchases: list[Purchase] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    """An actor met something that nobody should meet."""
    seen: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str, number: int = 1) -> None:
        with self._lock:
            self.seen[what] += number

    def fail(self, who: str, what: str) -> None:
        with self._lock:
            self.failures.append({"difference": "actor_failed", "who": who, "what": what})
