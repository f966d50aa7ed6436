"""What becomes of an overdraft at month end: the whole rule in one table."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.settlement.deciding import LEAST, Decision, Standing, decide
from billing.settlement.models import Decided, WrittenOff

CEILING = Decimal(10)


def decided(at_end: str, now: str | None = None, **other: bool) -> Decision:
    return decide(Standing(Decimal(at_end), Decimal(now or at_end), **other), ceiling=CEILING)


@pytest.mark.parametrize(
    ("at_end", "now", "charge", "written_off", "carried"),
    [
        ("0", "0", "0", "0", "0"),
        ("3", "3", "3.00", "0", "0"),
        # Paid since, wholly or in part; grown since.
        ("3", "0", "0", "0", "0"),
        ("3", "1.25", "1.25", "0", "0"),
        ("3", "8", "3.00", "0", "0"),
        ("0", "8", "0", "0", "0"),
        # The fraction stays owed.
        ("3.507123", "3.507123", "3.50", "0", "0.007123"),
        # The smallest charge.
        ("0.50", "0.50", "0.50", "0", "0"),
        ("0.499999999999", "0.499999999999", "0", "0", "0.499999999999"),
        # The ceiling: what lies beyond is written off, to the last digit.
        ("10", "10", "10", "0", "0"),
        ("25.003", "25.003", "10", "15.003", "0"),
        ("25", "12", "10", "2", "0"),
    ],
)
def test_the_smaller_of_then_and_now_up_to_the_ceiling(
    at_end: str, now: str, charge: str, written_off: str, carried: str
) -> None:
    made = decided(at_end, now)
    assert (made.charge, made.written_off, made.carried) == (Decimal(charge), Decimal(written_off), Decimal(carried))


def test_never_bought_is_never_charged() -> None:
    made = decided("25", bought=False)
    assert (made.decided, made.charge, made.written_off, made.carried) == (Decided.NEVER_BOUGHT, 0, 25, 0)
    assert made.written_off_as == WrittenOff.NEVER_BOUGHT


def test_a_small_debt_is_let_go_once_nothing_happened_for_half_a_year() -> None:
    assert decided("0.32", quiet=True).written_off == Decimal("0.32")
    assert decided("0.32").decided == Decided.SMALL
    assert decided("3", quiet=True).charge == 3


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"in_flight": True}, Decided.IN_FLIGHT),
        ({"recharging": True}, Decided.RECHARGING),
        ({"disputed": True}, Decided.DISPUTED),
        ({"earlier": True}, Decided.EARLIER),
    ],
)
def test_whoever_pays_in_another_way_carries_the_whole(other: dict[str, bool], why: Decided) -> None:
    """Also what lies beyond the ceiling: new credit pays all of it (A9, A10)."""
    made = decided("25", **other)
    assert (made.decided, made.charge, made.written_off, made.carried) == (why, 0, 0, 25)


def test_without_a_card_it_waits_for_the_customer() -> None:
    made = decided("25", card=False)
    assert (made.decided, made.charge, made.written_off, made.carried) == (Decided.NO_CARD, 0, 15, 10)


money = st.decimals(0, 1000, places=12)
flag = st.booleans()


@given(money, money, st.decimals(0, 100, places=2), flag, flag, flag, flag, flag)
def test_nothing_is_lost_and_nothing_made(
    at_end: Decimal, now: Decimal, ceiling: Decimal, bought: bool, card: bool, flight: bool, earlier: bool, quiet: bool
) -> None:
    standing = Standing(at_end, now, bought=bought, card=card, in_flight=flight, earlier=earlier, quiet=quiet)
    made = decide(standing, ceiling=ceiling)
    assert made.charge + made.written_off + made.carried == min(at_end, now)
    assert min(made.charge, made.written_off, made.carried) >= 0
    assert made.charge <= ceiling
    assert not made.charge or made.charge >= LEAST
    assert made.charge_cents == made.charge * 100
