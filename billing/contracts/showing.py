"""Contracts as people see them: what is agreed, how far this month's tokens are used, what is owed. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing import periods
from billing.contracts import months, signing
from billing.contracts.models import LIVE, RUNNING, Contract, State
from billing.contracts.monthly import ContractDue, ContractMonth, Stage
from billing.money import ZERO, from_cents

SHOWN = (State.OFFERED, *LIVE)
"""What stands on the Billing page; a draft is staff's alone, and what is over has only its page."""
UNPAID = (Stage.DUE, Stage.NO_CARD, Stage.UNPAID)
STATUS = {
    State.OFFERED: ("waiting", "Waits for an owner"),
    State.ACCEPTED: ("waiting", "Accepted"),
    State.ACTIVE: ("ok", "Active"),
    State.PAST_DUE: ("failed", "Past due"),
    State.ENDED: ("ended", "Ended"),
    State.WITHDRAWN: ("ended", "Withdrawn"),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """One contract now. Money in USD; `used` and `committed` are tokens of this UTC month, `beyond` those of them that are
    overage. `limit_reached`: requests are refused for it. `unpaid`: what could not be charged, or not yet."""

    contract: Contract
    models: str
    price: Decimal
    overage_price: Decimal
    used: int
    committed: int
    beyond: int
    overage: Decimal
    limit: Decimal
    unpaid: Decimal
    closes_at: datetime | None
    month: datetime

    @property
    def runs(self) -> bool:
        return self.contract.state in RUNNING

    @property
    def status(self) -> tuple[str, str]:
        """(kind, word) for the status mark."""
        return STATUS[State(self.contract.state)]

    @property
    def limit_reached(self) -> bool:
        return self.runs and self.used >= self.committed and self.overage >= self.limit

    @property
    def last_day(self) -> datetime:
        """The instant at which it ends."""
        return periods.month_start(self.contract.ends_on)


def of(org_id: int, *, now: datetime) -> list[Standing]:
    """Those that an organization has, or may accept, by their start. Four queries and one for each."""
    found = Contract.objects.filter(wallet=org_id, state__in=SHOWN).order_by("starts_on", "pk")
    return [
        one(contract, now=now) for contract in found if contract.state != State.OFFERED or is_open(contract, now=now)
    ]


def is_open(contract: Contract, *, now: datetime) -> bool:
    """Whether it waits for an owner: offered, and its start is not past."""
    return contract.state == State.OFFERED and now < periods.month_start(contract.starts_on)


def one(contract: Contract, *, now: datetime) -> Standing:
    """One of them, whatever its state."""
    month = ContractMonth.objects.filter(contract=contract, period=periods.month_of(now), lapsed_at=None).first()
    used, committed = (month.total, month.tokens) if month else (0, contract.tokens)
    overage = months.pool_of(month, contract).overage(used) if month else ZERO
    unpaid = list(contract.dues.filter(stage__in=UNPAID)) if contract.state in LIVE or contract.over_at else []
    return Standing(
        contract, ", ".join(signing.names(contract)), contract.terms.per_million, contract.terms.overage_per_million, used,
        committed, max(0, used - committed), overage, from_cents(contract.overage_limit_cents),
        from_cents(sum(due.amount_cents for due in unpaid)), min((due.closes_at for due in unpaid), default=None),
        periods.month_start(periods.month_of(now)),
    )  # fmt: skip


def charges(contract: Contract) -> Sequence[ContractDue]:
    """What was and is due for it, the newest first, with the payments."""
    return list(contract.dues.select_related("month", "intent").order_by("-due_at", "-pk"))
