"""Collecting what a settlement charges: soon after the month was closed, again 1, 3 and 7 days after the first failure.

The amount is worked out anew each time, and a new charge is made only once the one before is over at Stripe. After the last
one pay-as-you-go stays closed (402 `settlement_unpaid`) until the debt is paid, in whatever way (A43). Nothing is repeated
blindly: while a charge is open, nothing is due here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Protocol
from uuid import UUID

import structlog
from django.db.models import Exists, OuterRef

from billing.ledger.chart import Code
from billing.ledger.models import Account
from billing.money import from_cents, to_cents
from billing.notices.announcing import announce
from billing.notices.models import Kind
from billing.payments import card_charges, declines
from billing.payments.models import OPEN_STATES, Intent, PaymentMethod, Purpose, State
from billing.payments.outcomes import Settled
from billing.settlement import deciding
from billing.settlement.models import Settlement, Stage

log = structlog.get_logger(__name__)

RETRIES = (timedelta(days=1), timedelta(days=3), timedelta(days=7))
"""After the first failure."""
PUT_OFF = timedelta(minutes=10)
"""How long a charge waits that another payment stands in the way of."""
AT_ONCE = 500
WAITING = (Stage.DUE, Stage.NO_CARD, Stage.UNPAID)
NO_CARD = "There is no saved card that can be charged."


@dataclass(frozen=True, slots=True)
class Due:
    """A settlement whose charge, or next try, is due."""

    id: int
    org_id: int


class Collect(Protocol):
    """How one is collected: `flows.collect_settlement`, which lies above this room."""

    def __call__(self, due: Due, *, now: datetime) -> object: ...


def collect(one: Collect, *, now: datetime) -> int:
    """Collect everything that is due; answers how many were tried. One that fails does not stop the others."""
    tried = 0
    for due in list(_due(now)):
        try:
            one(due, now=now)
            tried += 1
        except Exception:
            log.exception("settlement_not_collected", settlement=due.id)
    return tried


def begin(settlement_id: int, *, recharging: bool, now: datetime) -> UUID | None:
    """Commit the charge of what is owed now; answers it, or None when there is none to make. The wallet is locked.

    `recharging`: auto-recharge works, and pays it. A payment that is under way may pay it too: both are waited for (A9).
    """
    settlement = Settlement.objects.select_for_update(of=("self",)).get(pk=settlement_id)
    if settlement.stage != Stage.DUE or settlement.next_try_at is None or settlement.next_try_at > now:
        return None
    owed = overdraft(settlement.wallet_id)
    amount = deciding.chargeable(
        min(owed, settlement.overdraft_at_end - settlement.written_off), settlement.ceiling
    )  # fmt: skip
    if not amount:
        _move(settlement, Stage.OVER if owed else Stage.PAID)
        return None
    under_way = Intent.objects.filter(wallet_id=settlement.wallet_id, state__in=OPEN_STATES).exists()
    try:
        if not recharging and not under_way:
            return _charge(settlement, amount, now)
    except card_charges.NoCard:
        _move(settlement, Stage.NO_CARD)
        tell_no_card(settlement.wallet_id, settlement.period, amount, now=now)
        return None
    except card_charges.CannotCharge as not_now:
        log.info("settlement_put_off", settlement=settlement.pk, why=str(not_now))
    _move(settlement, Stage.DUE, next_try_at=now + PUT_OFF)
    return None


def heard(settled: Settled, *, now: datetime) -> None:
    """What became of a payment, in the transaction that settled it: ours, or any that may have paid what is owed."""
    settlement = Settlement.objects.filter(intent=settled.intent_id).first()
    if settlement is not None and settled.state == State.SUCCEEDED:
        _move(settlement, Stage.PAID)
    elif (
        settlement is not None
        and settlement.stage == Stage.CHARGING
        and settled.state in (State.FAILED, State.CANCELED)
    ):
        _failed(settlement, now)
    if settled.credited is not None:
        forget_paid([settled.org_id])


def forget_paid(org_ids: list[int] | None = None) -> int:
    """Whose overdraft is paid, by whatever it was, owes nothing for a month any more; answers how many. None: anybody."""
    owing = Account.objects.filter(wallet=OuterRef("wallet"), code=Code.OVERDRAFT, balance__lt=0)
    waiting = Settlement.objects.filter(~Exists(owing), stage__in=WAITING)
    if org_ids is not None:
        waiting = waiting.filter(wallet__in=org_ids)
    paid = list(waiting.values_list("pk", flat=True))
    # Asked once more under the rows' locks: one that is being charged by now is not over.
    return Settlement.objects.filter(pk__in=paid, stage__in=WAITING).update(stage=Stage.PAID, next_try_at=None)


def overdraft(org_id: int) -> Decimal:
    """What is owed for usage and posted, in USD."""
    return -Account.objects.values_list("balance", flat=True).get(wallet_id=org_id, code=Code.OVERDRAFT)


def tell_no_card(org_id: int, period: date, amount: Decimal, *, now: datetime) -> None:
    """The debt waits for the customer, who gets a link to pay it. Nothing is said of what could not be charged anyway."""
    if amount:
        _tell(org_id, period, 0, amount, NO_CARD, None, now)


# --- One charge ----------------------------------------------------------------------------------------------------------


def _charge(settlement: Settlement, amount: Decimal, now: datetime) -> UUID:
    method = PaymentMethod.objects.filter(wallet_id=settlement.wallet_id, is_default=True, detached_at=None).first()
    if method is None:
        raise card_charges.NoCard
    tries = settlement.tries + 1
    order = card_charges.CardOrder(
        org_id=settlement.wallet_id,
        purpose=Purpose.SETTLEMENT,
        amount_cents=to_cents(amount),
        key=f"settle:{settlement.wallet_id}:{settlement.period:%Y-%m}:{tries}",
        method_id=method.pk,
    )
    intent = card_charges.commit(order, now=now)
    settlement.intent, settlement.tries = intent, tries
    _move(settlement, Stage.CHARGING)
    return intent.pk


def _failed(settlement: Settlement, now: datetime) -> None:
    """The next try, or none any more. Was the debt paid in another way meanwhile, then nobody is told."""
    if not overdraft(settlement.wallet_id):
        _move(settlement, Stage.PAID)
        return
    intent = settlement.intent
    if intent is None:
        raise ValueError(f"settlement {settlement.pk} was charged without a payment")
    settlement.first_failed_at = settlement.first_failed_at or now
    retry_at = None
    if settlement.tries <= len(RETRIES):
        retry_at = settlement.first_failed_at + RETRIES[settlement.tries - 1]
    _move(settlement, Stage.DUE if retry_at else Stage.UNPAID, next_try_at=retry_at)
    reason = declines.reason(intent.failure_code)
    amount = from_cents(intent.amount_cents)
    _tell(settlement.wallet_id, settlement.period, settlement.tries, amount, reason, retry_at, now)


def _move(settlement: Settlement, stage: Stage, *, next_try_at: datetime | None = None) -> None:
    settlement.stage, settlement.next_try_at = stage, next_try_at
    settlement.save(update_fields=["stage", "intent", "tries", "first_failed_at", "next_try_at"])


def _tell(
    org_id: int, period: date, tries: int, amount: Decimal, reason: str, retry_at: datetime | None, now: datetime
) -> None:
    facts = {
        "period": f"{period:%Y-%m}",
        "amount": f"{amount:.2f}",
        "reason": reason,
        "retry_at": retry_at.isoformat() if retry_at else None,
    }
    announce(org_id, Kind.SETTLEMENT_FAILED, key=f"{org_id}:{period:%Y-%m}:{tries}", facts=facts, now=now)


def _due(now: datetime) -> Iterator[Due]:
    found = Settlement.objects.filter(stage=Stage.DUE, next_try_at__lte=now).order_by("next_try_at", "pk")
    for id_, org_id in found.values_list("pk", "wallet_id")[:AT_ONCE]:
        yield Due(id_, org_id)
