"""A low balance is told once per crossing, whatever the balance does around the threshold and whoever looks when."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from billing import flows, tasks
from billing.ledger import accruals, wallets
from billing.notices import low_balance, wishes
from billing.notices.models import Kind, LowBalanceArmed, Notice
from orgs.models import Organization
from tests.factories import catalog, usage

from .conftest import NOW

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def wants(org: Organization, *amounts: str) -> None:
    wishes.keep(org.pk, billing_email="", mailed=(), thresholds=[Decimal(amount) for amount in amounts], by=0, now=NOW)


def credited(org: Organization, amount: str, *, hours: int = 0, days: int = 30) -> None:
    now = NOW + hours * HOUR
    flows.grant_promotional(
        org.pk, Decimal(amount), key=uuid4().hex, title="Gift", expires_at=now + timedelta(days=days), reason="gift",
        issued_by=None, now=now,
    )  # fmt: skip


def told(org: Organization) -> list[tuple[str, str]]:
    """(threshold, balance) of what was told, oldest first."""
    facts = Notice.objects.filter(wallet=org.pk, kind=Kind.LOW_BALANCE).order_by("id").values_list("facts", flat=True)
    return [(fact["threshold"], fact["balance"]) for fact in facts]


# --- Once per crossing -------------------------------------------------------------------------------------------------


def test_it_is_told_when_it_falls_and_again_after_it_rose(acme: Organization) -> None:
    wants(acme, "20.00")
    credited(acme, "50")
    usage.spent(acme, "29.50", now=NOW)
    assert told(acme) == []
    usage.spent(acme, "1", now=NOW + HOUR)
    assert told(acme) == [("20", "19.5")]
    usage.spent(acme, "1", now=NOW + 2 * HOUR)
    assert len(told(acme)) == 1
    credited(acme, "10", hours=3)
    usage.spent(acme, "10", now=NOW + 4 * HOUR)
    assert told(acme) == [("20", "19.5"), ("20", "18.5")]


def test_at_the_threshold_nothing_is_told_and_nothing_is_armed(acme: Organization) -> None:
    wants(acme, "20.00")
    credited(acme, "50")
    usage.spent(acme, "30", now=NOW)
    assert told(acme) == []
    usage.spent(acme, "0.01", now=NOW + HOUR)
    assert told(acme) == [("20", "19.99")]
    credited(acme, "0.01", hours=2)
    usage.spent(acme, "0.01", now=NOW + 3 * HOUR)
    assert len(told(acme)) == 1


def test_an_organization_that_was_never_above_is_not_told(acme: Organization) -> None:
    wants(acme, "20.00")
    credited(acme, "5")
    usage.spent(acme, "1", now=NOW)
    assert told(acme) == []


def test_falling_through_several_is_told_of_the_lowest(acme: Organization) -> None:
    wants(acme, "50.00", "20.00", "5.00")
    credited(acme, "100")
    usage.spent(acme, "90", now=NOW)
    assert told(acme) == [("20", "10")]
    usage.spent(acme, "6", now=NOW + HOUR)
    assert told(acme) == [("20", "10"), ("5", "4")]


def test_below_zero_it_says_so(acme: Organization) -> None:
    wants(acme, "1.00")
    credited(acme, "2")
    usage.spent(acme, "3.25", now=NOW)
    assert told(acme) == [("1", "-1.25")]


def test_each_organization_has_its_own_thresholds(acme: Organization, charlie_personal: Organization) -> None:
    wants(acme, "20.00")
    for org in (acme, charlie_personal):
        credited(org, "30")
        usage.spent(org, "15", now=NOW)
    assert told(acme) == [("20", "15")]
    assert told(charlie_personal) == []


# --- What moves by the clock alone -------------------------------------------------------------------------------------


def test_credit_that_ends_is_told_by_the_minute(acme: Organization) -> None:
    wants(acme, "20.00")
    credited(acme, "15", days=60)
    credited(acme, "15", days=30)
    later = NOW + timedelta(days=30)
    flows.tell_low_balances(now=later - timedelta(minutes=1))
    assert told(acme) == []
    for _ in range(3):
        flows.tell_low_balances(now=later)
    assert told(acme) == [("20", "15")]
    assert low_balance.moved(now=later) == []


def test_the_clock_looks_by_itself(acme: Organization) -> None:
    tasks.tell_low_balances()
    assert told(acme) == []


# --- Thresholds that change --------------------------------------------------------------------------------------------


def test_a_threshold_below_the_balance_counts_from_the_moment_it_is_kept(acme: Organization) -> None:
    credited(acme, "30")
    wants(acme, "20.00")
    usage.spent(acme, "15", now=NOW)
    assert told(acme) == [("20", "15")]


def test_a_threshold_above_the_balance_waits_until_it_has_risen(acme: Organization) -> None:
    credited(acme, "10")
    wants(acme, "20.00")
    usage.spent(acme, "1", now=NOW)
    assert told(acme) == []


def test_a_threshold_that_was_taken_away_is_forgotten(acme: Organization) -> None:
    wants(acme, "20.00", "10.00")
    credited(acme, "30")
    wants(acme, "10.00")
    assert [row.threshold for row in LowBalanceArmed.objects.all()] == [10]
    usage.spent(acme, "15", now=NOW)
    wants(acme, "20.00", "10.00")
    assert told(acme) == []


# --- What it costs -----------------------------------------------------------------------------------------------------


def test_a_sweep_spends_one_statement_on_it_for_all_organizations(
    acme: Organization, charlie_personal: Organization
) -> None:
    for org in (acme, charlie_personal):
        wants(org, "20.00")
        credited(org, "30")
    with CaptureQueriesContext(connection) as queries:
        low_balance.tell(wallets.lock([acme.pk, charlie_personal.pk]), now=NOW)
    assert len(queries) == 2
    with CaptureQueriesContext(connection) as queries:
        usage.spent(acme, "15", now=NOW)
    assert len([query for query in queries if "low_balance" in query["sql"]]) == 1
    assert told(acme) == [("20", "15")]


# --- Against the rule, said once more in Python ------------------------------------------------------------------------


def crossed(
    before: Decimal, after: Decimal, armed: set[Decimal], thresholds: set[Decimal]
) -> tuple[Decimal | None, set[Decimal]]:
    """The rule: what is told when the balance moves from `before` to `after`, and which thresholds are armed then."""
    fallen = {threshold for threshold in armed if after < threshold}
    risen = {threshold for threshold in thresholds if after > threshold}
    return min(fallen, default=None), (armed - fallen) | risen


CENTS = st.integers(min_value=1, max_value=3_000).map(lambda cents: Decimal(cents) / 100)


@settings(max_examples=12)
@given(
    thresholds=st.sets(CENTS, min_size=1, max_size=5),
    moves=st.lists(st.tuples(st.booleans(), CENTS), min_size=1, max_size=8),
)
def test_it_tells_what_the_rule_tells(
    django_db_setup: None, thresholds: set[Decimal], moves: list[tuple[bool, Decimal]]
) -> None:
    from django.db import transaction

    with transaction.atomic():
        org = Organization.objects.create(kind="team", slug="x", name="X")
        model = catalog.model("m")
        wishes.keep(org.pk, billing_email="", mailed=(), thresholds=thresholds, by=0, now=NOW)
        balance, armed, expected = Decimal(0), set[Decimal](), []
        for hour, (up, amount) in enumerate(moves):
            before, balance = balance, balance + (amount if up else -amount)
            if up:
                credited(org, str(amount), hours=hour)
            else:
                wallets.lock([org.pk])
                at = NOW + hour * HOUR
                accruals.draw([accruals.Cost(org.pk, model.pk, at, amount)], now=at)
                low_balance.tell([org.pk], now=at)
            tells, armed = crossed(before, balance, armed, thresholds)
            expected += [tells] if tells is not None else []
        assert [Decimal(threshold) for threshold, _ in told(org)] == expected
        assert {row.threshold for row in LowBalanceArmed.objects.filter(wallet=org.pk)} == armed
        transaction.set_rollback(True)
