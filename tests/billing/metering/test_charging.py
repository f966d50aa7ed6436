"""From event to balance: the sweep charges each event once, exactly, whenever and however often it runs."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.catalog.models import AIModel, Price
from billing.coverage.models import Coverage, Payer
from billing.ledger import accruals, balances
from billing.ledger.chart import Code
from billing.ledger.models import Account, Accrual, LedgerPeriod, Transfer
from billing.metering import charging, ingest, rating, rollups
from billing.metering.events import Event
from billing.metering.models import (
    AllowanceDay,
    Gateway,
    KeySpend,
    SweepRun,
    UsageDelta,
    UsageEvent,
    UsageHour,
    UsageMinute,
)
from billing.metering.rating import PerToken, Tokens
from orgs.models import ApiKey, Organization
from tests import verified
from tests.billing.metering.conftest import NOW
from tests.factories import catalog, usage

pytestmark = pytest.mark.django_db

ONE = Decimal("0.000425")
"""What one event of the factory costs: 1,000 x 0.35 and 100 x 0.75 per million."""


@pytest.fixture
def report(gateway: Gateway) -> Any:
    def send(*events: Event, now: datetime = NOW) -> None:
        receipt = ingest.ingest(usage.batch(*events), gateway_id=gateway.pk, now=now)
        assert receipt.accepted == len(events)

    return send


def test_credit_pays_and_everything_says_the_same(report: Any, key: ApiKey, acme: Organization, model: AIModel) -> None:
    grant = usage.bought(acme, "10", now=NOW)
    report(usage.event(key.public_id, NOW), usage.event(key.public_id, NOW - timedelta(hours=2)))
    assert charging.sweep(now=NOW) == [acme.pk]

    balance = balances.of(acme.pk, now=NOW)
    assert (balance.settled, balance.accrued, balance.available) == (10, 2 * ONE, 10 - 2 * ONE)
    assert sorted(Accrual.objects.values_list("account_id", "amount")) == [(grant.pk, ONE)] * 2
    assert list(UsageHour.objects.order_by("hour").values_list("cost", "late_tokens")) == [(ONE, 1_100), (ONE, 0)]
    assert list(UsageMinute.objects.values_list("cost", flat=True)) == [ONE, ONE]
    assert KeySpend.objects.get(key_id=key.pk, month=date(2026, 3, 1)).spent == 2 * ONE
    assert not UsageDelta.objects.exists()


def test_what_no_credit_pays_is_overdraft(report: Any, key: ApiKey, acme: Organization, model: AIModel) -> None:
    usage.bought(acme, "5", now=NOW)
    report(usage.event(key.public_id, NOW, input_tokens=20_000_000, output_tokens=0))
    charging.sweep(now=NOW)
    balance = balances.of(acme.pk, now=NOW)
    assert (balance.available, balance.overdraft) == (-2, 2)


@pytest.mark.books_differ("cover_without_plan")
def test_free_and_covered_use_costs_no_credit(
    report: Any, personal_key: ApiKey, key: ApiKey, acme: Organization, model: AIModel
) -> None:
    span = Coverage.objects.create(
        wallet_id=acme.pk,
        model_id=model.pk,
        payer=Payer.SUBSCRIPTION,
        valid_from=NOW - timedelta(days=1),
        valid_to=NOW + timedelta(days=1),
    )
    report(usage.event(personal_key.public_id, NOW), usage.event(key.public_id, NOW))
    charging.sweep(now=NOW)
    assert set(UsageHour.objects.values_list("payer", "cost", "input_tokens")) == {
        (Payer.FREE, Decimal(0), 1_000),
        (Payer.SUBSCRIPTION, Decimal(0), 1_000),
    }
    assert AllowanceDay.objects.get().tokens == 1_100
    assert AllowanceDay.objects.get().coverage_id == span.pk
    assert not Accrual.objects.exists()
    assert not KeySpend.objects.exists()


def test_sweeping_again_changes_nothing(report: Any, key: ApiKey, acme: Organization, model: AIModel) -> None:
    report(usage.event(key.public_id, NOW))
    charging.sweep(now=NOW)
    before = list(UsageHour.objects.values()), list(Accrual.objects.values()), balances.of(acme.pk, now=NOW)
    assert charging.sweep(now=NOW) == []
    assert (list(UsageHour.objects.values()), list(Accrual.objects.values()), balances.of(acme.pk, now=NOW)) == before


@pytest.mark.usefixtures("as_owner")
@pytest.mark.books_differ("closed_month_settled")
def test_late_use_of_a_closed_month_goes_to_the_oldest_open_one(
    report: Any, key: ApiKey, acme: Organization, model: AIModel
) -> None:
    for month in (date(2026, 1, 1), date(2026, 2, 1)):
        LedgerPeriod.objects.create(wallet_id=acme.pk, period=month, closed_at=NOW)
    report(usage.event(key.public_id, NOW - timedelta(days=20)), usage.event(key.public_id, NOW))
    charging.sweep(now=NOW)
    assert sorted(UsageHour.objects.values_list("hour__month", "period")) == [
        (2, date(2026, 3, 1)),
        (3, date(2026, 3, 1)),
    ]


def test_what_follows_happens_in_the_same_transaction(
    report: Any, key: ApiKey, acme: Organization, model: AIModel
) -> None:
    report(usage.event(key.public_id, NOW))

    def crash(org_ids: list[int], charged: list[int]) -> None:
        assert org_ids == charged == [acme.pk]
        raise RuntimeError("the power went out")

    with pytest.raises(RuntimeError):
        charging.sweep(now=NOW, then=crash)
    assert UsageDelta.objects.count() == 1
    assert not UsageHour.objects.exists()
    assert not Accrual.objects.exists()
    charging.sweep(now=NOW)
    assert balances.of(acme.pk, now=NOW).available == -ONE


@pytest.mark.usefixtures("as_owner")
def test_an_organization_that_cannot_be_charged_holds_up_nobody_else(
    report: Any, key: ApiKey, personal_key: ApiKey, acme: Organization, alice_personal: Organization, model: AIModel
) -> None:
    report(usage.event(key.public_id, NOW), usage.event(personal_key.public_id, NOW))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE usage_hour ADD CONSTRAINT broken CHECK (org_id <> %s)", [acme.pk])
    charging.sweep(now=NOW)
    assert list(UsageHour.objects.values_list("org_id", flat=True)) == [alice_personal.pk]
    assert list(UsageDelta.objects.values_list("org_id", flat=True)) == [acme.pk]
    assert SweepRun.objects.get().complete_through is None


def test_a_run_says_through_when_everything_is_charged(gateway: Gateway, report: Any) -> None:
    report()
    Gateway.objects.update(complete_through=NOW - timedelta(seconds=9))
    charging.sweep(now=NOW)
    charging.sweep(now=NOW + timedelta(days=1, seconds=1))
    run = SweepRun.objects.get()
    assert (run.at, run.complete_through, run.rows) == (
        NOW + timedelta(days=1, seconds=1),
        NOW - timedelta(seconds=9),
        0,
    )


def test_lines_are_posted_when_their_hour_is_complete(
    report: Any, key: ApiKey, acme: Organization, model: AIModel
) -> None:
    usage.bought(acme, "10", now=NOW)
    report(usage.event(key.public_id, NOW))
    charging.sweep(now=NOW)
    assert accruals.close_due(now=NOW, watermark=NOW) == 0
    assert accruals.close_due(now=NOW + timedelta(hours=1), watermark=NOW + timedelta(hours=1)) == 1
    assert Transfer.objects.get(credit_id=Code.REVENUE_USAGE).amount == ONE


# --- Exactness -----------------------------------------------------------------------------------------------------------

PRICES = st.decimals(min_value=0, max_value=100, places=6).map(str)
USES = st.lists(
    st.tuples(
        st.integers(0, 2_000_000),  # input
        st.integers(0, 100),  # per cent cached
        st.integers(0, 1_000_000),  # output
        st.integers(0, 60 * 60 * 24 * 33),  # seconds ago
        st.sampled_from(["acme", "personal"]),
        st.booleans(),  # version 7
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(uses=USES, price=st.tuples(PRICES, PRICES, PRICES), credit=st.integers(5, 60), sweeps=st.integers(1, 4))
def test_every_sum_is_the_same_to_the_twelfth_decimal(
    uses: list[Any], price: tuple[str, str, str], credit: int, sweeps: int,
    report: Any, key: ApiKey, personal_key: ApiKey, acme: Organization, alice_personal: Organization, days: None,
) -> None:  # fmt: skip
    """Events x price = hours = minutes = lines and transfers = draws and overdraft; and rebuilt equals added up."""
    with transaction.atomic():
        model = catalog.model(input_usd=price[0], cached_usd=price[1], output_usd=price[2])
        catalog.price(model, NOW - timedelta(days=10), input_usd=price[2], output_usd=price[0])
        usage.bought(acme, str(credit), now=NOW)
        usage.given(alice_personal, str(credit), now=NOW)
        names = {"acme": key.public_id, "personal": personal_key.public_id}
        events = [
            usage.event(
                names[who], at := NOW - timedelta(seconds=ago), input_tokens=tin, output_tokens=out,
                cached_input_tokens=tin * cached // 100, id=usage.v7(at, n) if timed else uuid4(),
            )
            for n, (tin, cached, out, ago, who, timed) in enumerate(uses)
        ]  # fmt: skip
        for part in range(sweeps):
            report(*events[part::sweeps])
            charging.sweep(now=NOW)
            if part % 2:
                accruals.close([acme.pk, alice_personal.pk], now=NOW)

        expected = {org.pk: _cost(UsageEvent.objects.filter(org_id=org.pk)) for org in (acme, alice_personal)}
        for org_id, cost in expected.items():
            assert _sum(UsageHour.objects.filter(org_id=org_id).values_list("cost", flat=True)) == cost
            assert _sum(UsageMinute.objects.filter(org_id=org_id).values_list("cost", flat=True)) == cost
            lines = _sum(Accrual.objects.filter(wallet=org_id).values_list("amount", flat=True))
            posted = Transfer.objects.filter(wallet=org_id, credit_id=Code.REVENUE_USAGE).values_list(
                "amount", flat=True
            )
            assert lines + _sum(posted) == cost
            spent = [a.granted - a.rest for a in Account.objects.filter(wallet=org_id, granted__isnull=False)]
            assert _sum(spent) + balances.of(org_id, now=NOW).overdraft == cost
            assert balances.of(org_id, now=NOW).available == credit - cost
        assert _sum(KeySpend.objects.values_list("spent", flat=True)) == _sum(expected.values())
        assert rollups.compare(list(expected), since=datetime.fromisoformat("2026-02-01T00:00:00Z")) == []
        assert verified.differences() == []
        transaction.set_rollback(True)


@given(
    tokens=st.tuples(st.integers(0, 10**8), st.integers(0, 10**8), st.integers(0, 10**8)),
    price=st.tuples(*[st.decimals(min_value=0, max_value=10**6, places=12)] * 3),
    payer=st.sampled_from(Payer),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_python_and_sql_rate_alike(tokens: tuple[int, int, int], price: Any, payer: Payer, db: None) -> None:
    read, cached, written = max(tokens[:2]), min(tokens[:2]), tokens[2]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {rating.cost_sql('u', 'p')} FROM (SELECT %s::bigint AS input_tokens, %s::bigint AS cached_tokens,"
            " %s::bigint AS output_tokens, %s::smallint AS payer) u,"
            " (SELECT %s::numeric AS input_usd, %s::numeric AS cached_usd, %s::numeric AS output_usd) p",
            [read, cached, written, payer, *price],
        )
        assert cursor.fetchone()[0] == rating.cost(Tokens(read, cached, written), PerToken(*price), payer)


def _cost(events: Iterable[UsageEvent]) -> Decimal:
    """By hand, without the code under test."""
    prices = {row.pk: row for row in Price.objects.all()}
    return _sum(
        (event.input_tokens - event.cached_tokens) * prices[event.price_id].input_usd
        + event.cached_tokens * prices[event.price_id].cached_usd
        + event.output_tokens * prices[event.price_id].output_usd
        for event in events
    )


def _sum(amounts: Iterable[Any]) -> Decimal:
    return sum(amounts, Decimal(0))


class TestRollups:
    def test_what_is_not_swept_yet_is_no_difference(
        self, report: Any, key: ApiKey, acme: Organization, model: AIModel
    ) -> None:
        report(usage.event(key.public_id, NOW))
        assert rollups.compare([acme.pk], since=NOW.replace(day=1, hour=0, minute=0, second=0)) == []

    @pytest.mark.usefixtures("as_owner")
    def test_a_fault_is_found_and_mended(self, report: Any, key: ApiKey, acme: Organization, model: AIModel) -> None:
        since = NOW.replace(day=1, hour=0, minute=0, second=0)
        report(usage.event(key.public_id, NOW), usage.event(key.public_id, NOW - timedelta(days=2)))
        charging.sweep(now=NOW)
        good = {table: sorted(map(str, table.objects.values())) for table in (UsageHour, UsageMinute, KeySpend)}
        UsageHour.objects.filter(hour__day=10).delete()
        UsageMinute.objects.update(cost=1, events=9)
        KeySpend.objects.update(spent=0)
        assert {found.table for found in rollups.compare([acme.pk], since=since)} == {
            "usage_hour",
            "usage_minute",
            "key_spend",
        }

        with transaction.atomic():
            assert rollups.rebuild([acme.pk], since=since, now=NOW) == 4
        assert {table: sorted(map(str, table.objects.values())) for table in good} == good
        assert rollups.compare([acme.pk], since=since) == []
