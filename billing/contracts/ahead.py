"""What contracts will do by themselves if nobody does anything: their steps ahead, by the rules that take them.

The months' amounts are of `terms`, the days of grace of `months`, the notice of `ending`. `of` reads, `steps` is pure. That
a year then goes exactly so is a test (`tests/scenarios/test_timeline.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from billing import periods
from billing.catalog.offer import Catalog
from billing.contracts import terms
from billing.contracts.ending import TOLD_BEFORE
from billing.contracts.models import LIVE, Contract, Ended, State
from billing.contracts.monthly import ContractDue, ContractMonth, Stage
from billing.contracts.months import FIRST_DAY, GRACE
from billing.money import to_cents
from billing.payments import card_charges
from billing.payments.models import PaymentMethod

WAITING = (Stage.DUE, Stage.NO_CARD, Stage.UNPAID)


class What(StrEnum):
    """What happens with a contract."""

    COMMITTED = "committed"
    RETRIED = "retried"
    CLOSED = "closed"
    PUT_OFF = "put_off"
    TOLD = "told"
    ENDED = "ended"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class Step:
    """One of them. `cents`: what is due, or tried again. `period`: the month it is for. `card`: it can be charged then.

    `closed`: from then on requests are refused unless it is paid; `put_off`: its first month was not paid on its day.
    """

    what: What
    at: datetime
    contract: Contract
    cents: int = 0
    period: date | None = None
    card: PaymentMethod | None = None
    why: Ended | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A contract with all that its steps follow from: its models by id and name, the months that there are, what is unpaid.
    `card`: the default card, which everything is charged to."""

    contract: Contract
    models: Mapping[int, str]
    months: Sequence[ContractMonth] = field(default=())
    unpaid: Sequence[ContractDue] = field(default=())
    card: PaymentMethod | None = None

    @property
    def names(self) -> str:
        return ", ".join(sorted(self.models.values()))


def of(org_id: int) -> list[Standing]:
    """The contracts of an organization that are offered, accepted or run. Five queries, however many."""
    found = list(
        Contract.objects.filter(wallet=org_id, state__in=(State.OFFERED, *LIVE)).order_by("starts_on", "pk")
        .prefetch_related("covers__model")
    )  # fmt: skip
    if not found:
        return []
    months = list(ContractMonth.objects.filter(contract__in=found, lapsed_at=None))
    unpaid = list(ContractDue.objects.filter(contract__in=found, stage__in=WAITING).order_by("due_at", "pk"))
    card = PaymentMethod.objects.filter(wallet_id=org_id, is_default=True, detached_at=None).first()
    return [
        Standing(
            one,
            {cover.model_id: cover.model.name for cover in one.covers.all()},
            [month for month in months if month.contract_id == one.pk],
            [due for due in unpaid if due.contract_id == one.pk],
            card,
        )
        for one in found
    ]


def steps(standing: Standing, catalog: Catalog, *, now: datetime, until: datetime) -> Iterator[Step]:
    """What happens before `until`."""
    contract = standing.contract
    if contract.state == State.OFFERED:
        if now < (start := periods.month_start(contract.starts_on)):
            yield Step(What.LAPSED, start, contract)
        return
    yield from _unpaid(standing, now)
    yield from _months(standing, catalog, now, until)


def _unpaid(standing: Standing, now: datetime) -> Iterator[Step]:
    """What was not paid is tried again, and closes requests when its grace is over (A57)."""
    for due in standing.unpaid:
        if due.stage == Stage.DUE and due.next_try_at is not None and due.tries:
            yield Step(
                What.RETRIED, due.next_try_at, standing.contract, due.amount_cents, due.due_at.date(), standing.card
            )
    closes = min((due.closes_at for due in standing.unpaid), default=None)
    if closes is not None and closes > now and standing.contract.state != State.ACCEPTED:
        yield Step(What.CLOSED, closes, standing.contract)


def _months(standing: Standing, catalog: Catalog, now: datetime, until: datetime) -> Iterator[Step]:
    """Each month's commitment on its first day, and the end: as `months.bring_forward` does it."""
    contract, there = standing.contract, {month.period: month for month in standing.months}
    retired, closes = catalog.retired_from(standing.models), None
    period = contract.starts_on
    while period < contract.ends_on and (at := periods.month_start(period)) < until:
        month = there.get(period)
        if month is None or (month.begun_at is None and month.amount_cents):
            pool = terms.pool(contract.terms, period, retired_from=retired)
            if pool is None:
                yield Step(What.ENDED, retired or at, contract, why=Ended.RETIRED)
                return
            card = standing.card if standing.card and card_charges.is_usable(standing.card, now=at) else None
            cents = month.amount_cents if month else to_cents(pool.amount)
            yield Step(What.COMMITTED, at, contract, cents, period, card)
            if card is None and contract.state == State.ACCEPTED and period == contract.starts_on:
                yield Step(What.PUT_OFF, at + FIRST_DAY, contract)
                return
            if card is None and closes is None and not standing.unpaid:
                closes = at + GRACE
                yield Step(What.CLOSED, closes, contract)
        period = periods.next_month(period)
    over = periods.month_start(contract.ends_on)
    if over - TOLD_BEFORE > now:
        yield Step(What.TOLD, over - TOLD_BEFORE, contract)
    yield Step(What.ENDED, over, contract, why=Ended.TERM)
