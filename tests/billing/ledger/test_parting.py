"""Which part of a payment is taken, and in which order it comes back: to the last decimal, whatever the amounts."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from billing.ledger.parting import Left, Part, Rest, Share, Taken, give_back, take
from billing.money import ZERO

AMOUNTS = st.decimals(min_value=0, max_value=1_000, places=12)


def parts(shares: list[Share]) -> list[tuple[str, Decimal]]:
    return [(share.part, share.amount) for share in shares]


def test_what_is_left_goes_first_then_what_expired_then_what_was_spent() -> None:
    left = Left(rests=(Rest(1, Decimal("29.5")), Rest(2, Decimal(10))), expired=Decimal(20))
    assert take(Decimal(100), left, spent=Part.DEBT) == [
        Share(Part.UNSPENT, Decimal("29.5"), 1),
        Share(Part.UNSPENT, Decimal(10), 2),
        Share(Part.EXPIRED, Decimal(20)),
        Share(Part.DEBT, Decimal("40.5")),
    ]


def test_a_small_amount_touches_only_the_first_part() -> None:
    left = Left(rests=(Rest(1, Decimal(29)),), expired=Decimal(20))
    assert parts(take(Decimal(5), left, spent=Part.SPENT)) == [("unspent", 5)]


def test_money_without_a_place_goes_before_everything() -> None:
    assert parts(take(Decimal(100), Left(unapplied=Decimal(99)), spent=Part.SPENT)) == [("unapplied", 99), ("spent", 1)]


def test_it_comes_back_the_other_way_round() -> None:
    taken = Taken(
        debt=Decimal(1), written_off=Decimal(2), paid=Decimal(3), goodwill=Decimal(4), expired=Decimal(5),
        rests=(Rest(1, Decimal(6), room=Decimal(6)),), unapplied=Decimal(7),
    )  # fmt: skip
    assert parts(give_back(Decimal(28), taken)) == [
        ("debt", 1), ("written_off", 2), ("credit", 3), ("spent", 4), ("expired", 5), ("unspent", 6), ("unapplied", 7),
    ]  # fmt: skip
    assert parts(give_back(Decimal(4), taken)) == [("debt", 1), ("written_off", 2), ("credit", 1)]


def test_what_a_grant_cannot_take_needs_a_new_one() -> None:
    taken = Taken(rests=(Rest(2, Decimal(10), room=Decimal(4)), Rest(1, Decimal(5), room=ZERO)))
    assert give_back(Decimal(15), taken) == [
        Share(Part.UNSPENT, Decimal(4), 2),
        Share(Part.UNSPENT, Decimal(11)),
    ]


def test_of_a_plans_fee_what_is_not_earned_goes_first_and_comes_back_last() -> None:
    left = Left(unearned=Decimal("48.22"))
    assert parts(take(Decimal(50), left, spent=Part.DEBT)) == [
        ("unearned", Decimal("48.22")),
        ("debt", Decimal("1.78")),
    ]
    taken = Taken(debt=Decimal("1.78"), unearned=Decimal("48.22"))
    assert parts(give_back(Decimal(10), taken)) == [("debt", Decimal("1.78")), ("unearned", Decimal("8.22"))]


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
def test_the_parts_add_up_to_what_is_taken_and_none_takes_more_than_there_is(
    amount: Decimal, unapplied: Decimal, rest: Decimal, expired: Decimal
) -> None:
    shares = take(amount, Left(unapplied, (Rest(1, rest),), expired), spent=Part.DEBT)
    assert sum((share.amount for share in shares), ZERO) == amount
    there = {Part.UNAPPLIED: unapplied, Part.UNSPENT: rest, Part.EXPIRED: expired, Part.DEBT: amount}
    assert all(ZERO < share.amount <= there[share.part] for share in shares)


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
def test_the_parts_add_up_to_what_comes_back(
    amount: Decimal, debt: Decimal, paid: Decimal, expired: Decimal, room: Decimal
) -> None:
    taken = Taken(debt=debt, paid=paid, expired=expired, rests=(Rest(1, Decimal(100), room),))
    shares = give_back(amount, taken)
    assert sum((share.amount for share in shares), ZERO) == amount
    assert all(share.amount > 0 for share in shares)
    to_the_grant = sum((share.amount for share in shares if share.account_id == 1), ZERO)
    assert to_the_grant <= min(room, Decimal(100))
