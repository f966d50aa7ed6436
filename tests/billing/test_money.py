"""Amounts as people write them."""

from decimal import Decimal

import pytest

from billing import money


@pytest.mark.parametrize("text", ["0", "5", "5.5", "5.55", "9999999.99"])
def test_what_an_amount_looks_like(text: str) -> None:
    assert money.written(text) == Decimal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 5",
        "5 ",
        "-5",
        "+5",
        "05",
        ".5",
        "5.",
        "5.555",
        "1e3",
        "1,000",
        "0x10",
        "NaN",
        "Infinity",
        "１００",
        "10000000",
    ],
)
def test_nothing_is_guessed(text: str) -> None:
    with pytest.raises(money.NotMoney, match="whole cents"):
        money.written(text)
