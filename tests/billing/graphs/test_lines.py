"""The ledger as people read it: folded by day, and exact: opening + lines = closing, on every page and over all of them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import periods
from billing.catalog.models import AIModel
from billing.graphs import lines, movements, telling
from billing.graphs.lines import Line, Page
from billing.graphs.movements import Kind
from billing.ledger import accruals, expiry, wallets
from billing.ledger.models import Transfer, Wallet
from orgs.models import Organization
from tests.billing.ledger.conftest import buy, promote, use

pytestmark = pytest.mark.django_db

MORNING = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)


@pytest.fixture
def org() -> int:
    return Organization.objects.create(kind="team", slug="books", name="Books").pk


@pytest.fixture
def model() -> int:
    return AIModel.objects.create(slug="gpt-oss-120b", name="gpt-oss-120b", provider="OpenAI").pk


def post(org: int, now: datetime) -> None:
    wallets.lock([org])
    accruals.close([org], now=now)


def pages(org: int, size: int, kind: Kind = Kind.ALL) -> list[Page]:
    """From the newest page to the oldest, by their own cursors."""
    read = [lines.read(org, kind, size=size)]
    while read[-1].older:
        read.append(lines.read(org, kind, size=size, before=transfer(read[-1].lines[-1])))
    return read


def transfer(line: Line, *, newest: bool = False) -> Transfer:
    return Transfer.objects.get(pk=(line.newest if newest else line.oldest).id)


def told(found: Iterable[Line]) -> list[tuple[str, Decimal, Decimal]]:
    return [("usage" if line.is_usage else line.newest.reason, line.amount, line.balance) for line in found]


# --- Folding -------------------------------------------------------------------------------------------------------


def test_a_day_of_use_is_one_line_and_money_in_stands_alone(org: int, model: int) -> None:
    buy(org, "100", at=MORNING)
    for hours in (1, 2, 3):
        use(org, model, "0.25", at=MORNING + timedelta(hours=hours))
    use(org, model, "1.5", at=MORNING + timedelta(days=1))
    post(org, MORNING + timedelta(days=2))
    page = lines.read(org, Kind.ALL)
    assert told(page.lines) == [
        ("usage", Decimal("-1.5"), Decimal("97.75")),
        ("usage", Decimal("-0.75"), Decimal("99.25")),
        ("purchase", Decimal(100), Decimal(100)),
    ]
    assert [line.hours for line in page.lines[:2]] == [1, 3]
    assert (page.closing, page.opening, page.newer, page.older) == (Decimal("97.75"), 0, False, False)


def test_a_purchase_at_noon_parts_the_day_so_that_its_balance_is_what_was_there(org: int, model: int) -> None:
    promote(org, "1", at=MORNING - timedelta(days=1))
    use(org, model, "0.75", at=MORNING)
    buy(org, "50", at=MORNING + timedelta(hours=4))
    use(org, model, "2", at=MORNING + timedelta(hours=5))
    post(org, MORNING + timedelta(days=1))
    assert told(lines.read(org, Kind.ALL).lines) == [
        ("usage", Decimal(-2), Decimal("48.25")),
        ("purchase", Decimal(50), Decimal("50.25")),
        ("usage", Decimal("-0.75"), Decimal("0.25")),
        ("promotion", Decimal(1), Decimal(1)),
    ]


def test_an_open_day_walks_hour_by_hour_to_the_line_below(org: int, model: int) -> None:
    second = AIModel.objects.create(slug="llama3.1-8b", name="llama3.1-8b", provider="Meta").pk
    promote(org, "0.30", at=MORNING, days=2)
    buy(org, "10", at=MORNING)
    for hours, model_id, amount in ((1, model, "0.2"), (1, second, "0.3"), (2, model, "0.4")):
        use(org, model_id, amount, at=MORNING + timedelta(hours=hours))
    post(org, MORNING + timedelta(hours=4))
    day, below, _ = lines.read(org, Kind.ALL).lines
    hours_ = day.by_hour()
    # The promotion ran out within the hour, so two transfers are one line of that hour and model.
    assert len(day.movements) == 4
    assert [(hour.hour.hour, hour.model_id, hour.amount) for hour in hours_] == [
        (10, model, Decimal("-0.4")),
        (9, second, Decimal("-0.3")),
        (9, model, Decimal("-0.2")),
    ]
    assert hours_[0].balance == day.balance
    assert [above.balance - above.amount for above in hours_] == [*(hour.balance for hour in hours_[1:]), below.balance]


def test_new_credit_that_pays_the_overdraft_is_one_line(org: int, model: int) -> None:
    """The transfer from the grant to the overdraft changes nothing that is settled."""
    use(org, model, "3", at=MORNING)
    post(org, MORNING + timedelta(hours=2))
    buy(org, "10", at=MORNING + timedelta(hours=3))
    assert Transfer.objects.filter(reason="overdraft_paid").exists()
    assert told(lines.read(org, Kind.ALL).lines) == [
        ("purchase", Decimal(10), Decimal(7)),
        ("usage", Decimal(-3), Decimal(-3)),
    ]


def test_what_is_asked_for_alone_is_all_there_is_of_it(org: int, model: int) -> None:
    promote(org, "5", at=MORNING, days=1)
    use(org, model, "1", at=MORNING)
    use(org, model, "1", at=MORNING + timedelta(hours=3))
    post(org, MORNING + timedelta(hours=5))
    wallets.lock([org])
    expiry.expire([org], now=MORNING + timedelta(days=5), watermark=None)

    def reasons(kind: Kind) -> list[str]:
        return [line.newest.reason for line in lines.read(org, kind).lines]

    assert reasons(Kind.ALL) == ["expiry", "usage", "promotion"]
    assert reasons(Kind.MONEY_IN) == ["promotion"]
    assert reasons(Kind.USAGE) == ["usage"]
    assert reasons(Kind.EXPIRY) == ["expiry"]
    assert [movements.extent(org, kind).number for kind in Kind] == [4, 1, 2, 1]


def test_a_line_is_found_by_its_name_and_only_by_its_owner(
    org: int, model: int, charlie_personal: Organization
) -> None:
    buy(org, "10", at=MORNING)
    [line] = lines.read(org, Kind.ALL).lines
    assert line.newest.name == "2026-03.1"
    assert movements.named(org, "2026-03.1") == transfer(line)
    assert movements.named(charlie_personal.pk, "2026-03.1") is None


@pytest.mark.parametrize(
    "name", ["", "1", "2026-03", "2026-03.", "2026-03.x", "2026-3.1", "2026-13.1", "2026-03.²", "2026-03.9" + "9" * 20]
)
def test_another_text_names_no_line(org: int, name: str) -> None:
    assert movements.named(org, name) is None


# --- Sums ----------------------------------------------------------------------------------------------------------

cents = st.integers(1, 5_000).map(lambda number: Decimal(number) / 100)
exact = st.integers(1, 10**13).map(lambda number: Decimal(number) / 10**12)
hours = st.integers(0, 60)
act = st.one_of(
    st.tuples(st.just("buy"), cents, hours),
    st.tuples(st.just("promote"), exact, hours),
    st.tuples(st.just("use"), exact, hours),
    st.tuples(st.just("post"), st.just(Decimal(0)), hours),
    st.tuples(st.just("expire"), st.just(Decimal(0)), hours),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(act, min_size=1, max_size=25), st.integers(1, 4))
def test_opening_and_lines_make_closing_over_any_books(model: int, acts: list[tuple[str, Any, int]], size: int) -> None:
    org = Organization.objects.create(kind="team", slug=uuid4().hex, name="Any").pk
    perform(org, model, acts)
    read = pages(org, size)
    whole = [line for page in read for line in page.lines]

    assert read[0].closing == Wallet.objects.get(pk=org).posted
    assert read[-1].opening == 0
    assert sum((line.amount for line in whole), Decimal(0)) == read[0].closing
    for newer, older in pairwise(read):
        assert newer.opening == older.closing
    for above, below in pairwise(whole):
        assert above.balance - above.amount == below.balance
    for page in read:
        assert page.opening + sum((line.amount for line in page.lines), Decimal(0)) == page.closing
        assert len(page.lines) <= size
    # The same lines one by one, and on the way back.
    moved = [movement for line in whole for movement in line.movements]
    assert len(moved) == len({movement.id for movement in moved}) == movements.extent(org, Kind.ALL).number
    for newer, older in pairwise(read):
        back = lines.read(org, Kind.ALL, size=len(newer.lines), after=transfer(older.lines[0], newest=True))
        assert (back.lines, back.closing, back.opening) == (newer.lines, newer.closing, newer.opening)


def perform(org: int, model: int, acts: list[tuple[str, Any, int]]) -> None:
    """Each act one hour after the other; its number of hours is how late the usage is, or the promotion's days."""
    for number, (what, amount, hours_) in enumerate(acts):
        now = MORNING + number * periods.HOUR
        if what == "buy":
            buy(org, str(amount), at=now)
        elif what == "promote":
            promote(org, str(amount), key=uuid4().hex, days=hours_ + 1, at=now - timedelta(days=hours_))
        elif what == "use":
            use(org, model, str(amount), at=now - timedelta(hours=hours_), now=now)
        elif what == "post":
            post(org, now)
        else:
            wallets.lock([org])
            expiry.expire([org], now=now + expiry.LATE_WINDOW, watermark=None)


# --- Words and cost --------------------------------------------------------------------------------------------


def test_lines_say_what_they_are(org: int, model: int) -> None:
    promote(org, "5", at=MORNING, days=1)
    use(org, model, "1", at=MORNING)
    post(org, MORNING + timedelta(hours=5))
    wallets.lock([org])
    expiry.expire([org], now=MORNING + timedelta(days=5), watermark=None)
    rows = telling.rows(org, lines.read(org, Kind.ALL), {MORNING.date()})
    assert [row.title for row in rows] == ["Welcome credit expired", "Usage", "Welcome credit"]
    assert [row.promotional for row in rows] == [False, False, True]
    assert [(hour.model, hour.amount) for hour in rows[1].hours] == [("gpt-oss-120b", Decimal(-1))]


def test_a_long_day_opens_with_its_last_hours(org: int, model: int) -> None:
    buy(org, "100", at=MORNING - timedelta(days=1))
    midnight = periods.floor_day(MORNING)
    for hour in range(24):
        use(org, model, "0.01", at=midnight + timedelta(hours=hour))
    post(org, MORNING + timedelta(days=1))
    page = lines.read(org, Kind.ALL)
    [short, _] = telling.rows(org, page, {midnight.date()})
    assert ([hour.hour.hour for hour in short.hours], short.earlier) == ([*range(23, 11, -1)], 12)
    [whole, _] = telling.rows(org, page, {midnight.date()}, {midnight.date()})
    assert (len(whole.hours), whole.earlier) == (24, 0)


def test_a_page_costs_the_same_however_many_lines_it_folds(
    org: int, model: int, django_assert_num_queries: Any
) -> None:
    for day in range(3):
        buy(org, "100", at=MORNING + timedelta(days=day))
        for hour in range(6):
            use(org, model, "0.01", at=MORNING + timedelta(days=day, hours=hour))
    post(org, MORNING + timedelta(days=5))
    opened = {(MORNING + timedelta(days=day)).date() for day in range(3)}
    with django_assert_num_queries(6):
        rows = telling.rows(org, lines.read(org, Kind.ALL), opened)
    assert len(rows) == 6
