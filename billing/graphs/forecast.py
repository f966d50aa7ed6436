"""When credit ends at a steady pace, and which of it would expire unused. Pure; a forecast is never a promise."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from billing.ledger.burndown import Source, in_order
from billing.money import ZERO

SHORTEST_DAY_RATE = Decimal("0.01")
"""USD a day below which nothing is foretold: the end would lie centuries away."""


@dataclass(frozen=True, slots=True)
class Unused:
    """What would be left of a grant, in USD, when it expires."""

    account_id: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Forecast:
    """`ends_at`: when the last credit is spent; when some of it would expire first, the end of the last grant."""

    ends_at: datetime
    unused: tuple[Unused, ...]


def run_out(grants: Iterable[Source], per_day: Decimal, *, now: datetime) -> Forecast | None:
    """Burn the grants down in their order at `per_day` USD from `now`; None without credit or pace."""
    queue = [grant for grant in in_order(grants) if grant.rest > ZERO and grant.expires_at > now]
    if not queue or per_day < SHORTEST_DAY_RATE:
        return None
    at, unused = now, []
    for grant in queue:
        until_expiry = _used(per_day, grant.expires_at - at)
        if grant.rest > until_expiry:
            unused.append(Unused(grant.account_id, grant.rest - until_expiry))
            at = grant.expires_at
        else:
            at += _time_for(grant.rest, per_day)
    return Forecast(at, tuple(unused))


def _used(per_day: Decimal, length: timedelta) -> Decimal:
    return per_day * Decimal(length // timedelta(seconds=1)) / 86_400


def _time_for(amount: Decimal, per_day: Decimal) -> timedelta:
    return timedelta(seconds=int(amount * 86_400 / per_day))
