"""What stands on a timeline. Pure values: amounts in USD, moments in UTC."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import groupby

from billing import periods
from billing.graphs.spend import Pace
from billing.money import ZERO
from billing.subscriptions import calendar

MONTHS = 12
"""How far the timeline looks ahead."""


class Kind(StrEnum):
    """What happens. The test of a simulated year compares by it."""

    RENEWAL = "renewal"
    RETRY = "retry"
    NOT_RENEWED = "not_renewed"
    PLAN_CHANGE = "plan_change"
    PLAN_END = "plan_end"
    REFUND = "refund"
    COMMITMENT = "commitment"
    CONTRACT_END = "contract_end"
    CONTRACT_NOTICE = "contract_notice"
    CONTRACT_CLOSED = "contract_closed"
    CONTRACT_WAITS = "contract_waits"
    MONTH_CLOSE = "month_close"
    EXPIRY = "expiry"
    CARD_END = "card_end"
    MODEL_END = "model_end"
    PRICE = "price"
    RECHARGE = "recharge"
    RUN_OUT = "run_out"
    OVERAGE = "overage"


class Lane(StrEnum):
    """A row of the picture, in this order."""

    PLAN = "Plan"
    CONTRACT = "Reserved capacity"
    RECHARGE = "Auto-recharge"
    MONTHS = "Month closes"
    CREDIT = "Credit ends"
    CHANGES = "Changes"


LANES = {
    Kind.RENEWAL: Lane.PLAN,
    Kind.RETRY: Lane.PLAN,
    Kind.NOT_RENEWED: Lane.PLAN,
    Kind.COMMITMENT: Lane.CONTRACT,
    Kind.OVERAGE: Lane.CONTRACT,
    Kind.MONTH_CLOSE: Lane.MONTHS,
    Kind.EXPIRY: Lane.CREDIT,
    Kind.RUN_OUT: Lane.CREDIT,
    Kind.RECHARGE: Lane.RECHARGE,
}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that happens.

    fixed    it happens at `at` as written; else `at` is about when, at the pace there is
    charge   what a card is charged, below zero what it gets back; None: nothing
    credit   what of a grant is lost at its end; None: no grant ends
    exact    the amount is what will be charged or lost, to the cent; else it depends on use
    warning  it will go wrong unless somebody acts
    short    its name in the picture; "" where the lane says it all
    """

    at: datetime
    kind: Kind
    title: str
    detail: str = ""
    fixed: bool = True
    charge: Decimal | None = None
    credit: Decimal | None = None
    exact: bool = True
    warning: bool = False
    short: str = ""

    @property
    def lane(self) -> Lane:
        return LANES.get(self.kind, Lane.CHANGES)


@dataclass(frozen=True, slots=True)
class Month:
    """The items of a calendar month (UTC). `fixed`, `forecast`: what is to be charged in it, in USD."""

    period: date
    items: tuple[Item, ...]

    @property
    def fixed(self) -> Decimal:
        return sum((one.charge for one in self.items if one.charge and one.fixed and one.exact), ZERO)

    @property
    def forecast(self) -> Decimal:
        return sum((one.charge for one in self.items if one.charge and not (one.fixed and one.exact)), ZERO)


@dataclass(frozen=True, slots=True)
class Timeline:
    """All of it, in order. `pace`: what the forecasts assume. `disputed`: no card is charged until a dispute is decided."""

    since: datetime
    until: datetime
    items: tuple[Item, ...]
    pace: Pace
    disputed: bool = False

    @property
    def months(self) -> list[Month]:
        """Those in which something happens. What is due already is of this month."""
        return [Month(period, tuple(items)) for period, items in groupby(self.items, self._month)]

    @property
    def lanes(self) -> list[Lane]:
        used = {one.lane for one in self.items}
        return [lane for lane in Lane if lane in used]

    def _month(self, item: Item) -> date:
        return periods.month_of(max(item.at, self.since))


def end_of(now: datetime) -> datetime:
    """Twelve months later, as periods are counted."""
    return calendar.boundary(now, MONTHS)


def in_order(items: Iterable[Item], *, until: datetime) -> tuple[Item, ...]:
    """By their moments; at one moment in the order of the lanes, what changes first."""
    lanes: Sequence[Lane] = (Lane.CHANGES, *(lane for lane in Lane if lane is not Lane.CHANGES))
    found = [one for one in items if one.at < until]
    return tuple(sorted(found, key=lambda one: (one.at, lanes.index(one.lane), one.title)))
