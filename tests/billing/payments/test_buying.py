"""What a purchase will do, before it happens."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.ledger.balances import Balance
from billing.payments import buying, declines

NOW = datetime(2026, 4, 14, 12, 41, 3, tzinfo=UTC)
LEAST, MOST = Decimal("5.00"), Decimal("10000.00")


def owing(overdraft: str = "0", debt: str = "0") -> Balance:
    return Balance(
        settled=-Decimal(overdraft) - Decimal(debt), overdraft=Decimal(overdraft), debt=Decimal(debt)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("balance", "least"),
    [
        (Balance(settled=Decimal("173.50")), "5.00"),
        (Balance(), "5.00"),
        (owing("3.99"), "5.00"),
        (owing("4.00"), "5.00"),
        (owing("4.000001"), "5.01"),
        (owing("8.00"), "9.00"),
        (owing("8.001"), "9.01"),
        (owing("1.50", "990.00"), "992.50"),
        (owing("0", "20000"), "20001.00"),
    ],
)
def test_the_smallest_purchase_leaves_a_balance_to_use(balance: Balance, least: str) -> None:
    bounds = buying.bounds(balance, least=LEAST, most=MOST)
    assert bounds.least == Decimal(least)
    assert bounds.most == max(MOST, Decimal(least))
    assert bounds.owing is (Decimal(least) > LEAST)
    assert balance.available + bounds.least > 0


def test_a_purchase_pays_the_overdraft_first_then_the_debt() -> None:
    preview = buying.preview(Decimal("100.00"), owing("8.25", "20.00"), now=NOW)
    assert (preview.overdraft_paid, preview.debt_paid) == (Decimal("8.25"), Decimal("20.00"))
    assert preview.new_credit == preview.available_after == Decimal("71.75")
    assert preview.expires_at == datetime(2027, 4, 14, 12, 42, tzinfo=UTC)


def test_without_debts_all_of_it_is_new_credit() -> None:
    preview = buying.preview(Decimal("100.00"), Balance(settled=Decimal("173.50")), now=NOW)
    assert (preview.overdraft_paid, preview.debt_paid, preview.new_credit) == (0, 0, 100)
    assert preview.available_after == Decimal("273.50")


def test_every_refusal_has_words_and_a_stolen_card_is_not_called_stolen() -> None:
    assert "enough funds" in declines.reason("insufficient_funds")
    for secret in ("lost_card", "stolen_card", "pickup_card", "fraudulent", "generic_decline", "some_new_code"):
        assert declines.reason(secret) == declines.BANK_SAID_NO
    assert all(reason.endswith(".") and "!" not in reason for reason in declines.REASONS.values())
