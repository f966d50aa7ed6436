"""Which grant pays for which usage: a pure function over values, used by the sweep and by nothing else.

Order: earliest expiry first; at equal expiry promotional before paid; then the oldest. A grant pays only for what
occurred before it expires, also when that usage arrives later (A1). What no grant pays is overdraft.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.money import ZERO


@dataclass(frozen=True, slots=True)
class Use:
    """Usage of one model that occurred within one minute, and what it costs in USD."""

    model_id: int
    minute: datetime
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Source:
    """A grant that can still be drawn: its account, what is left in USD, its end on a whole minute."""

    account_id: int
    rest: Decimal
    expires_at: datetime
    promotional: bool


@dataclass(frozen=True, slots=True)
class Draw:
    """An amount > 0 taken for one use; `account_id` None when nothing could pay: overdraft."""

    account_id: int | None
    model_id: int
    minute: datetime
    amount: Decimal


def in_order(sources: Iterable[Source]) -> list[Source]:
    return sorted(sources, key=lambda source: (source.expires_at, not source.promotional, source.account_id))


def draw(uses: Iterable[Use], sources: Iterable[Source]) -> list[Draw]:
    """Draw for each use, in the order of occurrence. The amounts for a use add up to its cost exactly."""
    queue = in_order(sources)
    left = [source.rest for source in queue]
    draws: list[Draw] = []
    for use in sorted(uses, key=lambda use: (use.minute, use.model_id)):
        open_cost = use.cost
        for n in _payable(queue, left, use.minute):
            if not open_cost:
                break
            taken = min(open_cost, left[n])
            left[n] -= taken
            open_cost -= taken
            draws.append(Draw(queue[n].account_id, use.model_id, use.minute, taken))
        if open_cost:
            draws.append(Draw(None, use.model_id, use.minute, open_cost))
    return draws


def _payable(queue: Sequence[Source], left: Sequence[Decimal], minute: datetime) -> Iterable[int]:
    return (n for n, source in enumerate(queue) if left[n] > ZERO and minute < source.expires_at)
