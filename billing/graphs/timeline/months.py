"""Months that close, and what was not paid at the end of one. Pure."""

from collections.abc import Collection, Iterator
from datetime import date, datetime

from billing import periods, wording
from billing.graphs.monthends import CARRIED
from billing.graphs.timeline.items import Item, Kind
from billing.money import from_cents
from billing.settlement.closing import AT_LATEST
from billing.settlement.deciding import Decision
from billing.settlement.models import Decided, Settlement


def closing(
    certain: Collection[date], perhaps: Collection[date], decision: Decision, *, now: datetime
) -> Iterator[Item]:
    """A month is closed when something moved in it. `certain`: it did, or will; `perhaps`: if things are used as now.

    `decision`: what would become of the overdraft if the month ended now; of later months nothing is known.
    """
    for period in sorted({*certain, *perhaps}):
        at = periods.month_start(periods.next_month(period))
        words, charge = "Statement when all usage has arrived.", None
        if period <= periods.month_of(now):
            latest = (
                f"Statement when all usage has arrived, at the latest {wording.moment(at + AT_LATEST, year=False)}."
            )
            words, charge = f"{_overdraft(decision)} {latest}", decision.charge or None
        yield Item(
            at, Kind.MONTH_CLOSE, f"{period:%B} closes", words, fixed=period in certain, charge=charge,
            exact=charge is None,
        )  # fmt: skip


def _overdraft(decision: Decision) -> str:
    """What would be done about the overdraft, as it is now."""
    match decision.decided:
        case Decided.NOTHING:
            return "No overdraft to charge, as things stand."
        case Decided.CHARGE:
            return "The overdraft is charged, as it is now."
        case Decided.NEVER_BOUGHT | Decided.SMALL_OLD:
            return "The overdraft is written off."
    return f"The overdraft of {wording.usd(decision.carried)} is carried: {CARRIED[decision.decided]}."


def unpaid(open_: Settlement | None) -> Iterator[Item]:
    """The charge of a closed month that is made, or tried again."""
    if open_ is not None and open_.next_try_at is not None:
        words = "The overdraft at its end. Not paid yet, tried again." if open_.tries else "The overdraft at its end."
        title, charge = f"Charge for {open_.period:%B}", from_cents(open_.charge_cents)
        yield Item(open_.next_try_at, Kind.RETRY, title, words, charge=charge, warning=bool(open_.tries))
