"""Reserved capacity in few words, without Stripe: what it would answer is said here.

Unless told, a contract is of 10 million tokens of gpt-oss-120b a month for 5.00 USD, and 0.80 USD per million beyond.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from billing import flows
from billing.catalog.models import AIModel
from billing.contracts import agreement, collecting, signing
from billing.contracts.models import Contract
from billing.contracts.monthly import ContractDue, ContractMonth
from billing.contracts.terms import Terms
from billing.ledger import wallets
from billing.ledger.models import Transfer
from billing.metering import gateways, ingest
from billing.metering.models import Gateway
from billing.payments.models import Intent
from orgs.models import Organization, User
from tests.factories import cards, catalog, recharging, usage
from tests.factories import orgs as people

MODEL = "gpt-oss-120b"
FEBRUARY = datetime(2026, 2, 20, 9, 0, tzinfo=UTC)
"""When things are drafted and accepted, unless told."""
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
"""The start."""
MILLION = 1_000_000
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def model(slug: str = MODEL, **other: Any) -> AIModel:
    return AIModel.objects.filter(slug=slug).first() or catalog.model(slug, **other)


def wanted(org: Organization, *models: AIModel, **other: Any) -> signing.Draft:
    """What staff would write into the form."""
    values: dict[str, Any] = {
        "tokens": 10 * MILLION, "per_million": Decimal("0.50"), "overage_per_million": Decimal("0.80"),
        "starts_on": date(2026, 3, 1), "overage_limit_cents": None,
    }  # fmt: skip
    rates = signing.Rates(requests_per_minute=600, tokens_per_minute=600_000)
    reason = other.pop("reason", "asked for by mail")
    return signing.Draft(org.pk, Terms(**(values | other)), {one.pk: rates for one in models or (model(),)}, reason)


def drafted(org: Organization, by: User, *models: AIModel, now: datetime = FEBRUARY, **other: Any) -> Contract:
    return flows.draft_contract(wanted(org, *models, **other), by=by.pk, now=now)


def offered(org: Organization, by: User, *models: AIModel, now: datetime = FEBRUARY, **other: Any) -> Contract:
    return flows.offer_contract(drafted(org, by, *models, now=now, **other), by=by.pk, now=now)


def signed(contract: Contract, by: User, *, name: str = "Alice Archer", now: datetime = FEBRUARY) -> Contract:
    """An owner types the name below the words."""
    digest = agreement.digest(signing.text(contract)).hex()
    return flows.accept_contract(contract, by=by.pk, name=name, digest=digest, now=now)


def accepted(
    org: Organization, by: User, *models: AIModel, card: bool = True, now: datetime = FEBRUARY, **other: Any
) -> Contract:
    """Accepted, with a card that can be charged."""
    if card:
        cards.saved(org)
    return signed(offered(org, by, *models, now=now, **other), by, now=now)


def begun(now: datetime = MARCH) -> None:
    """The clock comes by: months begin, are put off, end."""
    flows.bring_contracts_forward(now=now)


def charge(org: Organization) -> Intent | None:
    """The charge that is open, if one is."""
    open_ = Intent.objects.filter(wallet=org.pk, purpose="contract", state__in=["created", "unknown"])
    return open_.order_by("-created_at").first()


def committed(due: ContractDue, *, now: datetime) -> UUID | None:
    """What the clock does first with something that is due: its charge is written down, and Stripe has not heard of it."""
    with transaction.atomic():
        wallets.lock([due.wallet_id])
        return collecting.begin(due.pk, now=now)


def charging(org: Organization, *, now: datetime = MARCH) -> Intent:
    """What is due is written down as a charge; Stripe has not heard of it."""
    with transaction.atomic():
        wallets.lock([org.pk])
        for due in collecting.due(now=now):
            if due.org_id == org.pk:
                collecting.begin(due.id, now=now)
    found = charge(org)
    assert found is not None, "nothing is due"
    return found


def paid(org: Organization, *, now: datetime = MARCH) -> Intent:
    """What is due is charged, and paid."""
    return recharging.paid(charging(org, now=now), now=now)


def refused(org: Organization, code: str = "insufficient_funds", *, now: datetime = MARCH) -> Intent:
    return recharging.refused(charging(org, now=now), code, now=now)


def dunned_again(org: Organization, *, now: datetime) -> None:
    """A customer asks to be charged once more for what was not paid."""
    with transaction.atomic():
        wallets.lock([org.pk])
        for contract in Contract.objects.filter(wallet=org.pk):
            collecting.again(org.pk, contract.pk, now=now)


def running(org: Organization, by: User, *models: AIModel, now: datetime = MARCH, **other: Any) -> Contract:
    """Accepted in February, begun and paid in the first minute of March."""
    contract = accepted(org, by, *models, **other)
    begun(now)
    paid(org, now=now)
    contract.refresh_from_db()
    return contract


def used(
    org: Organization, tokens: int, *, at: datetime, now: datetime | None = None, slug: str = MODEL, sweep: bool = True
) -> list[UUID]:
    """So many tokens, in requests of at most a million, reported at `now` and charged."""
    now = now or at + MINUTE
    usage.days(at, now)
    key = people.key(org, now=at).key
    reporter = Gateway.objects.first() or gateways.register("eu-1", now=now)
    events, left = [], tokens
    while left:
        part = min(left, MILLION)
        events.append(usage.event(key.public_id, at, model=slug, input_tokens=part, output_tokens=0))
        left -= part
    assert ingest.ingest(usage.batch(*events), gateway_id=reporter.pk, now=now).accepted == len(events)
    if sweep:
        flows.sweep(now=now)
    return [event.id for event in events]


def month(contract: Contract, number: int = 3) -> ContractMonth:
    return ContractMonth.objects.get(contract=contract, period__month=number)


def dues(contract: Contract) -> list[tuple[str, int, str]]:
    """(what, cents, where collecting stands), oldest first."""
    return list(
        ContractDue.objects.filter(contract=contract).order_by("pk").values_list("what", "amount_cents", "stage")
    )


def moved(org: Organization) -> dict[tuple[int, int], Decimal]:
    """What was posted for contracts: the sum of each pair of accounts, by their codes."""
    sums: dict[tuple[int, int], Decimal] = {}
    rows = Transfer.objects.filter(wallet=org.pk).values_list("debit__code", "credit__code", "amount")
    for debit, credit, amount in rows:
        if {debit, credit} & {1120, 2200, 4200, 4210, 4220}:
            sums[debit, credit] = sums.get((debit, credit), Decimal(0)) + amount
    return sums
