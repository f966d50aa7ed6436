"""Taking an event back: whole, once, at its original price and payer, in the month that is open now (A33).

The amount first lowers the overdraft; then it goes back to the grants that paid that hour of that model, the most recently
drawn first, while they live; what finds no such grant becomes a correction grant of the same kind, for 90 days.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.db import connection

from billing import periods
from billing.coverage.models import Payer
from billing.ledger import accruals, wallets
from billing.metering import charging, rating, returning
from billing.metering.events import LATE_AFTER
from billing.metering.models import UsageReversal
from billing.metering.rating import PerToken, Tokens

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]

FIND = """
SELECT e.org_id, e.key_id, e.coverage_id, e.model_id, e.price_id, e.payer, e.occurred_at, e.accepted_at,
    e.input_tokens, e.cached_tokens, e.output_tokens, p.input_usd, p.cached_usd, p.output_usd
FROM usage_event e JOIN price p ON p.id = e.price_id
WHERE e.ts = {ts} AND e.id = %(id)s
"""
BY_TIME_INSIDE = FIND.format(ts="%(ts)s")
BY_ID_ALONE = FIND.format(ts="(SELECT s.ts FROM usage_seen s WHERE s.id = %(id)s)")


class NoSuchEvent(LookupError):
    """No event of this id was ever accepted."""

    def __init__(self) -> None:
        super().__init__("no event with this id was accepted")


class Conflict(ValueError):
    """The reversal cannot be made: its id was used for another one, or the event is reversed already."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


@dataclass(frozen=True, slots=True)
class Reversal:
    """What a gateway asks: its own id for the reversal, the event, and why."""

    id: UUID
    event_id: UUID
    reason: str
    gateway_id: int


@dataclass(frozen=True, slots=True)
class Reversed:
    """`cost` is what went back to the customer, in USD; `duplicate` when this reversal was made before; `charged` when
    use that waited was charged first."""

    org_id: int
    cost: Decimal
    duplicate: bool = False
    charged: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event as it was accepted."""

    org_id: int
    key_id: int
    coverage_id: int | None
    model_id: int
    price_id: int
    payer: Payer
    occurred_at: datetime
    accepted_at: datetime
    tokens: Tokens
    price: PerToken

    @property
    def cost(self) -> Decimal:
        return rating.cost(self.tokens, self.price, self.payer)

    @property
    def late_tokens(self) -> int:
        late = self.accepted_at - self.occurred_at > LATE_AFTER
        return self.tokens.input + self.tokens.output if late else 0


def reverse(reversal: Reversal, *, now: datetime) -> Reversed:
    """Takes the event back in the caller's transaction. The same reversal again answers as before and changes nothing.

    Raises NoSuchEvent, and Conflict for another body under a used id or an event that is reversed already.
    """
    if (before := _made_before(reversal)) is not None:
        return before
    event = _find(reversal.event_id)
    if event is None:
        raise NoSuchEvent
    wallets.lock([event.org_id])
    # Again under the lock: the same call may have been made at the same moment.
    if (before := _made_before(reversal)) is not None:
        return before
    drained = charging.drain([event.org_id], now=now)
    accruals.close([event.org_id], now=now)
    cost = event.cost
    if cost:
        returning.give_back(
            returning.Return(reversal.id, event.org_id, event.model_id, periods.floor_hour(event.occurred_at), cost),
            now=now,
        )
    charging.take_from_rollups(
        event.org_id, now=now, key_id=event.key_id, coverage_id=event.coverage_id, occurred_at=event.occurred_at,
        price_id=event.price_id, model_id=event.model_id, payer=event.payer.value, input=event.tokens.input,
        cached=event.tokens.cached, output=event.tokens.output, late=event.late_tokens,
    )  # fmt: skip
    UsageReversal.objects.create(
        id=reversal.id, event_id=reversal.event_id, wallet_id=event.org_id, gateway_id=reversal.gateway_id,
        reason=reversal.reason, cost=cost, reversed_at=now,
    )  # fmt: skip
    return Reversed(event.org_id, cost, charged=bool(drained.charged))


def _made_before(reversal: Reversal) -> Reversed | None:
    made = UsageReversal.objects.filter(pk=reversal.id).first()
    if made is not None:
        if (made.event_id, made.reason) != (reversal.event_id, reversal.reason):
            raise Conflict("id_conflict", "this reversal id was used before with another body")
        return Reversed(made.wallet_id, made.cost, duplicate=True)
    if UsageReversal.objects.filter(event_id=reversal.event_id).exists():
        raise Conflict("already_reversed", "this event was taken back before, by another reversal")
    return None


def _find(event_id: UUID) -> Accepted | None:
    timed = event_id.version == 7
    query = BY_TIME_INSIDE if timed else BY_ID_ALONE
    with connection.cursor() as cursor:
        cursor.execute(query, {"id": event_id, "ts": time_inside(event_id) if timed else None})
        row: tuple[Any, ...] | None = cursor.fetchone()
    if row is None:
        return None
    org_id, key_id, coverage_id, model_id, price_id, payer, occurred_at, accepted_at, *figures = row
    return Accepted(
        org_id, key_id, coverage_id, model_id, price_id, Payer(payer), occurred_at, accepted_at,
        Tokens(*figures[:3]), PerToken(*figures[3:]),
    )  # fmt: skip


def time_inside(id_: UUID) -> datetime | None:
    """The instant a version-7 id carries, None when no calendar has it."""
    try:
        return EPOCH + timedelta(milliseconds=id_.int >> 80)
    except OverflowError:
        return None
