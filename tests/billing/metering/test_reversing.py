"""Taking an event back: the money goes where it came from, once, and every sum falls with it (A33)."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from billing import flows
from billing.catalog.models import AIModel
from billing.coverage.models import Coverage, Payer
from billing.ledger import accruals, balances, expiry, wallets
from billing.ledger.chart import Code
from billing.ledger.models import Account, CreditGrant, LedgerPeriod, Transfer
from billing.metering import charging, ingest, returning, reversing, rollups
from billing.metering.events import Event
from billing.metering.models import AllowanceDay, Gateway, KeySpend, UsageHour, UsageMinute, UsageReversal
from billing.metering.returning import Share, Source
from billing.metering.reversing import Reversal
from orgs.models import ApiKey, Organization
from tests.billing.metering.conftest import NOW
from tests.factories import usage

pytestmark = pytest.mark.django_db

DOLLAR = {"input_tokens": 2_000_000, "output_tokens": 400_000}
"""Tokens that cost exactly 1.00 USD."""
MONTH = NOW.replace(day=1, hour=0, minute=0, second=0)


@pytest.fixture
def use(gateway: Gateway) -> Any:
    """One event that costs a dollar, reported and charged."""

    def charged(key: ApiKey, at: datetime = NOW, *, now: datetime = NOW, **other: Any) -> Event:
        event = usage.event(key.public_id, at, **(DOLLAR | other))
        assert ingest.ingest(usage.batch(event), gateway_id=gateway.pk, now=now).accepted == 1
        charging.sweep(now=now)
        return event

    return charged


@pytest.fixture
def reverse(gateway: Gateway) -> Any:
    def ask(
        event: Event, *, now: datetime = NOW, id_: UUID | None = None, reason: str = "a test"
    ) -> reversing.Reversed:
        return flows.reverse_usage(Reversal(id_ or uuid4(), event.id, reason, gateway.pk), now=now)

    return ask


def available(org: Organization, now: datetime = NOW) -> Decimal:
    return balances.of(org.pk, now=now).available


def rest(grant: CreditGrant) -> Decimal:
    return Account.objects.get(pk=grant.pk).rest


def test_it_goes_back_to_the_grant_that_paid(
    use: Any, reverse: Any, key: ApiKey, acme: Organization, model: AIModel
) -> None:
    grant = usage.bought(acme, "10", now=NOW)
    event = use(key)
    assert rest(grant) == 9
    assert reverse(event) == reversing.Reversed(acme.pk, Decimal(1))
    assert (rest(grant), available(acme)) == (10, 10)
    assert Transfer.objects.get(reason="reversal").debit_id == Code.REVENUE_USAGE
    assert rollups.compare([acme.pk], since=MONTH) == []


def test_every_sum_falls(use: Any, reverse: Any, key: ApiKey, acme: Organization, model: AIModel) -> None:
    usage.bought(acme, "10", now=NOW)
    late = use(key, NOW - timedelta(hours=1))
    use(key)
    reverse(late)
    hours = {
        row.hour.hour: (row.events, row.input_tokens, row.late_tokens, row.cost) for row in UsageHour.objects.all()
    }
    assert hours == {11: (0, 0, 0, Decimal(0)), 12: (1, 2_000_000, 0, Decimal(1))}
    assert sorted(UsageMinute.objects.values_list("cost", flat=True)) == [0, 1]
    assert KeySpend.objects.get().spent == 1


def test_overdraft_falls_first(use: Any, reverse: Any, key: ApiKey, acme: Organization, model: AIModel) -> None:
    grant = usage.bought(acme, "5", now=NOW)
    event = use(key, **{name: 6 * tokens for name, tokens in DOLLAR.items()})
    assert available(acme) == -1
    reverse(event)
    assert (rest(grant), available(acme)) == (5, 5)
    assert list(Transfer.objects.filter(reason="reversal").order_by("id").values_list("amount", flat=True)) == [1, 5]


def test_promotional_credit_comes_back_as_promotional(
    use: Any, reverse: Any, key: ApiKey, acme: Organization, model: AIModel
) -> None:
    promo = usage.given(acme, "0.40", now=NOW)
    paid = usage.bought(acme, "5", now=NOW)
    event = use(key)
    assert (rest(promo), rest(paid)) == (0, Decimal("4.4"))
    reverse(event)
    assert (rest(promo), rest(paid)) == (Decimal("0.4"), 5)
    mirrored = Transfer.objects.get(debit_id=Code.PROMO_ISSUED, credit_id=Code.PROMOTIONS)
    assert mirrored.amount == Decimal("0.4")


def test_what_later_credit_paid_for_goes_back_to_it(
    use: Any, reverse: Any, key: ApiKey, acme: Organization, model: AIModel
) -> None:
    event = use(key)
    grant = usage.bought(acme, "5", now=NOW)
    assert (rest(grant), available(acme)) == (4, 4)
    reverse(event)
    assert (rest(grant), available(acme)) == (5, 5)


@pytest.mark.parametrize("kind", ["paid", "promotional"])
def test_when_the_grant_is_gone_a_correction_of_its_kind_lives_90_days(
    use: Any, reverse: Any, key: ApiKey, acme: Organization, model: AIModel, kind: str
) -> None:
    grant = usage.bought(acme, "5", now=NOW) if kind == "paid" else usage.given(acme, "5", now=NOW)
    event = use(key)
    gone = Account.objects.get(pk=grant.pk).expires_at
    assert gone is not None
    after = gone + timedelta(days=4)
    wallets.lock([acme.pk])
    assert expiry.expire([acme.pk], now=after, watermark=after) == 1
    reverse(event, now=after)
    correction = CreditGrant.objects.get(source="correction").account
    assert correction.code == (Code.CREDIT_PAID if kind == "paid" else Code.CREDIT_PROMO)
    assert correction.rest == available(acme, after) == 1
    assert correction.expires_at == after + timedelta(days=90)


@pytest.mark.books_differ("cover_without_plan")
def test_free_and_covered_use_costs_nothing_and_counts_no_more(
    use: Any, reverse: Any, personal_key: ApiKey, key: ApiKey, acme: Organization, model: AIModel
) -> None:
    Coverage.objects.create(
        wallet_id=acme.pk, model_id=model.pk, payer=Payer.SUBSCRIPTION, valid_from=NOW - timedelta(days=1),
        valid_to=NOW + timedelta(days=1),
    )  # fmt: skip
    for event in (use(personal_key), use(key)):
        assert reverse(event).cost == 0
    assert AllowanceDay.objects.get().tokens == 0
    assert not Transfer.objects.exists()
    assert set(UsageHour.objects.values_list("events", "input_tokens")) == {(0, 0)}


def test_an_event_that_waits_for_the_sweep_is_charged_first(
    reverse: Any, key: ApiKey, acme: Organization, gateway: Gateway, model: AIModel
) -> None:
    usage.bought(acme, "5", now=NOW)
    event = usage.event(key.public_id, NOW, **DOLLAR)
    ingest.ingest(usage.batch(event), gateway_id=gateway.pk, now=NOW)
    reverse(event)
    assert charging.sweep(now=NOW) == []
    assert available(acme) == 5


@pytest.mark.parametrize("timed", [True, False], ids=["version 7", "random"])
def test_it_happens_once(use: Any, reverse: Any, key: ApiKey, acme: Organization, model: AIModel, timed: bool) -> None:
    usage.bought(acme, "5", now=NOW)
    event = use(key, id=usage.v7(NOW) if timed else uuid4())
    id_ = uuid4()
    assert reverse(event, id_=id_).duplicate is False
    assert reverse(event, id_=id_) == reversing.Reversed(acme.pk, Decimal(1), duplicate=True)
    with pytest.raises(reversing.Conflict) as other_body:
        reverse(event, id_=id_, reason="another")
    with pytest.raises(reversing.Conflict) as other_id:
        reverse(event)
    assert (other_body.value.code, other_id.value.code) == ("id_conflict", "already_reversed")
    assert available(acme) == 5
    assert UsageReversal.objects.get().cost == 1


@pytest.mark.usefixtures("as_owner")
@pytest.mark.books_differ("closed_month_settled")
def test_in_a_closed_month_it_belongs_to_the_open_one(
    use: Any, reverse: Any, key: ApiKey, acme: Organization, model: AIModel
) -> None:
    usage.bought(acme, "5", now=NOW)
    event = use(key, NOW - timedelta(days=20))
    wallets.lock([acme.pk])
    accruals.close([acme.pk], now=NOW)
    february = date(2026, 2, 1)
    LedgerPeriod.objects.filter(wallet=acme.pk, period=february).update(closed_at=NOW)
    reverse(event)
    by_month = dict(UsageHour.objects.values_list("period", "cost"))
    assert by_month == {february: 1, date(2026, 3, 1): -1}
    assert Transfer.objects.get(reason="reversal").period == date(2026, 3, 1)
    assert rollups.compare([acme.pk], since=datetime.fromisoformat("2026-02-01T00:00:00Z")) == []


def test_an_event_nobody_knows(reverse: Any, key: ApiKey, model: AIModel) -> None:
    for id_ in (uuid4(), usage.v7(NOW), UUID("ffffffff-ffff-7fff-bfff-ffffffffffff")):
        with pytest.raises(reversing.NoSuchEvent):
            reverse(usage.event(key.public_id, NOW, id=id_))


def test_all_of_an_hour_can_be_taken_back(
    use: Any, reverse: Any, key: ApiKey, acme: Organization, model: AIModel
) -> None:
    """Overdraft, promotional and paid credit in one hour: in the end everything is where it was."""
    promo = usage.given(acme, "0.70", now=NOW)
    paid = usage.bought(acme, "5", now=NOW)
    events = [use(key, NOW - timedelta(seconds=n)) for n in range(8)]
    assert available(acme) == Decimal("-2.3")
    for event in events:
        reverse(event)
    assert (rest(promo), rest(paid), available(acme)) == (Decimal("0.7"), 5, Decimal("5.7"))
    assert KeySpend.objects.get().spent == 0
    assert rollups.compare([acme.pk], since=MONTH) == []


def test_the_transaction_is_the_callers(
    use: Any, gateway: Gateway, key: ApiKey, acme: Organization, model: AIModel
) -> None:
    usage.bought(acme, "5", now=NOW)
    event = use(key)
    with transaction.atomic():
        reversing.reverse(Reversal(uuid4(), event.id, "a test", gateway.pk), now=NOW)
        transaction.set_rollback(True)
    assert available(acme) == 4
    assert connection.is_usable()


class TestShares:
    """How an amount is split, by values alone."""

    LIVE = Source(account_id=1, code=2000, room=Decimal(9), live=True, paid=Decimal(3))

    @pytest.mark.parametrize(
        ("amount", "sources", "expected"),
        [
            (2, [LIVE], [Share(1, 2000, Decimal(2))]),
            (3, [LIVE], [Share(1, 2000, Decimal(3))]),
            (4, [LIVE], [Share(1, 2000, Decimal(3)), Share(None, 2000, Decimal(1))]),
            (2, [], [Share(None, 2000, Decimal(2))]),
            (0, [LIVE], []),
            (
                5,
                [Source(2, 2010, Decimal(9), True, Decimal(4)), LIVE],
                [Share(2, 2010, Decimal(4)), Share(1, 2000, Decimal(1))],
            ),
            (3, [Source(2, 2010, Decimal(9), False, Decimal(4)), LIVE], [Share(None, 2010, Decimal(3))]),
            (
                3,
                [Source(2, 2010, Decimal(1), True, Decimal(4))],
                [Share(2, 2010, Decimal(1)), Share(None, 2010, Decimal(2))],
            ),
            (
                3,
                [Source(1, 2000, Decimal(2), True, Decimal(1)), Source(1, 2000, Decimal(2), True, Decimal(5))],
                [Share(1, 2000, Decimal(1)), Share(1, 2000, Decimal(1)), Share(None, 2000, Decimal(1))],
            ),
        ],
    )
    def test_shares(self, amount: int, sources: list[Source], expected: list[Share]) -> None:
        assert list(returning.shares(Decimal(amount), sources)) == expected
