"""The end of a contract: told 60 days before its term is over; earlier only by two of the staff, if it is not paid (A57)."""

from datetime import datetime, timedelta

from billing import periods
from billing.contracts import months, signing
from billing.contracts.models import RUNNING, Act, Contract, ContractAct, Ended, State
from billing.notices.announcing import announce
from billing.notices.models import Kind, Notice

TOLD_BEFORE = timedelta(days=60)


class EndRefused(ValueError):
    """It cannot be ended, or not by this person. The message is for staff."""


def unpaid(contract_id: int, *, by: int, reason: str, now: datetime) -> Contract:
    """The first person proposes it, another one approves it, and then it ends at once. What is owed stays owed.

    The wallet is locked. Raises `EndRefused`.
    """
    contract = signing.locked(contract_id)
    if contract.state != State.PAST_DUE:
        raise EndRefused("Only a contract that is past due can be ended for non-payment.")
    if not reason.strip():
        raise EndRefused("Say why: the reason is kept for good.")
    proposal = proposed(contract)
    if proposal is None:
        signing.wrote(contract, Act.END_PROPOSED, by=by, reason=reason, now=now)
        return contract
    if proposal.by_id == by:
        raise EndRefused("You proposed this: a second person has to approve it.")
    signing.wrote(contract, Act.END_APPROVED, by=by, reason=reason, now=now)
    months.end(contract, Ended.UNPAID, at=now, now=now)
    return contract


def proposed(contract: Contract) -> ContractAct | None:
    """Who proposed to end it, if somebody did."""
    return ContractAct.objects.filter(contract=contract, act=Act.END_PROPOSED).first()


def tell(*, now: datetime) -> None:
    """Contracts that end within 60 days are told of, once each."""
    soon = Contract.objects.filter(
        state__in=RUNNING, ends_on__lte=(now + TOLD_BEFORE).date(), ends_on__gt=now.date()
    ).order_by("pk")
    keys = {f"{Kind.CONTRACT_ENDING}:{contract.public_id}": contract for contract in soon}
    known = set(Notice.objects.filter(key__in=keys).values_list("key", flat=True))
    for key, contract in keys.items():
        if key not in known:
            facts = signing.facts(contract, ends_at=periods.month_start(contract.ends_on).isoformat())
            announce(contract.wallet_id, Kind.CONTRACT_ENDING, key=str(contract.public_id), facts=facts, now=now)
