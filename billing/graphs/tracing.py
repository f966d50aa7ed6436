"""Why was I charged? From a line of the ledger down to the tokens it counts, with every step adding up to the same figure.

ledger line -> the grants it drew -> the price in force -> what each key used in that hour -> the minutes
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection
from django.db.models import Sum

from billing import periods, wording
from billing.catalog.models import AIModel, Price
from billing.coverage.models import Payer
from billing.graphs import charts, credits, movements, series
from billing.graphs.axes import Grain, Unit
from billing.graphs.movements import Movement
from billing.ledger.chart import Code
from billing.ledger.models import Accrual, CreditGrant, Transfer
from billing.metering.models import UsageHour, UsageMinute
from billing.money import ZERO

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one source paid. Without a grant it went beyond the credit; `left` stands in the grant after the line."""

    grant: CreditGrant | None
    amount: Decimal
    left: Decimal


@dataclass(frozen=True, slots=True)
class Counted:
    """Tokens at one price: `per_million` and `cost` in USD exactly."""

    what: str
    tokens: int
    per_million: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Priced:
    """One price version and the tokens it was in force for."""

    price: Price
    counted: tuple[Counted, ...]
    cost: Decimal

    @property
    def tokens(self) -> int:
        return sum(one.tokens for one in self.counted)


@dataclass(frozen=True, slots=True)
class KeyShare:
    name: str
    requests: int
    tokens_in: int
    tokens_out: int
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Minutes:
    """The minutes of the hour in which the model was used."""

    chart: charts.Chart
    used: int
    cost: Decimal


@dataclass(frozen=True, slots=True)
class HourTrace:
    """One hour of one model. `posted` - `taken_back` + `accrued` = `cost`: ledger and tokens say the same."""

    model: AIModel
    hour: datetime
    lines: tuple[Movement, ...]
    drawn: tuple[Drawn, ...]
    priced: tuple[Priced, ...]
    keys: tuple[KeyShare, ...]
    requests: int
    posted: Decimal
    taken_back: Decimal
    accrued: Decimal
    cost: Decimal
    minutes: Minutes | None

    @property
    def end(self) -> datetime:
        return self.hour + periods.HOUR

    @property
    def decimals(self) -> int:
        """One for all exact figures of the page."""
        figures = [self.posted, self.taken_back, self.accrued, self.cost]
        figures += [one.amount for one in self.drawn]
        figures += [counted.cost for priced in self.priced for counted in priced.counted]
        figures += [key.cost for key in self.keys]
        return wording.decimals_needed(*figures)

    @property
    def overdrawn(self) -> bool:
        return any(one.grant is None for one in self.drawn)

    @property
    def adds_up(self) -> bool:
        return self.posted - self.taken_back + self.accrued == self.cost


def of_hour(org_id: int, hour: datetime, model_id: int) -> HourTrace:
    """What became of one hour of one model. A fixed number of queries, from the rollups."""
    moved = movements.of_hour(org_id, hour, model_id)
    charged = tuple(movement for movement in moved if movement.is_usage)
    rows = list(UsageHour.objects.filter(org_id=org_id, hour=hour, model_id=model_id, payer=Payer.CREDITS))
    accrued = Accrual.objects.filter(wallet=org_id, hour=hour, model=model_id).aggregate(open=Sum("amount"))["open"]
    return HourTrace(
        model=AIModel.objects.get(pk=model_id),
        hour=hour,
        lines=charged,
        drawn=_drawn(charged),
        priced=_priced(rows),
        keys=_keys(org_id, rows),
        requests=sum(row.events for row in rows),
        posted=-sum((movement.amount for movement in charged), ZERO),
        taken_back=sum((movement.amount for movement in moved if not movement.is_usage), ZERO),
        accrued=accrued or ZERO,
        cost=sum((row.cost for row in rows), ZERO),
        minutes=_minutes(org_id, hour, model_id),
    )


def debts_paid(account_id: int) -> list[Transfer]:
    """What new credit paid before anything else: overdraft, then claw-back debt (posting rows 3, 3b and 4a)."""
    owed = [Code.OVERDRAFT, Code.CLAWBACK_DEBT]
    return list(
        Transfer.objects.filter(debit=account_id, credit__code__in=owed).select_related("credit").order_by("id")
    )


def _drawn(charged: Sequence[Movement]) -> tuple[Drawn, ...]:
    """In the order in which they were drawn."""
    by_account: dict[int, Decimal] = defaultdict(Decimal)
    for movement in charged:
        by_account[movement.account_id] -= movement.amount
    grants = credits.grants_of(by_account)
    left = _left_after(by_account, max((movement.id for movement in charged), default=0))
    drawn = [Drawn(grants.get(account), amount, left.get(account, ZERO)) for account, amount in by_account.items()]
    return tuple(sorted(drawn, key=_burn_down_order))


def _burn_down_order(drawn: Drawn) -> tuple[bool, float, bool, int]:
    """What went beyond credit last."""
    if drawn.grant is None or drawn.grant.account.expires_at is None:
        return (True, 0, False, 0)
    account = drawn.grant.account
    return (False, drawn.grant.account.expires_at.timestamp(), account.code != Code.CREDIT_PROMO, account.pk)


def _left_after(account_ids: Iterable[int], transfer_id: int) -> dict[int, Decimal]:
    """Account -> its balance when this transfer had been posted."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT account, sum(moved) FROM (
                SELECT credit_id AS account, amount AS moved FROM transfer WHERE credit_id = ANY(%(of)s) AND id <= %(last)s
                UNION ALL
                SELECT debit_id, -amount FROM transfer WHERE debit_id = ANY(%(of)s) AND id <= %(last)s
            ) t GROUP BY account
            """,
            {"of": list(account_ids), "last": transfer_id},
        )
        return dict(cursor.fetchall())


def _priced(rows: Sequence[UsageHour]) -> tuple[Priced, ...]:
    prices = Price.objects.in_bulk({row.price_id for row in rows})
    priced = []
    for price_id in sorted(prices, key=lambda id_: prices[id_].valid_from):
        price, of_price = prices[price_id], [row for row in rows if row.price_id == price_id]
        tokens_in = sum(row.input_tokens for row in of_price)
        cached = sum(row.cached_tokens for row in of_price)
        counted = (
            _counted("Input", tokens_in - cached, price.input_usd),
            _counted("Cached input", cached, price.cached_usd),
            _counted("Output", sum(row.output_tokens for row in of_price), price.output_usd),
        )
        priced.append(Priced(price, counted, sum((one.cost for one in counted), ZERO)))
    return tuple(priced)


def _counted(what: str, tokens: int, per_token: Decimal) -> Counted:
    return Counted(what, tokens, per_token * MILLION, per_token * tokens)


def _keys(org_id: int, rows: Sequence[UsageHour]) -> tuple[KeyShare, ...]:
    names = series.names(org_id, series.By.KEY, {row.key_id for row in rows})
    shares = []
    for key_id, name in names.items():
        used = [row for row in rows if row.key_id == key_id]
        shares.append(
            KeyShare(
                name,
                sum(row.events for row in used),
                sum(row.input_tokens for row in used),
                sum(row.output_tokens for row in used),
                sum((row.cost for row in used), ZERO),
            )
        )
    return tuple(sorted(shares, key=lambda share: (-share.cost, share.name)))


def _minutes(org_id: int, hour: datetime, model_id: int) -> Minutes | None:
    """None once the minutes are no longer kept."""
    within = {"org_id": org_id, "model_id": model_id, "minute__gte": hour, "minute__lt": hour + periods.HOUR}
    found = dict(UsageMinute.objects.filter(**within).values_list("minute", "cost"))
    if not found:
        return None
    starts = [hour + periods.MINUTE * at for at in range(60)]
    spent = charts.Series("Spend", tuple(found.get(start, ZERO) for start in starts))
    chart = charts.Chart(
        tuple(charts.Bucket(start) for start in starts), (spent,), Unit.MONEY, Grain.MINUTE, height=170
    )
    used = sum(1 for cost in found.values() if cost)
    return Minutes(chart, used, sum(found.values(), ZERO))
