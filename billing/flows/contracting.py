"""Reserved capacity: a contract is offered, accepted, charged, and ends.

Drafted, offered and accepted by people; begun, charged, put off and ended by the clock. What is used is drawn down where all
usage is charged (`flows.sweep`), months are closed with the books (`flows.settle_periods`), and what became of a charge is
heard where every payment's outcome is (`flows.payment_outcome`).
"""

from datetime import datetime

import structlog
from django.db import transaction

from billing import periods
from billing.contracts import collecting, ending, months, signing
from billing.contracts.collecting import Due
from billing.contracts.models import Contract
from billing.flows import paying
from billing.ledger import wallets
from billing.limits import publishing
from billing.payments import card_charges
from billing.payments.outcomes import Settled
from billing.subscriptions import choosing

log = structlog.get_logger(__name__)


def draft_contract(wanted: signing.Draft, *, by: int, now: datetime) -> Contract:
    """Staff write a contract down. Raises `TermsRefused` and `SigningRefused`."""
    with transaction.atomic():
        wallets.lock([wanted.org_id])
        return signing.draft(wanted, by=by, now=now)


def offer_contract(contract: Contract, *, by: int, now: datetime) -> Contract:
    """Staff show it to the organization. Raises `SigningRefused`."""
    with transaction.atomic():
        wallets.lock([contract.wallet_id])
        _refuse_beside_a_plan(contract)
        return signing.offer(contract.pk, by=by, now=now)


def withdraw_contract(contract: Contract, *, by: int, reason: str, now: datetime) -> Contract:
    """Staff take it back while nobody has accepted it. Raises `SigningRefused`."""
    with transaction.atomic():
        wallets.lock([contract.wallet_id])
        return signing.withdraw(contract.pk, by=by, reason=reason, now=now)


def accept_contract(contract: Contract, *, by: int, name: str, digest: str, now: datetime) -> Contract:
    """An owner agrees to it, word for word. Raises `SigningRefused`."""
    with transaction.atomic():
        wallets.lock([contract.wallet_id])
        _refuse_beside_a_plan(contract)
        return signing.accept(contract.pk, by=by, name=name, digest=digest, now=now)


def set_contract_limit(contract: Contract, cents: int, *, by: int, now: datetime) -> Contract:
    """An owner says how much overage a month may have: requests may go on at once. Raises `SigningRefused`."""
    with transaction.atomic():
        wallets.lock([contract.wallet_id])
        changed = signing.set_limit(contract.pk, cents, by=by, now=now)
        publishing.publish([contract.wallet_id], now=now)
        return changed


def bring_contracts_forward(*, now: datetime) -> int:
    """The first of a month, the end of a term, of a grace: what the calendar asks of contracts; answers how many."""
    done = 0
    for contract_id, org_id in months.waiting(now=now):
        try:
            with transaction.atomic():
                wallets.lock([org_id])
                months.bring_forward(contract_id, now=now)
                publishing.publish([org_id], now=now)
            done += 1
        except Exception:
            log.exception("contract_not_brought_forward", contract=contract_id)
    ending.tell(now=now)
    return done


def collect_contracts(*, now: datetime) -> int:
    """Charge what is due for contracts, first or once more; answers how many were tried. One that fails stops no other."""
    tried = 0
    collecting.found_cards(now=now)
    for due in list(collecting.due(now=now)):
        try:
            collect_contract(due, now=now)
            tried += 1
        except Exception:
            log.exception("contract_not_collected", due=due.id)
    return tried


def collect_contract(due: Due, *, now: datetime) -> Settled | None:
    """One of them. The charge is committed before Stripe hears of it. None: there is nothing to charge, or not now."""
    with transaction.atomic():
        wallets.lock([due.org_id])
        intent_id = collecting.begin(due.id, now=now)
        publishing.publish([due.org_id], now=now)
    if intent_id is None:
        return None
    return paying.payment_outcome(intent_id, card_charges.charge(intent_id, now=now), now=now)


def pay_contract(contract: Contract, *, now: datetime) -> list[Settled | None]:
    """A customer pays what could not be charged. Raises `NothingToPay`."""
    with transaction.atomic():
        wallets.lock([contract.wallet_id])
        found = collecting.again(contract.wallet_id, contract.pk, now=now)
    return [collect_contract(due, now=now) for due in found]


def end_unpaid_contract(contract: Contract, *, by: int, reason: str, now: datetime) -> Contract:
    """Staff end a contract that is not paid: the first says so, the second does it. Raises `EndRefused`."""
    with transaction.atomic():
        wallets.lock([contract.wallet_id])
        ended = ending.unpaid(contract.pk, by=by, reason=reason, now=now)
        publishing.publish([contract.wallet_id], now=now)
        return ended


def _refuse_beside_a_plan(contract: Contract) -> None:
    """A contract starts where a plan for one of its models has ended for good, so that plan must be canceled (A21)."""
    start = periods.month_start(contract.starts_on)
    if choosing.goes_on(contract.wallet_id, signing.model_ids(contract), at=start):
        raise signing.SigningRefused(signing.TAKEN)
