"""The same calls and troubles for the commitment of a contract: paid once, and it runs; or not paid, and tried again.

In `make test` each moment meets one trouble, in `make money` all of them.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing import periods
from billing.contracts.models import Contract
from billing.contracts.monthly import ContractDue, Stage
from billing.coverage.models import Coverage
from billing.payments.models import OPEN_STATES, Intent, PaymentMethod, State
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests import figures as counted
from tests import verified
from tests.factories import contracts
from tests.factories.paying import pay
from tests.faults.test_off_session import AFTERWARDS, MOMENTS, Charge, wrongs
from tests.faults.troubles import TROUBLES, with_call

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

BEFORE = timedelta(days=10)


@pytest.fixture
def card(stripe: Running, acme: Organization, alice: User, settings: Any) -> PaymentMethod:
    patience, settings.STRIPE_TIMEOUT_SECONDS = settings.STRIPE_TIMEOUT_SECONDS, 20.0
    pay(stripe, acme, alice, 10_00)
    settings.STRIPE_TIMEOUT_SECONDS = patience
    return PaymentMethod.objects.get(wallet_id=acme.pk)


def due(acme: Organization, alice: User, number: int) -> ContractDue:
    """The first month of a contract for a model of its own: this one. Its charge is written down now."""
    first = periods.month_of(datetime.now(UTC))
    start = periods.month_start(first)
    model = contracts.model(f"model-{number}")
    contract = contracts.accepted(acme, alice, model, card=False, now=start - BEFORE, starts_on=first)
    contracts.begun(start)
    made = ContractDue.objects.get(contract=contract)
    assert contracts.committed(made, now=datetime.now(UTC))
    made.refresh_from_db()
    return made


def amiss(made: ContractDue, intent: Intent) -> list[str]:
    """The contract runs exactly when it is paid."""
    made.refresh_from_db()
    paid = intent.state == State.SUCCEEDED
    contract = Contract.objects.get(pk=made.contract_id)
    said = (
        made.stage == Stage.PAID,
        contract.state == "active",
        Coverage.objects.filter(source_id=contract.pk).exists(),
    )
    return [] if said == (paid, paid, paid) else [f"{intent.state}: {made.stage}, {contract.state}, covered {said[2]}"]


@pytest.mark.parametrize("place", range(len(MOMENTS)), ids=[moment.name for moment in MOMENTS])
def test_it_runs_exactly_when_it_is_paid(
    stripe: Running, acme: Organization, alice: User, card: PaymentMethod, place: int, figures: counted.Record
) -> None:
    moment, wrong, told = MOMENTS[place], {}, set[str]()
    troubles = counted.some(TROUBLES, place * 5, reduced=1)
    for number, trouble in enumerate(troubles):
        made = due(acme, alice, number)
        assert made.intent is not None
        charge = Charge(stripe, made.intent, card, told)
        moment.before(charge)
        with with_call(stripe, moment.method, moment.path, trouble) as struck:
            moment.step(charge)
        for after in AFTERWARDS:
            if charge.intent.state not in OPEN_STATES:
                break
            charge.ask(after)
        charge.hear()
        found = [*wrongs(charge, moment, trouble), *amiss(made, charge.intent)]
        if found or not struck.hits:
            wrong[str(trouble)] = found or ["the trouble never struck"]
    assert wrong == {}
    assert verified.differences(now=datetime.now(UTC)) == []
    figures("stripe_faults", cells=len(troubles), lost=0, double=0)
