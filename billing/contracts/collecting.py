"""Charging what is due for contracts to the default card: at once, and again 1, 3, 7 and 13 days after the first failure.

The charge is committed first; its amount is what is still owed then. Nothing is repeated blindly: while one is open, nothing
is due here. The first month of a contract is tried on its first day alone, after 1, 6 and 18 hours (A57).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import structlog

from billing.contracts import months, signing, terms
from billing.contracts.models import Contract, State
from billing.contracts.monthly import ContractDue, Stage
from billing.ledger import receivables
from billing.money import from_cents
from billing.notices.announcing import announce
from billing.notices.models import Kind
from billing.payments import card_charges, declines
from billing.payments.models import Intent, Purpose
from billing.payments.models import State as Paid
from billing.payments.outcomes import UNAPPLIED, Settled

log = structlog.get_logger(__name__)

RETRIES = (timedelta(days=1), timedelta(days=3), timedelta(days=7), timedelta(days=13))
"""After the first failure; the last of them is within the grace."""
ON_THE_FIRST = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=18))
"""The same for the first month of a contract."""
PUT_OFF = timedelta(minutes=1)
"""How long a charge waits that another payment stands in the way of."""
AT_ONCE = 500
WAITING = (Stage.DUE, Stage.NO_CARD, Stage.UNPAID)
NO_CARD = "There is no saved card that can be charged."
ANOTHER_AMOUNT = (
    "What arrived is another amount than was charged. We are looking into it, and charge nothing meanwhile."
)


class NothingToPay(ValueError):
    """Nothing is owed, or it is being charged. The message is for the customer."""

    def __init__(self) -> None:
        super().__init__("There is nothing to pay now, or it is being charged already.")


@dataclass(frozen=True, slots=True)
class Due:
    """Something whose charge, or next try, is due."""

    id: int
    org_id: int


def due(*, now: datetime) -> Iterator[Due]:
    """What is to be charged now, the oldest first."""
    found = ContractDue.objects.filter(stage=Stage.DUE, next_try_at__lte=now).order_by("next_try_at", "pk")
    for id_, org_id in found.values_list("pk", "wallet_id")[:AT_ONCE]:
        yield Due(id_, org_id)


def found_cards(*, now: datetime) -> None:
    """What waited for a card is due again where one can be charged by now."""
    waiting = ContractDue.objects.filter(stage=Stage.NO_CARD).order_by("pk")
    for id_, org_id in waiting.values_list("pk", "wallet_id")[:AT_ONCE]:
        if signing.card(org_id, now=now):
            ContractDue.objects.filter(pk=id_, stage=Stage.NO_CARD).update(stage=Stage.DUE, next_try_at=now)


def begin(due_id: int, *, now: datetime) -> UUID | None:
    """Commit the charge of what is owed of it; answers it, or None when there is none to make now. The wallet is locked."""
    one = ContractDue.objects.select_for_update(of=("self",)).select_related("contract").get(pk=due_id)
    if one.stage != Stage.DUE or one.next_try_at is None or one.next_try_at > now:
        return None
    cents = terms.chargeable(min(receivables.owed(one.wallet_id), from_cents(one.amount_cents)))
    if not cents:
        _paid_otherwise(one, now)
        return None
    try:
        return _charge(one, cents, now)
    except card_charges.NoCard:
        _move(one, Stage.NO_CARD)
        _tell(one, from_cents(cents), NO_CARD, now)
    except card_charges.CannotCharge as not_now:
        log.info("contract_put_off", due=one.pk, why=str(not_now))
        _move(one, Stage.DUE, next_try_at=now + PUT_OFF)
    return None


def _paid_otherwise(one: ContractDue, now: datetime) -> None:
    """Nothing is owed of it: an earlier try arrived after all, or what it was for was taken back."""
    if is_first(one.contract):
        one.paid_at = now
        _move(one, Stage.PAID)
        _began(one, now)
    else:
        _move(one, Stage.OVER)


def heard(settled: Settled, *, now: datetime) -> None:
    """What became of a payment, in the transaction that settled it. Of one that is not for a contract nothing."""
    intent = Intent.objects.filter(pk=settled.intent_id, purpose=Purpose.CONTRACT).first()
    if intent is None:
        return
    one = ContractDue.objects.select_related("contract", "month").filter(intent=intent).first()
    if settled.state == Paid.SUCCEEDED and intent.failure_code == UNAPPLIED:
        # Of another amount or currency: it waits for staff, and has paid nothing (A54).
        if one is not None and one.stage == Stage.CHARGING:
            _set_aside(one, now)
    elif settled.state == Paid.SUCCEEDED:
        if one is not None and one.stage != Stage.PAID:
            one.paid_at = now
            _move(one, Stage.PAID)
            _began(one, now)
        _forget_paid(settled.org_id, now)
    elif one is not None and one.stage == Stage.CHARGING and settled.state in (Paid.FAILED, Paid.CANCELED):
        _failed(one, now)


def _forget_paid(org_id: int, now: datetime) -> None:
    """Nothing is owed any more, by whichever try it was paid: what was still to be collected is not."""
    if receivables.owed(org_id) > 0:
        return
    waiting = ContractDue.objects.select_related("contract", "month").filter(wallet=org_id, stage__in=WAITING)
    for one in waiting.order_by("pk"):
        _paid_otherwise(one, now)


def again(org_id: int, contract_id: int, *, now: datetime) -> list[Due]:
    """A customer pays now what could not be charged: its tries begin anew. Raises `NothingToPay`. The wallet is locked."""
    open_ = ContractDue.objects.filter(wallet=org_id, contract=contract_id, stage__in=WAITING).order_by("due_at", "pk")
    found = [Due(one.pk, org_id) for one in open_]
    if not found:
        raise NothingToPay
    open_.update(stage=Stage.DUE, next_try_at=now)
    return found


# --- One charge ----------------------------------------------------------------------------------------------------------


def _charge(one: ContractDue, cents: int, now: datetime) -> UUID:
    method = signing.card(one.wallet_id, now=now)
    if method is None:
        raise card_charges.NoCard
    tries = one.tries + 1
    order = card_charges.CardOrder(
        org_id=one.wallet_id, purpose=Purpose.CONTRACT, amount_cents=cents, key=f"contract:{one.pk}:{tries}",
        method_id=method.pk,
    )  # fmt: skip
    intent = card_charges.commit(order, now=now)
    one.intent, one.tries, one.amount_cents = intent, tries, cents
    _move(one, Stage.CHARGING)
    return intent.pk


def _began(one: ContractDue, now: datetime) -> None:
    """Its first month is paid: it is active. Paid after it was put off, the money waits for staff (A54)."""
    contract = signing.locked(one.contract_id)
    if contract.state == State.ACCEPTED and one.month.lapsed_at is None:
        months.activate(contract, now=now)
    elif contract.state == State.PAST_DUE and not months.is_closed(contract, now=now):
        contract.state = State.ACTIVE
        contract.save(update_fields=["state"])


def _failed(one: ContractDue, now: datetime) -> None:
    """The next try, or none any more. Those that were missed are not made up for; what a customer tries is none of them."""
    intent = one.intent
    assert intent is not None, "what is being charged has a payment"
    one.first_failed_at = one.first_failed_at or now
    retries = ON_THE_FIRST if is_first(one.contract) else RETRIES
    retry_at = next((at for wait in retries if (at := one.first_failed_at + wait) > now), None)
    _move(one, Stage.DUE if retry_at else Stage.UNPAID, next_try_at=retry_at)
    _tell(one, from_cents(intent.amount_cents), declines.reason(intent.failure_code), now)


def _set_aside(one: ContractDue, now: datetime) -> None:
    """Not paid, and not tried again by itself: money of this customer is here already, and waits for staff."""
    one.first_failed_at = one.first_failed_at or now
    _move(one, Stage.UNPAID)
    _tell(one, from_cents(one.amount_cents), ANOTHER_AMOUNT, now)


def is_first(contract: Contract) -> bool:
    """Not active yet: its first month is what is charged."""
    return contract.state == State.ACCEPTED


def _move(one: ContractDue, stage: Stage, *, next_try_at: datetime | None = None) -> None:
    one.stage, one.next_try_at = stage, next_try_at
    one.save(update_fields=["stage", "intent", "tries", "amount_cents", "first_failed_at", "next_try_at", "paid_at"])


def _tell(one: ContractDue, amount: Decimal, reason: str, now: datetime) -> None:
    facts = signing.facts(
        one.contract,
        what=one.what,
        period=f"{one.due_at:%Y-%m}",
        charge=f"{amount:.2f}",
        reason=reason,
        retry_at=one.next_try_at.isoformat() if one.next_try_at else None,
        closes_at=None if is_first(one.contract) else one.closes_at.isoformat(),
    )
    key = f"{one.contract.public_id}:{one.pk}:{one.tries}:{one.stage}"
    announce(one.wallet_id, Kind.CONTRACT_FAILED, key=key, facts=facts, now=now)
