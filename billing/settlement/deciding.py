"""What becomes of an overdraft at month end. Pure: figures in, a decision out.

What is due is the smaller of the overdraft at the month's end and now (A8). At most the ceiling of it is charged, in whole
cents rounded down (A27); what lies beyond is written off, once (A10). An organization that never bought credit, or owes too
little to be charged for half a year, is let off the whole (A10, A42). Who pays in another way just now carries it all (A9).
"""

from dataclasses import dataclass
from decimal import Decimal

from billing.money import CENT, ZERO, cents_down
from billing.settlement.models import Decided, WrittenOff

LEAST = Decimal("0.50")
"""The smallest amount a card is charged."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How an organization stands when its month is closed, in USD. `quiet`: no usage and no payment for six full months.

    `earlier`: the charge of an earlier month is being collected, or was given up.
    """

    at_end: Decimal
    now: Decimal
    bought: bool = True
    card: bool = True
    in_flight: bool = False
    recharging: bool = False
    disputed: bool = False
    earlier: bool = False
    quiet: bool = False

    @property
    def due(self) -> Decimal:
        return max(min(self.at_end, self.now), ZERO)


@dataclass(frozen=True, slots=True)
class Decision:
    """`charge`, in whole cents, `written_off` and `carried` add up to what was due. All in USD."""

    decided: Decided
    charge: Decimal = ZERO
    written_off: Decimal = ZERO
    written_off_as: WrittenOff | None = None
    carried: Decimal = ZERO

    @property
    def charge_cents(self) -> int:
        return int(self.charge / CENT)


def decide(standing: Standing, *, ceiling: Decimal) -> Decision:
    """In the order of the reasons: what ends a debt comes before what only puts it off."""
    due = standing.due
    if not due:
        return Decision(Decided.NOTHING)
    if not standing.bought:
        return Decision(Decided.NEVER_BOUGHT, written_off=due, written_off_as=WrittenOff.NEVER_BOUGHT)
    if due < LEAST and standing.quiet:
        return Decision(Decided.SMALL_OLD, written_off=due, written_off_as=WrittenOff.SMALL)
    if postponed := _postponed(standing):
        return Decision(postponed, carried=due)
    excess = max(due - ceiling, ZERO)
    as_ = WrittenOff.EXCESS if excess else None
    amount = chargeable(due, ceiling)
    if not amount or not standing.card:
        decided = Decided.SMALL if not amount else Decided.NO_CARD
        return Decision(decided, written_off=excess, written_off_as=as_, carried=due - excess)
    return Decision(Decided.CHARGE, amount, excess, as_, due - excess - amount)


def chargeable(due: Decimal, ceiling: Decimal) -> Decimal:
    """What of it a card is charged: whole cents, nothing when that is less than `LEAST`."""
    amount = cents_down(min(due, ceiling))
    return amount if amount >= LEAST else ZERO


def _postponed(standing: Standing) -> Decided | None:
    if standing.disputed:
        return Decided.DISPUTED
    if standing.in_flight:
        return Decided.IN_FLIGHT
    if standing.recharging:
        return Decided.RECHARGING
    return Decided.EARLIER if standing.earlier else None
