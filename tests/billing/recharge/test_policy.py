"""When a card is charged, and how much: examples from the fine print, and what holds for all figures."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import from_cents
from billing.recharge import policy
from billing.recharge.models import LEAST_LIFT_CENTS, MOST_CENTS
from billing.recharge.policy import Charge, Decision, Nothing, Situation, Stop, Terms, Why, WhyNot

NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
TERMS = Terms(20_00, 50_00)
HOUR = timedelta(hours=1)


def decide(terms: Terms, available: str, on: bool = True, /, **how: object) -> Decision:
    situation = replace(Situation(Decimal(available)), **how)  # type: ignore[arg-type]
    return policy.decide(terms, situation, on=on, now=NOW)


@pytest.mark.parametrize(
    ("available", "how", "terms", "decision"),
    [
        # A level, tested strictly below the threshold.
        ("20", {}, TERMS, Nothing(WhyNot.ABOVE)),
        ("19.999999999999", {}, TERMS, Charge(30_01)),
        # Rounded up to a cent: 9.9923 to 50.00 is 40.0077.
        ("9.9923", {}, TERMS, Charge(40_01)),
        ("9.99", {}, TERMS, Charge(40_01)),
        # What is overdrawn is part of it.
        ("-80.02", {}, TERMS, Charge(130_02)),
        # 10,000.00 at most.
        ("-2", {}, Terms(20_00, MOST_CENTS), Charge(MOST_CENTS)),
        ("-12345.67", {}, TERMS, Charge(MOST_CENTS)),
        # Payments on their way count, and one that charges a card holds up everything.
        ("9", {"pending_cents": 11_00}, TERMS, Nothing(WhyNot.PENDING)),
        ("9", {"pending_cents": 10_99}, TERMS, Charge(30_01)),
        ("9", {"pending_cents": 5_00, "under_way": True}, TERMS, Nothing(WhyNot.UNDER_WAY)),
        # A fall by expiry, refund, dispute or staff alone; a dispute; a debt.
        ("9", {"by_usage": False}, TERMS, Nothing(WhyNot.NOT_BY_USAGE)),
        ("9", {"disputed": True}, TERMS, Nothing(WhyNot.DISPUTED)),
        ("-990", {"debt": Decimal(1000)}, TERMS, Nothing(WhyNot.DISPUTED)),
        # After a soft decline.
        ("9", {"retry_at": NOW + HOUR, "retrying": True}, TERMS, Nothing(WhyNot.LADDER)),
        ("9", {"retry_at": NOW, "retrying": True}, TERMS, Charge(41_00, Why.RETRY)),
        # The cap: the rest of it, where it is 5.00 and lifts the balance above zero.
        ("9", {"spent_cents": 59_00}, Terms(20_00, 50_00, 100_00), Charge(41_00)),
        ("9", {"spent_cents": 59_01}, Terms(20_00, 50_00, 100_00), Charge(40_99, capped=True)),
        ("9", {"spent_cents": 95_00}, Terms(20_00, 50_00, 100_00), Charge(5_00, capped=True)),
        ("9", {"spent_cents": 95_01}, Terms(20_00, 50_00, 100_00), Nothing(WhyNot.CAP_REACHED)),
        ("-30", {"spent_cents": 70_00}, Terms(20_00, 50_00, 100_00), Nothing(WhyNot.CAP_REACHED)),
        ("-29.99", {"spent_cents": 70_00}, Terms(20_00, 50_00, 100_00), Charge(30_00, capped=True)),
        ("9", {"spent_cents": 250_00}, Terms(20_00, 50_00, 100_00), Nothing(WhyNot.CAP_REACHED)),
        # Charges per day.
        ("9", {"charged_today": 4}, TERMS, Charge(41_00)),
        ("9", {"charged_today": 5}, TERMS, Nothing(WhyNot.DAILY_LIMIT)),
        ("9", {"charged_today": 1}, Terms(20_00, 50_00, per_day=1), Nothing(WhyNot.DAILY_LIMIT)),
        # Three charges within ten minutes.
        ("9", {"charged_lately": 2}, TERMS, Charge(41_00)),
        ("9", {"charged_lately": 3}, TERMS, Stop()),
        ("99", {"charged_lately": 3}, TERMS, Stop()),
    ],
)
def test_examples(available: str, how: dict[str, object], terms: Terms, decision: Decision) -> None:
    assert decide(terms, available, **how) == decision


def test_a_rule_that_is_not_on_does_nothing() -> None:
    assert decide(TERMS, "-5", False, charged_lately=9) == Nothing(WhyNot.NOT_ON)


CENTS = st.integers(0, 2 * MOST_CENTS)
BALANCES = st.decimals(Decimal(-30_000), Decimal(30_000), places=12)


@st.composite
def all_terms(draw: st.DrawFn) -> Terms:
    threshold = draw(st.integers(100, MOST_CENTS - LEAST_LIFT_CENTS))
    to = draw(st.integers(threshold + LEAST_LIFT_CENTS, MOST_CENTS))
    return Terms(threshold, to, draw(st.none() | st.integers(500, 10 * MOST_CENTS)), draw(st.integers(1, 50)))


SITUATIONS = st.builds(
    Situation, available=BALANCES, debt=st.just(Decimal(0)) | st.just(Decimal(3)), pending_cents=CENTS,
    under_way=st.booleans(), spent_cents=CENTS, charged_today=st.integers(0, 6), charged_lately=st.integers(0, 4),
    by_usage=st.booleans(), disputed=st.booleans(), retry_at=st.none() | st.just(NOW + HOUR) | st.just(NOW - HOUR),
    retrying=st.booleans(),
)  # fmt: skip


@given(all_terms(), SITUATIONS)
def test_what_is_charged_is_wanted_allowed_and_enough(terms: Terms, situation: Situation) -> None:
    decision = policy.decide(terms, situation, on=True, now=NOW)
    if not isinstance(decision, Charge):
        return
    level, lifted = policy.level(situation), policy.level(situation) + from_cents(decision.cents)
    assert 0 < decision.cents <= MOST_CENTS
    assert level < from_cents(terms.threshold_cents)
    # Never above recharge-to, but for the fraction of a cent.
    assert lifted < from_cents(terms.recharge_to_cents + 1)
    if not decision.capped and decision.cents < MOST_CENTS:
        assert lifted >= from_cents(terms.recharge_to_cents)
    if decision.capped:
        assert decision.cents >= LEAST_LIFT_CENTS
        assert lifted > 0
    if terms.cap_cents is not None:
        assert situation.spent_cents + decision.cents <= terms.cap_cents
    assert situation.charged_today < terms.per_day
    assert situation.charged_lately < policy.BURST
    assert situation.by_usage
    assert not (situation.under_way)
    assert not (situation.disputed)
    assert situation.debt == 0
    assert situation.retry_at is None or situation.retry_at <= NOW


@given(all_terms(), SITUATIONS)
def test_after_a_charge_the_same_look_charges_no_more(terms: Terms, situation: Situation) -> None:
    decision = policy.decide(terms, situation, on=True, now=NOW)
    if not isinstance(decision, Charge):
        return
    on_its_way = replace(situation, pending_cents=situation.pending_cents + decision.cents, under_way=True)
    assert not isinstance(policy.decide(terms, on_its_way, on=True, now=NOW), Charge)


@given(all_terms(), SITUATIONS, st.integers(0, 5000))
def test_a_lower_balance_never_charges_less(terms: Terms, situation: Situation, fall: int) -> None:
    """Without a cap, and while it is looked at."""
    terms = replace(terms, cap_cents=None)
    before = policy.decide(terms, situation, on=True, now=NOW)
    lower = replace(situation, available=situation.available - from_cents(fall))
    after = policy.decide(terms, lower, on=True, now=NOW)
    if isinstance(before, Charge):
        assert isinstance(after, Charge)
        assert after.cents >= before.cents
