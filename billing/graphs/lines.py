"""The ledger as people read it: movements of their credit, newest first, usage folded by day, the balance after each line.

Folding is pure; `read` takes only as many movements as a page shows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import islice

from billing.graphs import movements
from billing.graphs.movements import NEWER, NEWEST_FIRST, OLDER, OLDEST_FIRST, Kind, Movement
from billing.ledger.models import Transfer
from billing.money import ZERO

PAGE = 20
"""Lines on a page; a folded day is one."""


@dataclass(frozen=True, slots=True)
class HourLine:
    """What one model used in one hour: `name` leads to why. `balance` stands after it in the order shown."""

    hour: datetime
    model_id: int
    amount: Decimal
    balance: Decimal
    name: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the ledger: one movement, or the usage of a day between two others. `balance` is settled credit after it."""

    movements: tuple[Movement, ...]
    balance: Decimal

    @property
    def newest(self) -> Movement:
        return self.movements[0]

    @property
    def oldest(self) -> Movement:
        return self.movements[-1]

    @property
    def is_usage(self) -> bool:
        return self.newest.is_usage

    @property
    def day(self) -> date:
        return self.newest.effective_at.date()

    @property
    def amount(self) -> Decimal:
        return sum((movement.amount for movement in self.movements), ZERO)

    @property
    def hours(self) -> int:
        return len({movement.hour for movement in self.movements})

    @property
    def models(self) -> int:
        return len({movement.model_id for movement in self.movements})

    def by_hour(self) -> list[HourLine]:
        """Newest hour first, models in one order; the amounts walk from the balance after this line to the one before."""
        sums: dict[tuple[datetime, int], tuple[Decimal, str]] = {}
        for movement in self.movements:
            assert movement.hour is not None
            assert movement.model_id is not None
            key = (movement.hour, movement.model_id)
            before, name = sums.get(key, (ZERO, movement.name))
            sums[key] = (before + movement.amount, name)
        balance, lines = self.balance, []
        for (hour, model_id), (amount, name) in sorted(sums.items(), reverse=True):
            lines.append(HourLine(hour, model_id, amount, balance, name))
            balance -= amount
        return lines


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first. `closing` and `opening`: settled credit after the first and before the last line of the page."""

    lines: tuple[Line, ...]
    closing: Decimal
    opening: Decimal
    newer: bool
    older: bool


# --- Folding: pure -------------------------------------------------------------------------------------------------


def fold(moved: Iterable[Movement]) -> Iterator[tuple[Movement, ...]]:
    """Neighbours that are usage of the same UTC day become one; everything else stands alone. Either direction."""
    run: list[Movement] = []
    for movement in moved:
        if run and not _together(run[-1], movement):
            yield tuple(run)
            run = []
        run.append(movement)
    if run:
        yield tuple(run)


def walk_down(folded: Iterable[tuple[Movement, ...]], closing: Decimal) -> list[Line]:
    """Lines newest first from folds newest first: each balance is what the one above leaves."""
    lines = []
    for moved in folded:
        line = Line(moved, closing)
        lines.append(line)
        closing -= line.amount
    return lines


def _together(one: Movement, next_: Movement) -> bool:
    return one.is_usage and next_.is_usage and one.effective_at.date() == next_.effective_at.date()


# --- Reading -----------------------------------------------------------------------------------------------------------


def read(
    org_id: int, kind: Kind, *, before: Transfer | None = None, after: Transfer | None = None, size: int = PAGE
) -> Page:
    """The newest page, the page older than `before` or the one newer than `after`. Two queries, three with a cursor."""
    if after is not None:
        folds, more = _folds(org_id, kind, f"{NEWER} {OLDEST_FIRST}", after, size)
        folds = [tuple(reversed(folded)) for folded in reversed(folds)]
        opening = movements.settled_after(org_id, after)
        closing = opening + sum((movement.amount for folded in folds for movement in folded), ZERO)
        return Page(tuple(walk_down(folds, closing)), closing, opening, newer=more, older=True)
    folds, more = _folds(org_id, kind, f"{OLDER} {NEWEST_FIRST}" if before else NEWEST_FIRST, before, size)
    closing = movements.settled_before(org_id, before) if before else movements.settled(org_id)
    lines = tuple(walk_down(folds, closing))
    opening = closing - sum((line.amount for line in lines), ZERO)
    return Page(lines, closing, opening, newer=before is not None, older=more)


def _folds(
    org_id: int, kind: Kind, rest: str, cursor_at: Transfer | None, size: int
) -> tuple[list[tuple[Movement, ...]], bool]:
    """At most `size` whole folds, and whether more follow; no more rows are read than that takes."""
    with movements.stream(org_id, kind, rest, cursor_at) as rows:
        folds = list(islice(fold(rows), size + 1))
    return folds[:size], len(folds) > size


def grant_accounts(lines: Sequence[Line]) -> list[int]:
    """The accounts behind the lines that stand alone."""
    return sorted({line.newest.account_id for line in lines if not line.is_usage})
