"""How a contract comes to be: staff draft and offer it, an owner accepts it word for word, and nobody changes it after that.

Every verb runs in the caller's transaction under the wallet's lock, and writes down who did it and why.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Q

from billing import periods
from billing.catalog.current import latest
from billing.contracts import agreement, terms
from billing.contracts.models import LIVE, Acceptance, Act, Contract, ContractAct, ContractModel, State
from billing.contracts.terms import Terms
from billing.coverage.models import Coverage, Payer, PayerBase
from billing.ledger.models import Wallet
from billing.money import to_cents
from billing.notices.announcing import announce
from billing.notices.models import Kind
from billing.payments import card_charges
from billing.payments.models import PaymentMethod

OVER = (State.ENDED, State.WITHDRAWN)
LONGEST_NAME = 120
TAKEN = "Another plan or contract covers one of its models then. It must end first."


class SigningRefused(ValueError):
    """It cannot be drafted, offered, accepted or withdrawn now. The message is for whoever asked."""


@dataclass(frozen=True, slots=True)
class Rates:
    """At which speed a model is served: requests and tokens per minute and hour; None: not limited. No daily limit."""

    requests_per_minute: int | None = None
    requests_per_hour: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_hour: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What staff wrote down: the terms, the models by id with their rates, and why."""

    org_id: int
    terms: Terms
    models: dict[int, Rates] = field(default_factory=dict)
    reason: str = ""


def draft(wanted: Draft, *, by: int, now: datetime) -> Contract:
    """Write it down; nobody is told yet. Raises `TermsRefused` and `SigningRefused`."""
    terms.check(wanted.terms, now=now)
    if not wanted.models:
        raise SigningRefused("A contract covers at least one model.")
    if not wanted.reason.strip():
        raise SigningRefused("Say why: the reason is kept for good.")
    agreed = wanted.terms
    amount = to_cents(agreed.amount)
    contract = Contract.objects.create(
        wallet_id=wanted.org_id, tokens=agreed.tokens, price_usd=agreed.price, overage_usd=agreed.overage_price,
        amount_cents=amount, starts_on=agreed.starts_on, ends_on=agreed.ends_on, drafted_at=now,
        overage_limit_cents=amount if agreed.overage_limit_cents is None else agreed.overage_limit_cents,
    )  # fmt: skip
    for model_id, rates in wanted.models.items():
        ContractModel.objects.create(
            contract=contract, wallet_id=wanted.org_id, model_id=model_id, since=agreed.starts_on, until=agreed.ends_on,
            **{name: getattr(rates, name) for name in Rates.__slots__},
        )  # fmt: skip
    wrote(contract, Act.DRAFTED, by=by, reason=wanted.reason, now=now)
    return contract


def offer(contract_id: int, *, by: int, now: datetime) -> Contract:
    """Show it to the owners, and tell them. Raises `SigningRefused`."""
    contract = locked(contract_id)
    if contract.state != State.DRAFT:
        raise SigningRefused(f"It is {contract.get_state_display().lower()}: only a draft is offered.")
    refuse_what_cannot_start(contract, now=now)
    contract.state, contract.offered_at = State.OFFERED, now
    contract.save(update_fields=["state", "offered_at"])
    wrote(contract, Act.OFFERED, by=by, now=now)
    announce(contract.wallet_id, Kind.CONTRACT_OFFERED, key=str(contract.public_id), facts=facts(contract), now=now)
    return contract


def withdraw(contract_id: int, *, by: int, reason: str, now: datetime) -> Contract:
    """Take it back while nobody has accepted it. Raises `SigningRefused`."""
    contract = locked(contract_id)
    if contract.state not in (State.DRAFT, State.OFFERED):
        raise SigningRefused("It was accepted, or is over: it cannot be withdrawn.")
    if not reason.strip():
        raise SigningRefused("Say why: the reason is kept for good.")
    wrote(contract, Act.WITHDRAWN, by=by, reason=reason, now=now)
    return give_up(contract, now=now)


def accept(contract_id: int, *, by: int, name: str, digest: str, now: datetime) -> Contract:
    """An owner agrees, under this name, to the words with this digest (hex). Again it answers the same, and changes nothing.
    Raises `SigningRefused`, also when the words are not those that were shown."""
    contract = locked(contract_id)
    if contract.state in LIVE:
        return contract
    if contract.state != State.OFFERED:
        raise SigningRefused("This contract is not offered any more.")
    words = text(contract)
    if agreement.digest(words).hex() != digest:
        raise SigningRefused("The words have changed since this page was opened. Read them again.")
    name = " ".join(name.split())
    if not 2 <= len(name) <= LONGEST_NAME:
        raise SigningRefused("Type your full name.")
    refuse_what_cannot_start(contract, now=now)
    if card(contract.wallet_id, now=now) is None:
        raise SigningRefused("Save a card first: the commitment is charged to the default card.")
    Acceptance.objects.create(
        contract=contract, wallet_id=contract.wallet_id, by_id=by, name=name, at=now, wording=agreement.VERSION, text=words,
        digest=agreement.digest(words),
    )  # fmt: skip
    contract.state, contract.accepted_at = State.ACCEPTED, now
    contract.save(update_fields=["state", "accepted_at"])
    reserve(contract)
    return contract


def set_limit(contract_id: int, cents: int, *, by: int, now: datetime) -> Contract:
    """An owner says how much overage a month may have. It works at once. Raises `SigningRefused`."""
    contract = locked(contract_id)
    if contract.state not in LIVE:
        raise SigningRefused("This contract does not run.")
    if not 0 <= cents <= terms.MOST_CENTS:
        raise SigningRefused("The limit is nothing or more, and at most $1,000,000.00.")
    if cents != contract.overage_limit_cents:
        was, contract.overage_limit_cents = contract.overage_limit_cents, cents
        contract.save(update_fields=["overage_limit_cents"])
        wrote(contract, Act.LIMIT_SET, by=by, reason=f"{was} to {cents} cents a month", now=now)
    return contract


# --- What stands in the way ----------------------------------------------------------------------------------------------


def refuse_what_cannot_start(contract: Contract, *, now: datetime) -> None:
    """Raises `SigningRefused` when the start is past, a model ends before it, or something else covers one from then on."""
    start = periods.month_start(contract.starts_on)
    if start <= now:
        raise SigningRefused("Its start is past. A new contract has to be drafted.")
    if PayerBase.objects.filter(wallet=contract.wallet_id, payer=Payer.MARKETPLACE).exists():
        raise SigningRefused("This organization is billed through AWS Marketplace.")
    wanted = model_ids(contract)
    for model in latest().models:
        if model.id in wanted and model.is_retired(start):
            raise SigningRefused(f"{model.name} ends before the contract starts.")
    if taken(contract):
        raise SigningRefused(TAKEN)


def taken(contract: Contract) -> bool:
    """Whether a plan, or another contract that was accepted, covers one of its models while it would run (A21)."""
    wanted = model_ids(contract)
    start, end = periods.month_start(contract.starts_on), periods.month_start(contract.ends_on)
    covered = Coverage.objects.filter(
        wallet=contract.wallet_id, model_id__in=wanted, valid_from__lt=end, valid_to__gt=start
    )
    reserved = ContractModel.objects.filter(
        ~Q(contract=contract), wallet=contract.wallet_id, model_id__in=wanted, live=True, since__lt=contract.ends_on,
        until__gt=contract.starts_on,
    )  # fmt: skip
    return covered.exists() or reserved.exists()


def card(org_id: int, *, now: datetime) -> PaymentMethod | None:
    """The default card, if it can be charged."""
    method = PaymentMethod.objects.filter(wallet_id=org_id, is_default=True, detached_at=None).first()
    return method if method and card_charges.is_usable(method, now=now) else None


# --- Shared --------------------------------------------------------------------------------------------------------------


def locked(contract_id: int) -> Contract:
    return Contract.objects.select_for_update().get(pk=contract_id)


def model_ids(contract: Contract) -> set[int]:
    return set(contract.covers.values_list("model_id", flat=True))


def names(contract: Contract) -> tuple[str, ...]:
    """Of its models, as they are shown."""
    return tuple(contract.covers.order_by("model__name").values_list("model__name", flat=True))


def text(contract: Contract) -> str:
    """The words of this contract as they are now; once accepted those that were accepted."""
    accepted = Acceptance.objects.filter(pk=contract.pk).first()
    return accepted.text if accepted else agreement.text(contract.terms, _parties(contract))


def reserve(contract: Contract) -> None:
    """Its models are kept for it, from its start to its end."""
    contract.covers.update(live=True, since=contract.starts_on, until=contract.ends_on)


def give_up(contract: Contract, *, now: datetime) -> Contract:
    """It will never begin."""
    contract.state, contract.over_at = State.WITHDRAWN, now
    contract.save(update_fields=["state", "over_at"])
    contract.covers.update(live=False)
    return contract


def wrote(contract: Contract, act: Act, *, by: int | None, reason: str = "", now: datetime) -> None:
    ContractAct.objects.create(
        contract=contract, wallet_id=contract.wallet_id, act=act, by_id=by, reason=reason.strip(), at=now
    )


def facts(contract: Contract, **more: str | int | None) -> dict[str, str | int | bool | None]:
    """What notices about it are made of."""
    models: Sequence[Any] = names(contract)
    return {
        "contract": str(contract.public_id),
        "models": ", ".join(models),
        "tokens": contract.tokens,
        "amount": f"{contract.amount:.2f}",
        "starts_on": contract.starts_on.isoformat(),
        "ends_on": contract.ends_on.isoformat(),
        **more,
    }


def _parties(contract: Contract) -> agreement.Parties:
    customer = Wallet.objects.select_related("organization").get(pk=contract.wallet_id).organization
    return agreement.Parties(settings.BRAND["name"], str(customer), names(contract))
