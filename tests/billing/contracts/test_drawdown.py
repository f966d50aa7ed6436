"""Use draws a contract down: by the month's total, whatever arrives when, and backwards when it is taken back."""

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import permutations

import pytest

from billing import flows
from billing.contracts.monthly import ContractLine
from billing.ledger import balances
from billing.ledger.models import Transfer
from billing.metering.models import UsageHour
from billing.notices.models import Notice
from orgs.models import Organization, User
from tests.factories import business, contracts, months
from tests.factories import orgs as people
from tests.factories.contracts import DAY, HOUR, MARCH, MILLION, MINUTE

pytestmark = pytest.mark.django_db

APRIL = datetime(2026, 4, 1, tzinfo=UTC)
NOON = MARCH + 9 * DAY + 12 * HOUR


def test_use_is_counted_at_once_and_posted_with_its_hour(acme: Organization, alice: User) -> None:
    contract = contracts.running(acme, alice)
    contracts.used(acme, 3 * MILLION, at=NOON)
    assert (contracts.month(contract).total, contracts.month(contract).posted) == (3 * MILLION, 0)
    # It costs no credit: the organization has none, and owes nothing.
    assert balances.of(acme.pk, now=NOON).available == 0
    assert UsageHour.objects.get().payer == 4
    flows.sweep(now=NOON + 2 * HOUR)
    row = Transfer.objects.get(credit_id=4200)
    assert (row.amount, row.hour, row.period) == (Decimal("1.5"), NOON, date(2026, 3, 1))
    assert (contracts.month(contract).posted, ContractLine.objects.count()) == (3 * MILLION, 0)


def test_beyond_the_commitment_it_is_overage(acme: Organization, alice: User) -> None:
    """A7: 12 million of 10: 5.00 of the commitment, and 2 million at 0.80."""
    contracts.running(acme, alice)
    contracts.used(acme, 9 * MILLION, at=NOON)
    contracts.used(acme, 3 * MILLION, at=NOON + HOUR)
    flows.sweep(now=NOON + 3 * HOUR)
    assert contracts.moved(acme) == {
        (1120, 2200): 5,
        (1000, 1120): 5,
        (2200, 4200): 5,
        (1120, 4220): Decimal("1.6"),
    }


PORTIONS = ((6_000_001, 0), (3_999_998, 5), (2_345_678, 50))
"""Tokens, and the hour of the month in which they occurred."""


@pytest.mark.parametrize(("order", "late"), list(zip(permutations(PORTIONS), (0, 1, 2, 3, 1, 2))))
def test_the_order_of_arrival_changes_nothing(
    acme: Organization, alice: User, order: tuple[tuple[int, int], ...], late: int
) -> None:
    """So many of the portions, the last ones, come when March is closed already. The sums are those of the month's total:
    used and unused are the commitment, and what is beyond is overage (A7, A22)."""
    contracts.running(acme, alice)
    for tokens, hour in order[: len(order) - late]:
        at = NOON + hour * HOUR
        contracts.used(acme, tokens, at=at, now=NOON + 51 * HOUR)
        flows.sweep(now=NOON + 53 * HOUR)
    months.closed(APRIL + 6 * MINUTE)
    for tokens, hour in order[len(order) - late :]:
        contracts.used(acme, tokens, at=NOON + hour * HOUR, now=APRIL + HOUR)
    flows.sweep(now=APRIL + 3 * HOUR)
    moved = contracts.moved(acme)
    used = moved.get((2200, 4200), Decimal(0)) + moved.get((4210, 4200), Decimal(0))
    booked_unused = moved.get((2200, 4210), Decimal(0)) - moved.get((4210, 4200), Decimal(0))
    assert (used, booked_unused) == (5, 0)
    assert moved[1120, 4220] == 2_345_677 * Decimal("0.0000008")
    if late == 3:
        assert (moved[2200, 4210], moved[4210, 4200]) == (5, 5)
    # What came late is in the books of April, where March's was closed.
    assert Transfer.objects.filter(credit_id=4200, period=date(2026, 4, 1)).exists() == bool(late)


def test_several_models_share_one_pool(acme: Organization, alice: User) -> None:
    contract = contracts.running(acme, alice, contracts.model(), contracts.model("other-model"))
    contracts.used(acme, 6 * MILLION, at=NOON)
    contracts.used(acme, 6 * MILLION, at=NOON, slug="other-model")
    flows.sweep(now=NOON + 2 * HOUR)
    assert contracts.month(contract).posted == 12 * MILLION
    assert contracts.moved(acme)[1120, 4220] == Decimal("1.6")


def test_another_model_uses_credit(acme: Organization, alice: User) -> None:
    contract = contracts.running(acme, alice)
    contracts.model("other-model", input_usd="1")
    contracts.used(acme, MILLION, at=NOON, slug="other-model")
    assert contracts.month(contract).total == 0
    assert balances.of(acme.pk, now=NOON).available == -1


def test_each_month_has_its_own_pool(acme: Organization, alice: User) -> None:
    contract = contracts.running(acme, alice)
    contracts.used(acme, 8 * MILLION, at=APRIL - MINUTE, now=APRIL + MINUTE)
    # The first use of April comes before the clock does: its month begins with it.
    contracts.used(acme, 8 * MILLION, at=APRIL + 5 * MINUTE, now=APRIL + 6 * MINUTE)
    assert (contracts.month(contract).total, contracts.month(contract, 4).total) == (8 * MILLION, 8 * MILLION)
    flows.sweep(now=APRIL + 2 * HOUR)
    assert contracts.moved(acme) == {(1120, 2200): 10, (1000, 1120): 5, (2200, 4200): 8}


def test_a_gateway_whose_clock_is_ahead_begins_no_month(acme: Organization, alice: User) -> None:
    contract = contracts.running(acme, alice)
    contracts.used(acme, MILLION, at=APRIL + MINUTE, now=APRIL - MINUTE)
    assert contracts.month(contract, 4).begun_at is None
    assert [what for what, *_ in contracts.dues(contract)] == ["commitment"]
    flows.sweep(now=APRIL + 2 * HOUR)
    assert contracts.month(contract, 4).begun_at == APRIL + 2 * HOUR
    assert contracts.moved(acme)[2200, 4200] == Decimal("0.5")


# --- Taken back ----------------------------------------------------------------------------------------------------------


def test_what_is_taken_back_was_not_used(acme: Organization, alice: User) -> None:
    """A33: the counters fall, and so does overage that is owed."""
    contract = contracts.running(acme, alice)
    events = contracts.used(acme, 12 * MILLION, at=NOON)
    flows.sweep(now=NOON + 2 * HOUR)
    for event in events[:3]:
        business.taken_back(event, now=NOON + 3 * HOUR)
    assert contracts.month(contract).total == 9 * MILLION
    flows.sweep(now=NOON + 5 * HOUR)
    assert contracts.month(contract).posted == 9 * MILLION
    moved = contracts.moved(acme)
    assert moved[2200, 4200] - moved[4200, 2200] == Decimal("4.5")
    assert moved[1120, 4220] == moved[4220, 1120] == Decimal("1.6")
    assert balances.of(acme.pk, now=NOON + 5 * HOUR).available == 0


def test_overage_that_was_paid_and_is_taken_back_is_credit(acme: Organization, alice: User) -> None:
    contract = contracts.running(acme, alice)
    events = contracts.used(acme, 12 * MILLION, at=NOON)
    months.closed(APRIL + 6 * MINUTE)
    contracts.paid(acme, now=APRIL + 7 * MINUTE)
    assert contracts.dues(contract)[-1] == ("overage", 1_60, "paid")
    for event in events[:3]:
        business.taken_back(event, now=APRIL + HOUR)
    flows.sweep(now=APRIL + 3 * HOUR)
    assert balances.of(acme.pk, now=APRIL + 3 * HOUR).available == Decimal("1.6")
    assert contracts.month(contract).returned == Decimal("1.6")
    moved = contracts.moved(acme)
    assert (moved[4220, 2000], moved[4200, 4210]) == (Decimal("1.6"), Decimal("0.5"))


# --- Overage that is due -------------------------------------------------------------------------------------------------


def test_overage_is_due_when_its_month_is_closed(acme: Organization, alice: User) -> None:
    """Down to the cent: the fraction stays owed and goes with the next (A27)."""
    contract = contracts.running(acme, alice)
    contracts.used(acme, 11_234_567, at=NOON)
    months.closed(APRIL + 6 * MINUTE)
    assert contracts.dues(contract)[1:] == [("overage", 98, "due")]
    contracts.paid(acme, now=APRIL + 10 * MINUTE)
    assert contracts.moved(acme)[1000, 1120] == Decimal("5.98")


def test_less_than_fifty_cents_of_it_waits(acme: Organization, alice: User) -> None:
    contract = contracts.running(acme, alice)
    contracts.used(acme, 10_600_000, at=NOON)
    months.closed(APRIL + 6 * MINUTE)
    assert len(contracts.dues(contract)) == 1
    contracts.begun(APRIL + 7 * MINUTE)
    contracts.paid(acme, now=APRIL + 7 * MINUTE)
    contracts.used(acme, 10_600_000, at=APRIL + DAY)
    months.closed(datetime(2026, 5, 1, 0, 6, tzinfo=UTC))
    assert contracts.dues(contract)[2:] == [("overage", 96, "due")]


def test_beyond_five_hundred_dollars_it_is_due_at_once(acme: Organization, alice: User) -> None:
    """A20: and what comes after that collects again."""
    contract = contracts.running(acme, alice, overage_per_million=Decimal(100), overage_limit_cents=100_000_00)
    contracts.used(acme, 15 * MILLION, at=NOON)
    assert len(contracts.dues(contract)) == 1
    contracts.used(acme, 1, at=NOON + MINUTE)
    assert contracts.dues(contract)[1:] == [("overage", 500_00, "due")]
    contracts.used(acme, 3 * MILLION, at=NOON + HOUR)
    assert len(contracts.dues(contract)) == 2
    contracts.paid(acme, now=NOON + HOUR)
    months.closed(APRIL + 6 * MINUTE)
    assert contracts.dues(contract)[2:] == [("overage", 300_00, "due")]


def test_the_limit_is_told_once(acme: Organization, alice: User) -> None:
    contracts.running(acme, alice)
    for minute in range(3):
        contracts.used(acme, 8 * MILLION, at=NOON + minute * MINUTE)
    assert [
        facts["limit"] for facts in Notice.objects.filter(kind="contract_limit").values_list("facts", flat=True)
    ] == ["5.00"]


def test_a_stranger_is_not_charged_for_it(acme: Organization, alice: User, charlie: User) -> None:
    contract = contracts.running(acme, alice)
    other = people.personal(charlie)
    contracts.used(other, MILLION, at=NOON)
    assert contracts.month(contract).total == 0
