"""An answer of Stripe's with a field of another type is none."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from billing.payments.answers import Card, Charge, Checkout, Movement
from billing.payments.exact import Exact

AT = datetime(2026, 4, 14, tzinfo=UTC)
CARD = Card("pm_1", "visa", "4242", 12, 2030)
CHARGE = Charge("ch_1", 10_000, "usd", AT, True, CARD)
PAGE = Checkout("cs_1", "open", "unpaid", 10_000, "usd", "https://pay", AT, None, None)


@pytest.mark.parametrize(
    ("answer", "field", "value"),
    [
        (CHARGE, "amount_cents", "10000"),
        (CHARGE, "amount_cents", 10_000.0),
        (CHARGE, "amount_cents", True),
        (CHARGE, "amount_cents", None),
        (CHARGE, "id", None),
        (CHARGE, "id", ""),
        (CHARGE, "id", 27),
        (CHARGE, "paid", 1),
        (CHARGE, "card", "visa"),
        (CHARGE, "created", 1_776_000_000),
        (CARD, "last4", 4242),
        (PAGE, "intent_id", "0196340c-8b1e-7c3a-9f00-5a1b2c3d4e5f"),
        (PAGE, "status", None),
    ],
)
def test_another_type_is_an_error(answer: Any, field: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"{type(answer).__name__}.{field} is"):
        replace(answer, **{field: value})


def test_what_may_be_missing_may_be_missing() -> None:
    assert replace(CHARGE, card=None).card is None
    assert replace(PAGE, payment=None).payment is None


def test_what_a_tuple_holds_has_checked_itself() -> None:
    @dataclass(frozen=True, slots=True)
    class Several(Exact):
        movements: tuple[Movement, ...] = ()

    assert Several((Movement("txn_1", -100, "usd", AT),)).movements
    with pytest.raises(TypeError):
        Several([Movement("txn_1", -100, "usd", AT)])  # type: ignore[arg-type]
