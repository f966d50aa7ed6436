"""What a contract promises, in figures: which terms there can be, what a month's use costs, how a last month is cut."""

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.contracts import agreement, terms
from billing.contracts.terms import Pool, Terms, TermsRefused

NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
SOUND = Terms(10_000_000, Decimal("0.50"), Decimal("0.80"), date(2026, 4, 1))


def but(**other: object) -> Terms:
    values = {name: getattr(SOUND, name) for name in SOUND.__slots__}
    return Terms(**(values | other))


def test_ten_million_tokens_at_fifty_cents_are_five_dollars_a_month() -> None:
    terms.check(SOUND, now=NOW)
    assert (SOUND.amount, SOUND.ends_on) == (5, date(2027, 4, 1))


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"tokens": 9_999_999}, "tokens"),
        ({"tokens": 10**15 + 1}, "tokens"),
        ({"tokens": 10_000_001, "per_million": Decimal("0.333333")}, "per_million"),  # A27: a fraction of a cent
        ({"per_million": Decimal("0.499")}, "per_million"),  # 4.99 a month
        ({"per_million": Decimal("0.5000001")}, "per_million"),
        ({"per_million": Decimal(0)}, "per_million"),
        ({"per_million": Decimal("NaN")}, "per_million"),
        ({"tokens": 10**15}, "per_million"),  # five hundred million dollars
        ({"overage_per_million": Decimal(-1)}, "overage_per_million"),
        ({"overage_per_million": Decimal("Infinity")}, "overage_per_million"),
        ({"starts_on": date(2026, 4, 2)}, "starts_on"),
        ({"starts_on": date(2026, 3, 1)}, "starts_on"),
        ({"overage_limit_cents": -1}, "overage_limit"),
        ({"overage_limit_cents": 100_000_001}, "overage_limit"),
    ],
)
def test_terms_that_no_contract_can_have(other: dict[str, object], field: str) -> None:
    with pytest.raises(TermsRefused) as refused:
        terms.check(but(**other), now=NOW)
    assert refused.value.field == field


# --- A month's use -----------------------------------------------------------------------------------------------------

POOL = Pool(10_000_000, Decimal(5), Decimal("0.0000005"), Decimal("0.0000008"))


@pytest.mark.parametrize(
    ("total", "used", "overage", "unused"),
    [
        (0, "0", "0", "5"),
        (4_000_000, "2", "0", "3"),
        (10_000_000, "5", "0", "0"),
        (10_000_001, "5", "0.0000008", "0"),
        (15_000_000, "5", "4", "0"),
    ],
)
def test_use_draws_the_commitment_down_and_goes_beyond_it(total: int, used: str, overage: str, unused: str) -> None:
    assert (POOL.used(total), POOL.overage(total), POOL.unused(total)) == tuple(map(Decimal, (used, overage, unused)))


def test_an_event_that_crosses_the_commitment_is_split() -> None:
    """A7: 3,000 tokens are left and 5,000 come: 3,000 of them are within, 2,000 beyond."""
    growth = POOL.growth(9_997_000, 10_002_000)
    assert (growth.within, growth.overage) == (3_000 * POOL.price, 2_000 * POOL.overage_price)


@given(
    portions=st.lists(st.integers(-8_000_000, 8_000_000), max_size=12),
    tokens=st.integers(1, 20_000_000),
    price=st.integers(1, 10**9),
    beyond=st.integers(1, 10**9),
)
def test_in_which_portions_use_arrives_changes_nothing(
    portions: list[int], tokens: int, price: int, beyond: int
) -> None:
    """Whatever the order, the batches, and what is taken back in between: the postings add up to those of the total."""
    per_token = Decimal(price).scaleb(-12)
    month = Pool(tokens, tokens * per_token, per_token, Decimal(beyond).scaleb(-12))
    totals = [0]
    for portion in portions:
        totals.append(max(0, totals[-1] + portion))
    steps = [month.growth(before, after) for before, after in pairwise(totals)]
    assert sum(step.within for step in steps) == month.used(totals[-1])
    assert sum(step.overage for step in steps) == month.overage(totals[-1])
    assert month.used(totals[-1]) + month.unused(totals[-1]) == month.amount


# --- The last month (A29) ------------------------------------------------------------------------------------------------


def test_the_month_in_which_the_last_model_is_retired_is_cut() -> None:
    """Retired with 14 May: 14 of 31 days, down to the cent, and as many tokens as that buys."""
    wanted = but(tokens=100_000_000, per_million=Decimal("0.35"))
    cut = terms.pool(wanted, date(2026, 5, 1), retired_from=datetime(2026, 5, 15, tzinfo=UTC))
    assert cut is not None
    assert (cut.amount, cut.tokens) == (Decimal("15.80"), 45_142_857)
    assert 0 <= cut.unused(cut.tokens) < cut.price


@pytest.mark.parametrize(
    ("retired", "amount"),
    [("2026-06-01", Decimal(5)), ("2027-01-01", Decimal(5)), ("2026-05-31", Decimal("4.83")), ("2026-05-02", Decimal("0.16"))],
)  # fmt: skip
def test_only_the_days_before_the_retirement_are_paid(retired: str, amount: Decimal) -> None:
    month = terms.pool(SOUND, date(2026, 5, 1), retired_from=datetime.fromisoformat(f"{retired}T00:00:00Z"))
    assert month is not None
    assert month.amount == amount


@pytest.mark.parametrize("retired", ["2026-05-01", "2026-04-15"])
def test_a_month_after_the_retirement_is_none(retired: str) -> None:
    assert terms.pool(SOUND, date(2026, 5, 1), retired_from=datetime.fromisoformat(f"{retired}T00:00:00Z")) is None


@pytest.mark.parametrize(("owed", "cents"), [("4.999999", 499), ("0.5", 50), ("0.499999", 0), ("-1", 0)])
def test_what_is_owed_is_charged_down_to_the_cent_and_not_below_fifty(owed: str, cents: int) -> None:
    assert terms.chargeable(Decimal(owed)) == cents


# --- Its words -----------------------------------------------------------------------------------------------------------

PARTIES = agreement.Parties("Purser", "Acme Research", ("GPT OSS 120B", "GLM 4.7"))


def test_the_words_say_every_figure() -> None:
    words = agreement.text(but(overage_limit_cents=12_00), PARTIES)
    for said in (
        "10,000,000 tokens",
        "GPT OSS 120B and GLM 4.7",
        "$5.00",
        "$0.50 per million",
        "$0.80 per million",
        "$12.00",
    ):
        assert said in words


def test_other_terms_are_other_words() -> None:
    said = {agreement.digest(agreement.text(one, PARTIES)) for one in (SOUND, but(starts_on=date(2026, 5, 1)))}
    assert len(said) == 2
