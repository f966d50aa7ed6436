"""Figures in cents that a reader can add."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from billing.graphs import adding
from billing.money import CENT, cents_down

amounts = st.decimals(min_value=-1000, max_value=1000, places=12, allow_nan=False)


def test_what_would_be_a_cent_off_is_not() -> None:
    settled, accrued = adding.up([Decimal("173.945"), Decimal("-0.4459")])
    assert (settled, accrued) == (Decimal("173.94"), Decimal("-0.45"))
    assert settled + accrued == cents_down(Decimal("173.945") - Decimal("0.4459"))


def test_whole_cents_stay_as_they_are() -> None:
    parts = [Decimal("14.50"), Decimal("59.44"), Decimal("100.00")]
    assert adding.up(parts) == parts


@given(st.lists(amounts, max_size=12))
def test_the_shown_parts_sum_to_the_total_rounded_down_and_none_is_a_cent_off(parts: list[Decimal]) -> None:
    shown = adding.up(parts)
    assert sum(shown, Decimal(0)) == cents_down(sum(parts, Decimal(0)))
    for part, in_cents in zip(parts, shown, strict=True):
        assert in_cents in (cents_down(part), cents_down(part) + CENT)
