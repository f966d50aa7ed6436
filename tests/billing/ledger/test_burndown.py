"""Burn-down is a pure function: what holds for every usage and every set of grants."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.ledger.burndown import Source, Use, draw

START = datetime(2026, 3, 1, tzinfo=UTC)
minutes = st.integers(0, 600).map(lambda n: START + timedelta(minutes=n))
amounts = st.integers(1, 10**15).map(lambda pico: Decimal(pico).scaleb(-12))
uses = st.lists(st.builds(Use, st.integers(1, 3), minutes, amounts), max_size=30)
sources = st.lists(
    st.builds(Source, st.integers(1, 10**6), amounts, minutes, st.booleans()),
    max_size=8,
    unique_by=lambda s: s.account_id,
)


def test_earliest_expiry_first_then_promotional_then_oldest() -> None:
    end = START + timedelta(hours=1)
    grants = [
        Source(1, Decimal(1), end + timedelta(days=1), promotional=True),
        Source(2, Decimal(1), end, promotional=False),
        Source(4, Decimal(1), end, promotional=True),
        Source(3, Decimal(1), end, promotional=True),
    ]
    order = [taken.account_id for taken in draw([Use(1, START, Decimal(5))], grants)]
    assert order == [3, 4, 2, 1, None]


def test_a_grant_pays_until_its_last_minute_and_not_in_the_next() -> None:
    grant = Source(1, Decimal(10), START + timedelta(minutes=5), promotional=False)
    last, after = START + timedelta(minutes=4), START + timedelta(minutes=5)
    drawn = draw([Use(1, after, Decimal(1)), Use(1, last, Decimal(1))], [grant])
    assert [(taken.account_id, taken.minute) for taken in drawn] == [(1, last), (None, after)]


@settings(max_examples=200, deadline=None)
@given(uses, sources)
def test_every_use_is_paid_exactly_and_no_grant_gives_more_than_it_has(used: list[Use], grants: list[Source]) -> None:
    drawn = draw(used, grants)

    by_minute: dict[object, Decimal] = defaultdict(Decimal)
    by_account: dict[int | None, Decimal] = defaultdict(Decimal)
    for taken in drawn:
        assert taken.amount > 0
        by_minute[taken.model_id, taken.minute] += taken.amount
        by_account[taken.account_id] += taken.amount
    wanted: dict[object, Decimal] = defaultdict(Decimal)
    for use in used:
        wanted[use.model_id, use.minute] += use.cost
    assert by_minute == wanted
    ends = {grant.account_id: grant for grant in grants}
    for account_id, amount in by_account.items():
        if account_id is not None:
            assert amount <= ends[account_id].rest
    assert all(taken.minute < ends[taken.account_id].expires_at for taken in drawn if taken.account_id is not None)


@settings(max_examples=200, deadline=None)
@given(uses, sources)
def test_nothing_is_overdraft_while_a_grant_could_pay(used: list[Use], grants: list[Source]) -> None:
    drawn = draw(used, grants)
    left = {grant.account_id: grant.rest for grant in grants}
    for taken in drawn:
        if taken.account_id is not None:
            left[taken.account_id] -= taken.amount
    for taken in drawn:
        if taken.account_id is None:
            assert not any(left[grant.account_id] and taken.minute < grant.expires_at for grant in grants)
