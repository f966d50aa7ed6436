"""What stands beside and under a chart: round ticks upwards, names of buckets across. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal, localcontext
from enum import StrEnum

from billing import wording

Number = Decimal | int


class Unit(StrEnum):
    """What is counted: money is exact Decimal USD, tokens and requests are whole."""

    MONEY = "money"
    TOKENS = "tokens"
    REQUESTS = "requests"


class Grain(StrEnum):
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


# --- Up ------------------------------------------------------------------------------------------------------------

FEWEST, MOST = 2, 3  # intervals: three or four ticks, zero among them


def ticks(most: Number, unit: Unit) -> list[Decimal]:
    """Zero and two or three round steps above it that cover `most` with the least room to spare; for nothing, zero."""
    if most <= 0:
        return [Decimal(0)]
    highest = Decimal(most)
    with localcontext() as context:
        context.prec = 60
        candidates = []
        for power in range(highest.adjusted() - 2, highest.adjusted() + 2):
            for digit in ("1", "2", "2.5", "5"):
                step = Decimal(digit).scaleb(power)
                if unit is not Unit.MONEY and step != step.to_integral_value():
                    continue
                intervals = int((highest / step).to_integral_value(ROUND_CEILING))
                if intervals <= MOST:
                    candidates.append((intervals < FEWEST, step * intervals, -intervals, step))
        _, _, intervals, step = min(candidates)
        return [step * number for number in range(-intervals + 1)]


def tick_label(step: Decimal, unit: Unit, steps: Sequence[Decimal]) -> str:
    """ "$15", "$0.25", "2.5 M": round figures without digits they do not need; "$0" and "0" at the foot."""
    if unit is not Unit.MONEY:
        return wording.round_tokens(int(step))
    if all(one == one.to_integral_value() for one in steps):
        return f"${int(step):,}"
    return "$0" if step == 0 else str(wording.exact(step, wording.decimals_needed(*steps)))


# --- Across --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Label:
    x: float
    text: str
    anchor: str  # "start", "middle" or "end"
    wide_only: bool  # left out on phones


ABOUT_SIX = 7
EVERY_DAYS = (1, 2, 5, 7, 10, 14, 30, 61)
EVERY_HOURS = (1, 2, 3, 4, 6, 12, 24, 48, 120, 240)
EVERY_MINUTES = (1, 2, 5, 10, 15, 20, 30)


def bucket_label(start: datetime, grain: Grain) -> str:
    """A bucket by its full name: "11 Apr", "11 Apr, 14:00"."""
    if grain is Grain.DAY:
        return wording.day(start, year=False)
    return wording.moment(start, year=False, utc=False)


def labels(starts: Sequence[datetime], grain: Grain) -> tuple[Label, ...]:
    """About six names under the columns, half of them on phones."""
    if not starts:
        return ()
    if grain is Grain.DAY:
        return _labels_of_days(starts)
    return _labels_of_hours(starts) if grain is Grain.HOUR else _labels_of_minutes(starts)


def _labels_of_days(starts: Sequence[datetime]) -> tuple[Label, ...]:
    """Counted back from the last day, which is always named."""
    number = len(starts)
    every = next((days for days in EVERY_DAYS if number / days <= ABOUT_SIX), EVERY_DAYS[-1])
    places = list(range(number - 1, -1, -every))
    return tuple(
        _label(len(starts), at, wording.day(starts[at], year=False), wide_only=place % 2 == 1)
        for place, at in reversed(list(enumerate(places)))
    )


def _labels_of_hours(starts: Sequence[datetime]) -> tuple[Label, ...]:
    """On round hours; midnight carries the date, and so do all when only midnights are named."""
    number = len(starts)
    every = next((hours for hours in EVERY_HOURS if number / hours <= ABOUT_SIX + 1), EVERY_HOURS[-1])
    midnight = starts[0].replace(hour=0, minute=0)
    named = []
    for at, start in enumerate(starts):
        hours = int((start - midnight) / timedelta(hours=1))
        if hours % every == 0:
            text = wording.day(start, year=False) if start.hour == 0 else f"{start:%H:%M}"
            named.append(_label(len(starts), at, text, wide_only=hours % (every * 2) != 0))
    return tuple(named)


def _labels_of_minutes(starts: Sequence[datetime]) -> tuple[Label, ...]:
    every = next((minutes for minutes in EVERY_MINUTES if len(starts) / minutes <= ABOUT_SIX), 30)
    return tuple(
        _label(len(starts), at, f"{start:%H:%M}", wide_only=start.minute % (every * 2) != 0)
        for at, start in enumerate(starts)
        if start.minute % every == 0
    )


def _label(number: int, at: int, text: str, *, wide_only: bool) -> Label:
    """Under the middle of its column; the last one ends with the plot so that it never leaves the page."""
    if at == number - 1 and number > 1:
        return Label(100.0, text, "end", wide_only)
    return Label(100 / number * (at + 0.5), text, "middle", wide_only)
