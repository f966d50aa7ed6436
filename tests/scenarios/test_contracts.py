"""A year of reserved capacity, told with the real tasks and Stripe's sandbox: used in part, beyond, unpaid, and over."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing import flows
from billing.catalog import current
from billing.contracts.models import Contract
from billing.ledger.chart import Code
from billing.ledger.models import Account
from billing.limits import entitlements, reading
from billing.limits.answers import ModelAnswer
from billing.notices.models import Notice
from billing.payments.models import Intent, PaymentMethod
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.factories import contracts, months
from tests.factories.contracts import DAY, FEBRUARY, HOUR, MARCH, MILLION, MINUTE
from tests.scenarios.test_month_ends import bought

pytestmark = pytest.mark.django_db(transaction=True)

APRIL = datetime(2026, 4, 1, tzinfo=UTC)


def signed(stripe: Running, acme: Organization, alice: User) -> Contract:
    """She bought credit once, which saved the card, and accepted 10 million tokens a month from March on."""
    bought(stripe, acme, alice, 5_00, FEBRUARY)
    return contracts.accepted(acme, alice, card=False)


def clock(stripe: Running, at: datetime) -> None:
    stripe.admin.set_clock(at.isoformat())
    flows.bring_contracts_forward(now=at)
    flows.collect_contracts(now=at)


def charged(org: Organization) -> list[int]:
    """Cents that were charged for contracts, oldest first."""
    paid = Intent.objects.filter(wallet=org.pk, purpose="contract", state="succeeded")
    return list(paid.order_by("charged_at", "created_at").values_list("amount_cents", flat=True))


def left(org: Organization, code: Code) -> Decimal:
    return sum(Account.objects.filter(wallet=org.pk, code=code).values_list("balance", flat=True), Decimal(0))


def answer(org: Organization, at: datetime) -> ModelAnswer:
    catalog = current.latest()
    [model] = [model for model in catalog.models if model.slug == contracts.MODEL]
    return entitlements.for_model(reading.pictures([org.pk], now=at)[org.pk], model, catalog, now=at)


def test_a_month_that_was_used_in_part_and_one_that_was_used_beyond(
    stripe: Running, acme: Organization, alice: User
) -> None:
    contract = signed(stripe, acme, alice)
    clock(stripe, MARCH + MINUTE)
    assert answer(acme, MARCH + 2 * MINUTE).tier == "contract"
    contracts.used(acme, 4 * MILLION, at=MARCH + 9 * DAY)
    clock(stripe, APRIL + MINUTE)
    months.closed(APRIL + 6 * MINUTE)
    contracts.used(acme, 12 * MILLION, at=APRIL + 9 * DAY)
    may = datetime(2026, 5, 1, tzinfo=UTC)
    clock(stripe, may + MINUTE)
    months.closed(may + 6 * MINUTE)
    clock(stripe, may + 10 * MINUTE)
    assert charged(acme) == [5_00, 5_00, 5_00, 1_60]
    moved = contracts.moved(acme)
    assert (moved[2200, 4200], moved[2200, 4210], moved[1120, 4220]) == (7, 3, Decimal("1.6"))
    # The credit she bought is untouched, and its month ends charged nothing.
    assert left(acme, Code.CREDIT_PAID) == 5
    contract.refresh_from_db()
    assert contract.state == "active"
    assert flows.reconcile(now=may + HOUR, since=FEBRUARY - DAY).found == 0


def test_the_card_declines_for_two_weeks_and_then_she_pays(stripe: Running, acme: Organization, alice: User) -> None:
    contract = signed(stripe, acme, alice)
    clock(stripe, MARCH + MINUTE)
    card = PaymentMethod.objects.get(wallet=acme.pk)
    stripe.admin.behave(card.stripe_id, "insufficient_funds", count=5)
    for day in (0, 1, 3, 7, 13):
        clock(stripe, APRIL + day * DAY + MINUTE)
    assert answer(acme, APRIL + 14 * DAY - MINUTE).http_status == 200
    closed = APRIL + 14 * DAY
    clock(stripe, closed)
    assert (answer(acme, closed).http_status, answer(acme, closed).reason) == (402, "contract_past_due")
    stripe.admin.set_clock((closed + DAY).isoformat())
    flows.pay_contract(contract, now=closed + DAY)
    assert charged(acme) == [5_00, 5_00]
    assert answer(acme, closed + DAY).http_status == 200
    contract.refresh_from_db()
    assert contract.state == "active"


def test_its_whole_term(stripe: Running, acme: Organization, alice: User) -> None:
    """Each month another part is used. Its end is told 60 days before, once; then nothing is owed and nothing deferred."""
    contract = signed(stripe, acme, alice)
    first, over = MARCH, datetime(2027, 3, 1, tzinfo=UTC)
    for number in range(12):
        clock(stripe, first + MINUTE)
        contracts.used(acme, (number + 1) * MILLION, at=first + 9 * DAY)
        if first.month == 12:
            told = Notice.objects.filter(kind="contract_ending")
            clock(stripe, over - 60 * DAY - MINUTE)
            assert not told.exists()
            clock(stripe, over - 60 * DAY)
            assert told.get().facts["ends_at"] == over.isoformat()
        first = (first + 32 * DAY).replace(day=1)
        clock(stripe, first + MINUTE)
        months.closed(first + 6 * MINUTE)
    clock(stripe, first + 10 * MINUTE)
    contract.refresh_from_db()
    assert (contract.state, contract.ended_as) == ("ended", "term")
    # Eleven million in January, twelve in February: 0.80 and 1.60 beyond.
    assert sorted(charged(acme)) == [80, 1_60, *[5_00] * 12]
    assert (left(acme, Code.CONTRACT_DEFERRED), left(acme, Code.CONTRACT_RECEIVABLE)) == (0, 0)
    moved = contracts.moved(acme)
    assert moved[2200, 4200] + moved[2200, 4210] == 60
    assert Notice.objects.filter(kind="contract_ending").count() == 1
    # Her credit of a year ago is over too: from now on these models would use credit.
    assert answer(acme, first + HOUR).reason == "no_credit"
