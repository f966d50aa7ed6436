"""What each line of the ledger says: the grant it gave, the card it was charged to, the models and keys behind a day."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection

from billing import periods, wording
from billing.catalog.models import AIModel
from billing.coverage.models import Payer
from billing.graphs import credits, lines
from billing.graphs.lines import HourLine, Line, Page
from billing.graphs.movements import Movement
from billing.ledger.models import CreditGrant
from billing.payments.models import Intent

SHORT = 12
"""Rows of an open day that are shown at first, rounded up to whole hours."""

TITLES = {
    "refund_asked": "Refund",
    "refund_returned": "Refund came back",
    "dispute_withdrawn": "Disputed payment taken back",
    "dispute_reinstated": "Disputed payment returned",
    "debt_written_off": "Debt written off",
    "debt_forgiven": "Debt forgiven",
    "settlement": "Overdraft paid at month end",
    "write_off": "Overdraft written off",
    "adjustment": "Correction",
    "forfeit": "Credit given up",
}
"""What a movement is called that has no grant to be named after, by its reason."""


@dataclass(frozen=True, slots=True)
class HourRow:
    hour: datetime
    model: str
    amount: Decimal
    balance: Decimal
    name: str

    @property
    def end(self) -> datetime:
        return self.hour + periods.HOUR


@dataclass(frozen=True, slots=True)
class Row:
    """A line and everything its row shows. `hours` is filled only for a day that is open; `earlier` are not shown yet."""

    line: Line
    title: str
    grant: CreditGrant | None
    card: Intent | None
    keys: int
    late: int
    open: bool
    hours: tuple[HourRow, ...]
    earlier: int = 0

    @property
    def promotional(self) -> bool:
        return self.line.newest.is_money_in and self.line.newest.is_promotional


def rows(org_id: int, page: Page, opened: Collection[date], whole: Collection[date] = ()) -> list[Row]:
    """The rows of a page, newest first; days in `opened` with their last hours, in `whole` with all of them.

    At most four queries, however many lines.
    """
    grants = credits.grants_of(lines.grant_accounts(page.lines))
    cards = credits.cards_of(grant.payment_id for grant in grants.values() if grant.payment_id)
    behind = _behind_usage(org_id, [line for line in page.lines if line.is_usage])
    slugs = _slugs([line for line in page.lines if line.newest.model_id])
    return [
        _usage_row(line, behind, slugs, line.day in opened, line.day in whole)
        if line.is_usage
        else _single_row(line, grants, cards)
        for line in page.lines
    ]


def title(movement: Movement, grant: CreditGrant | None) -> str:
    """What a line that stands alone is called."""
    if movement.reason in TITLES:
        used = ", already used" if movement.is_debt and movement.amount < 0 else ""
        return TITLES[movement.reason] + used
    if movement.is_usage:
        return "Usage"
    if not movement.is_money_in and not movement.is_expiry and movement.amount > 0:
        return "Usage taken back"
    if grant is None:
        return movement.reason.replace("_", " ").capitalize()
    return f"{grant.title} expired" if movement.is_expiry else grant.title


def decimals(page: Page, told: Sequence[Row]) -> int:
    """How many decimals every amount and balance on the page needs, so that none is cut."""
    amounts = [page.opening, page.closing]
    for row in told:
        amounts += [row.line.amount, row.line.balance]
        amounts += [figure for hour in row.hours for figure in (hour.amount, hour.balance)]
    return wording.decimals_needed(*amounts)


def _single_row(line: Line, grants: Mapping[int, CreditGrant], cards: Mapping[UUID, Intent]) -> Row:
    grant = grants.get(line.newest.account_id)
    card = cards.get(grant.payment_id) if grant and grant.payment_id and line.newest.is_money_in else None
    return Row(line, title(line.newest, grant), grant, card, 0, 0, False, ())


def _usage_row(
    line: Line, behind: Mapping[datetime, tuple[set[int], int]], slugs: Mapping[int, str], opened: bool, whole: bool
) -> Row:
    hours = {movement.hour for movement in line.movements if movement.hour}
    keys = set().union(*(behind[hour][0] for hour in hours if hour in behind))
    late = sum(behind[hour][1] for hour in hours if hour in behind)
    shown = line.by_hour() if opened else []
    if not whole and len(shown) > SHORT:
        last = shown[SHORT - 1].hour
        shown = [hour_line for hour_line in shown if hour_line.hour >= last]
    earlier = len(hours - {hour_line.hour for hour_line in shown}) if opened else 0
    told = tuple(_hour(hour_line, slugs) for hour_line in shown)
    return Row(line, "Usage", None, None, len(keys), late, opened, told, earlier)


def _hour(line: HourLine, slugs: Mapping[int, str]) -> HourRow:
    return HourRow(line.hour, slugs[line.model_id], line.amount, line.balance, line.name)


def _behind_usage(org_id: int, usage: Sequence[Line]) -> dict[datetime, tuple[set[int], int]]:
    """Hour -> the keys that used credit in it, and the tokens that arrived late."""
    if not usage:
        return {}
    first = periods.floor_day(min(line.oldest.effective_at for line in usage))
    last = periods.floor_day(max(line.newest.effective_at for line in usage)) + periods.DAY
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT hour, key_id, sum(late_tokens)::bigint FROM usage_hour"
            " WHERE org_id = %s AND hour >= %s AND hour < %s AND payer = %s GROUP BY 1, 2",
            [org_id, first, last, Payer.CREDITS],
        )
        behind: dict[datetime, tuple[set[int], int]] = defaultdict(lambda: (set(), 0))
        for hour, key_id, late in cursor.fetchall():
            keys, so_far = behind[hour]
            behind[hour] = (keys | {key_id}, so_far + late)
    return dict(behind)


def _slugs(told: Sequence[Line]) -> dict[int, str]:
    ids = {movement.model_id for line in told for movement in line.movements if movement.model_id}
    return dict(AIModel.objects.filter(pk__in=ids).values_list("pk", "slug")) if ids else {}
