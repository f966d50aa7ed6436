"""Closing a month: when, in which order, once, and what is decided on the overdraft."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from unittest import mock

import pytest
from django.db import DatabaseError, connection, transaction

from billing import flows
from billing.ledger import balances, wallets
from billing.ledger.chart import Code
from billing.ledger.models import Account, Accrual, LedgerPeriod, Transfer
from billing.metering.models import UsageHour
from billing.notices.models import Notice
from billing.payments.models import Dispute, Intent, PaymentMethod
from billing.recharge.models import Rule
from billing.settlement import closing
from billing.settlement.models import Decided, Settlement, Stage
from orgs.models import Organization, User
from tests.factories import cards, months, usage
from tests.factories.months import APRIL, MARCH, MAY

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def overdraft(org: Organization) -> Decimal:
    return -Account.objects.get(wallet=org.pk, code=Code.OVERDRAFT).balance


# --- When ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "watermark", "last"),
    [
        # Complete once the watermark is five minutes past the end ...
        ("2026-04-01T00:04:59Z", "2026-04-01T00:04:59Z", date(2026, 2, 1)),
        ("2026-04-01T00:05:00Z", "2026-04-01T00:05:00Z", date(2026, 3, 1)),
        ("2026-04-02T00:00:00Z", "2026-04-01T00:04:59Z", date(2026, 2, 1)),
        # ... and 72 hours after the end, whatever the gateways say, or if there is none.
        ("2026-04-03T23:59:59Z", "2026-03-31T12:00:00Z", date(2026, 2, 1)),
        ("2026-04-04T00:00:00Z", "2026-03-31T12:00:00Z", date(2026, 3, 1)),
        ("2026-04-03T23:59:59Z", None, date(2026, 2, 1)),
        ("2026-04-04T00:00:00Z", None, date(2026, 3, 1)),
        # A gateway's clock that is ahead closes nothing early.
        ("2026-03-31T23:59:00Z", "2026-04-01T00:10:00Z", date(2026, 2, 1)),
        ("2026-01-01T00:05:00Z", "2026-01-01T00:05:00Z", date(2025, 12, 1)),
    ],
)
def test_a_month_is_complete(now: str, watermark: str | None, last: date) -> None:
    at = datetime.fromisoformat(watermark) if watermark else None
    assert closing.last_complete(now=datetime.fromisoformat(now), watermark=at) == last


def test_a_month_is_closed_once_it_is_over_and_reported(acme: Organization) -> None:
    usage.bought(acme, "5", now=MARCH)
    assert months.closed(APRIL - timedelta(minutes=2)) == 0
    assert months.closed() == 1
    period = LedgerPeriod.objects.get(wallet=acme.pk)
    assert (period.period, period.closed_at) == (date(2026, 3, 1), APRIL)
    settled = months.settlement(acme)
    assert (settled.decided, settled.stage, settled.closed_at) == (Decided.NOTHING, Stage.OVER, APRIL)


def test_again_changes_nothing(acme: Organization) -> None:
    months.owing(acme, "3")
    assert months.closed() == 1
    before = list(Settlement.objects.values()), list(Transfer.objects.values()), list(Notice.objects.values())
    assert months.closed() == 0
    assert months.closed(APRIL + DAY) == 0
    assert (
        list(Settlement.objects.values()), list(Transfer.objects.values()), list(Notice.objects.values())
    ) == before  # fmt: skip


def test_who_neither_moved_nor_owes_is_left_alone(acme: Organization, alice_personal: Organization) -> None:
    usage.bought(acme, "5", now=MARCH)
    months.closed()
    assert months.closed(MAY) == 0
    assert not Settlement.objects.filter(wallet=alice_personal.pk).exists()
    assert Settlement.objects.count() == 1


def test_months_close_in_order(acme: Organization) -> None:
    """Nobody came by for two months: both are closed, the older one first."""
    usage.bought(acme, "5", now=MARCH)
    usage.bought(acme, "5", now=APRIL + DAY)
    assert months.closed(MAY) == 2
    assert list(LedgerPeriod.objects.order_by("period").values_list("period__month", "closed_at")) == [
        (3, MAY),
        (4, MAY),
    ]


# --- What is posted first ------------------------------------------------------------------------------------------------


def test_all_usage_of_the_month_is_posted_and_none_of_the_next(acme: Organization) -> None:
    usage.bought(acme, "5", now=MARCH)
    usage.spent(acme, "1", now=datetime.fromisoformat("2026-03-31T23:59:30Z"))
    usage.spent(acme, "2", now=datetime.fromisoformat("2026-04-01T00:02:00Z"))
    assert Accrual.objects.count() == 2
    months.closed()
    assert list(Accrual.objects.values_list("amount")) == [(2,)]
    assert list(Transfer.objects.filter(reason="usage").values_list("period", "amount")) == [(date(2026, 3, 1), 1)]


def test_what_was_accepted_and_not_charged_yet_is_charged_first(acme: Organization) -> None:
    """The sweep is late: usage of March waits. It is drawn in the transaction that closes March."""
    usage.bought(acme, "5", now=MARCH)
    with mock.patch.object(flows, "sweep"):
        usage.spent(acme, "1", now=MARCH)
    assert not UsageHour.objects.exists()
    months.closed()
    assert Transfer.objects.get(reason="usage").period == date(2026, 3, 1)
    assert UsageHour.objects.get().period == date(2026, 3, 1)


def test_credit_that_ended_in_the_month_expires_in_it(acme: Organization) -> None:
    usage.given(acme, "5", now=MARCH, days=20)
    months.closed()
    expired = Transfer.objects.get(reason="expiry")
    assert (expired.period, expired.amount) == (date(2026, 3, 1), 5)


def test_late_usage_goes_to_the_oldest_open_month(acme: Organization) -> None:
    """Occurred in March, reported when March is closed: it counts where it occurred on graphs, and in April in the books."""
    usage.bought(acme, "5", now=MARCH)
    months.closed()
    usage.spent(acme, "0.25", now=APRIL)
    key = usage.people.key(acme).key
    late = usage.event(
        key.public_id, APRIL - HOUR, model="dollar-a-million", input_tokens=1_000_000, output_tokens=0
    )  # fmt: skip
    reporter = usage.Gateway.objects.get()
    usage.ingest.ingest(usage.batch(late), gateway_id=reporter.pk, now=APRIL + HOUR)
    flows.sweep(now=APRIL + HOUR)
    flows.sweep(now=APRIL + 3 * HOUR)
    assert set(Transfer.objects.filter(reason="usage").values_list("period", "amount")) == {
        (date(2026, 4, 1), Decimal("0.25")),
        (date(2026, 4, 1), Decimal(1)),
    }
    months.closed(MAY)
    assert Settlement.objects.count() == 2


# --- What is decided -----------------------------------------------------------------------------------------------------


def test_the_overdraft_is_to_be_charged(acme: Organization) -> None:
    months.owing(acme, "3.507123")
    months.closed()
    settled = months.settlement(acme)
    assert (settled.overdraft_at_end, settled.overdraft_at_closing) == (Decimal("3.507123"), Decimal("3.507123"))
    assert (settled.decided, settled.charge_cents, settled.carried) == (Decided.CHARGE, 350, Decimal("0.007123"))
    assert (settled.stage, settled.next_try_at, settled.intent) == (Stage.DUE, APRIL, None)


def test_what_was_paid_in_the_first_minutes_of_the_month_is_not_charged_again(acme: Organization) -> None:
    """A8: on 1 April 00:05 March still waits to be complete; a purchase pays its overdraft of 3.00."""
    months.owing(acme, "3")
    usage.bought(acme, "20", now=APRIL - timedelta(minutes=1))
    months.closed()
    settled = months.settlement(acme)
    assert (settled.overdraft_at_end, settled.overdraft_at_closing, settled.decided) == (3, 0, Decided.NOTHING)
    assert balances.of(acme.pk, now=APRIL).available == 17


def test_usage_of_the_new_month_is_not_charged_with_the_old_one(acme: Organization) -> None:
    months.owing(acme, "3")
    usage.spent(acme, "4", now=APRIL)
    flows.sweep(now=APRIL + 2 * HOUR)
    months.closed(APRIL + 2 * HOUR)
    settled = months.settlement(acme)
    assert (settled.overdraft_at_end, settled.overdraft_at_closing, settled.charge_cents) == (3, 7, 300)


def test_beyond_the_ceiling_it_is_written_off_in_the_month_itself(acme: Organization) -> None:
    """A10: the published ceiling of 10.00 limits what a card is charged; the rest is let go, once, visibly."""
    months.owing(acme, "25")
    months.closed()
    settled = months.settlement(acme)
    assert (settled.charge_cents, settled.written_off, settled.written_off_as) == (10_00, 15, "excess")
    row = Transfer.objects.get(reason="write_off")
    assert (row.key, row.period, row.amount) == (f"wo:{acme.pk}:2026-03:excess", date(2026, 3, 1), 15)
    assert row.debit_id == Code.OVERDRAFT_EXCESS
    assert overdraft(acme) == 10


def test_who_never_bought_is_never_charged(acme: Organization) -> None:
    usage.given(acme, "1", now=MARCH)
    cards.saved(acme)
    usage.spent(acme, "26", now=MARCH)
    months.closed()
    settled = months.settlement(acme)
    assert (settled.decided, settled.written_off, settled.stage) == (Decided.NEVER_BOUGHT, 25, Stage.OVER)
    assert Transfer.objects.get(reason="write_off").key == f"wo:{acme.pk}:2026-03:never_bought"
    assert overdraft(acme) == 0


def test_less_than_can_be_charged_is_carried(acme: Organization) -> None:
    months.owing(acme, "0.32")
    months.closed()
    assert (months.settlement(acme).decided, months.settlement(acme).carried) == (Decided.SMALL, Decimal("0.32"))
    usage.spent(acme, "0.30", now=APRIL + DAY)
    months.closed(MAY)
    assert (months.settlement(acme, 4).decided, months.settlement(acme, 4).charge_cents) == (Decided.CHARGE, 62)


def test_a_small_debt_is_let_go_after_six_full_months(acme: Organization) -> None:
    """A42: used last in March; April to September are six full months, settled though nothing moved in them."""
    months.owing(acme, "0.32")
    for month in range(4, 10):
        months.closed(datetime.fromisoformat(f"2026-{month:02}-01T00:06:00Z"))
        assert overdraft(acme) == Decimal("0.32")
    months.closed(datetime.fromisoformat("2026-10-01T00:06:00Z"))
    assert Transfer.objects.get(reason="write_off").key == f"wo:{acme.pk}:2026-09:small"
    assert months.settlement(acme, 9).decided == Decided.SMALL_OLD
    assert months.closed(datetime.fromisoformat("2026-11-01T00:06:00Z")) == 0


@pytest.mark.parametrize("state", ["created", "unknown", "waiting", "processing"])
def test_a_payment_under_way_is_waited_for(acme: Organization, state: str) -> None:
    """A9: also beyond the ceiling nothing is written off that this payment may pay."""
    months.owing(acme, "25")
    Intent.objects.create(
        wallet_id=acme.pk, purpose="credits", amount_cents=50_00, key="buy:1", created_at=APRIL, state=state
    )  # fmt: skip
    months.closed()
    settled = months.settlement(acme)
    assert (settled.decided, settled.carried, settled.stage) == (Decided.IN_FLIGHT, 25, Stage.OVER)


def test_working_auto_recharge_pays_it(acme: Organization, alice: User) -> None:
    months.owing(acme, "3")
    _recharges(acme, alice)
    months.closed()
    assert months.settlement(acme).decided == Decided.RECHARGING
    Rule.objects.update(standing="paused", why="declines")
    usage.spent(acme, "1", now=APRIL + DAY)
    months.closed(MAY)
    assert months.settlement(acme, 4).charge_cents == 4_00


def test_while_a_payment_is_disputed_nothing_is_charged(acme: Organization) -> None:
    months.owing(acme, "3")
    intent = Intent.objects.get(wallet=acme.pk)
    Dispute.objects.create(
        wallet_id=acme.pk, intent=intent, provider_id="dp_1", amount_cents=5_00, status="warning_needs_response",
        opened_at=MARCH, created_at=MARCH,
    )  # fmt: skip
    Account.objects.filter(grant__payment_id=intent.pk).update(held=True, held_since=MARCH)
    months.closed()
    assert months.settlement(acme).decided == Decided.DISPUTED


@pytest.mark.parametrize("card", ["none", "expired", "removed"])
def test_without_a_card_the_debt_waits_and_the_customer_is_told(acme: Organization, card: str) -> None:
    months.owing(acme, "25", card=False)
    if card == "expired":
        cards.saved(acme, expires=(2026, 3))
    if card == "removed":
        cards.saved(acme)
        PaymentMethod.objects.update(detached_at=MARCH)
    months.closed()
    settled = months.settlement(acme)
    assert (settled.decided, settled.stage, settled.written_off) == (Decided.NO_CARD, Stage.NO_CARD, 15)
    notice = Notice.objects.get(wallet=acme.pk, kind="settlement_failed")
    assert notice.key == f"settlement_failed:{acme.pk}:2026-03:0"
    assert notice.facts == {
        "period": "2026-03",
        "amount": "10.00",
        "reason": "There is no saved card that can be charged.",
        "retry_at": None,
    }


def test_what_waited_without_a_card_is_part_of_what_a_later_month_collects(acme: Organization) -> None:
    months.owing(acme, "3", card=False)
    months.closed()
    cards.saved(acme)
    usage.spent(acme, "2", now=APRIL + DAY)
    months.closed(MAY)
    assert months.settlement(acme).stage == Stage.REPLACED
    assert (months.settlement(acme, 4).stage, months.settlement(acme, 4).charge_cents) == (Stage.DUE, 5_00)


# --- Many at once, and none that holds up the others -----------------------------------------------------------------------


def test_an_organization_that_cannot_be_settled_holds_up_nobody(acme: Organization, alice: User) -> None:
    others = [usage.people.team(alice, f"Team {n}", now=MARCH) for n in range(4)]
    for org in (acme, *others):
        usage.bought(org, "5", now=MARCH)
    months.reported(APRIL)
    really = closing._close

    def close(org_ids: list[int], period: date, now: datetime) -> None:
        if acme.pk in org_ids:
            raise DatabaseError("something is wrong with Acme")
        really(org_ids, period, now)

    with mock.patch.object(closing, "_close", close):
        assert flows.settle_periods(now=APRIL) == 4
    assert not Settlement.objects.filter(wallet=acme.pk).exists()
    assert flows.settle_periods(now=APRIL) == 1


def test_a_crash_in_between_is_taken_up_again(acme: Organization, alice_personal: Organization) -> None:
    for org in (acme, alice_personal):
        months.owing(org, "25")
    months.reported(APRIL)
    with mock.patch.object(closing, "CHUNK", 1), mock.patch.object(closing, "_record", side_effect=_second_time()):
        with pytest.raises(RuntimeError):
            flows.settle_periods(now=APRIL)
    assert Settlement.objects.count() == 1
    assert Transfer.objects.filter(reason="write_off").count() == 1
    assert flows.settle_periods(now=APRIL) == 1
    assert Transfer.objects.filter(reason="write_off").count() == 2


def test_a_thousand_organizations_take_as_many_queries_as_ten(acme: Organization, alice: User) -> None:
    def queries(count: int, now: datetime, day: datetime) -> int:
        for n in range(count):
            usage.bought(usage.people.team(alice, f"Team {now:%m} {n}", now=day), "5", now=day)
        months.reported(now)
        with connection.execute_wrapper(lambda *call: (asked.append(call[1]), call[0](*call[1:]))[1]):
            asked: list[str] = []
            flows.settle_periods(now=now)
        return len(asked)

    assert queries(3, APRIL, MARCH) == queries(12, MAY, APRIL + DAY)


# --- In the database itself ----------------------------------------------------------------------------------------------


def _close(org: Organization, period: date, at: datetime) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        wallets.lock([org.pk])
        cursor.execute("SELECT ledger_period_close(ARRAY[%s::bigint], %s, %s)", [org.pk, period, at])


@pytest.mark.books_differ("closed_month_settled")
def test_the_database_closes_no_month_that_is_not_over_or_not_next(acme: Organization) -> None:
    usage.bought(acme, "5", now=MARCH)
    usage.bought(acme, "5", now=APRIL)
    with pytest.raises(DatabaseError, match="not over"):
        _close(acme, date(2026, 3, 1), APRIL - HOUR)
    with pytest.raises(DatabaseError, match="not the next one"):
        _close(acme, date(2026, 4, 1), MAY)
    _close(acme, date(2026, 3, 1), APRIL)
    with pytest.raises(DatabaseError, match="only grows, and stays closed"):
        _close(acme, date(2026, 3, 1), MAY)
    with pytest.raises(DatabaseError, match="not the next one"):
        _close(acme, date(2026, 2, 1), APRIL)


def test_what_was_decided_stays(acme: Organization) -> None:
    months.owing(acme, "3")
    months.closed()
    for change in ("charge_cents = 1", "carried = 3", "decided = 'small'", "closed_at = now()"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE settlement SET {change}")
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM settlement")


def _second_time() -> object:
    """Writes down the first time, and fails the second."""
    really, times = closing._record, iter((True, False))

    def record(*given: object) -> None:
        if not next(times):
            raise RuntimeError("the power went out")
        really(*given)  # type: ignore[arg-type]

    return record


def _recharges(org: Organization, by: User) -> None:
    from billing.recharge.models import Consent

    consent = Consent.objects.create(
        wallet_id=org.pk, user=by, at=MARCH, wording="yes", threshold_cents=10_00, recharge_to_cents=50_00, per_day=5,
    )  # fmt: skip
    Rule.objects.create(
        wallet_id=org.pk, standing="on", since=MARCH, threshold_cents=10_00, recharge_to_cents=50_00, consent=consent,
        method=PaymentMethod.objects.get(wallet=org.pk),
    )  # fmt: skip
