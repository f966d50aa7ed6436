"""Auto-recharge as its customers live it."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from billing import flows
from billing.payments.models import Intent, State
from billing.recharge import finishing, links, looking
from tests import figures
from tests.scenarios.story import Story
from tests.threads import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.money]

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
THREADS = 8
DROPS_EACH = figures.of(4, full=125)
"""Full: a thousand drops below the threshold."""


def test_a_thousand_drops_below_the_threshold_are_one_charge(story: Story) -> None:
    """Gateways report, sweeps charge and the clock comes by, all at the same time."""
    story.buys(30_00)
    story.agrees(29_00, 60_00)
    story.uses("1.5")

    def drop() -> list[object]:
        settled = []
        for _ in range(DROPS_EACH):
            story.uses("0.01")
            settled.append(flows.recharge(story.acme.pk, now=story.now))
        return [one for one in settled if one is not None]

    answers = at_once(*[drop] * THREADS)
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert sum(len(answer) for answer in answers) == 1
    flows.sweep(now=story.now)
    assert len(story.charges) == 2
    bought, recharged = story.charges
    used = Decimal("1.5") + THREADS * DROPS_EACH * Decimal("0.01")
    assert story.balance == Decimal(bought + recharged) / 100 - used
    assert len(story.told("recharge_made")) == 1


def test_usage_starts_it_and_the_customer_sees_why(story: Story) -> None:
    story.buys(100_00)
    story.agrees(20_00, 50_00)
    story.uses("90.0077")
    story.the_clock_comes_by()
    assert (story.charges, story.balance) == ([100_00, 40_01], Decimal("50.0023"))
    (attempt,) = looking.attempts(story.acme.pk)
    assert (attempt.balance, attempt.threshold, attempt.amount) == (Decimal("9.9923"), 20, Decimal("40.01"))
    assert (attempt.outcome, attempt.card) == ("Paid.", "Visa ending 4242")
    for _ in range(3):
        story.the_clock_comes_by(MINUTE)
        story.stripe_tells()
    assert len(story.charges) == 2


def test_switched_on_while_low_it_charges_at_once(story: Story) -> None:
    story.buys(10_00)
    assert story.charges == [10_00]
    story.agrees(20_00, 50_00)
    assert (story.charges, story.balance) == ([10_00, 40_00], 50)


def test_a_card_without_money_is_tried_again_and_recovers(story: Story) -> None:
    story.buys(30_00)
    story.agrees(20_00, 50_00)
    story.bank_says("insufficient_funds", times=2)
    story.uses("15")
    story.the_clock_comes_by()
    story.uses("5")
    story.the_clock_comes_by(59 * MINUTE)
    assert Intent.objects.filter(purpose="recharge").count() == 1
    story.the_clock_comes_by(2 * MINUTE)
    story.the_clock_comes_by(4 * HOUR)
    assert Intent.objects.filter(purpose="recharge").count() == 2
    story.the_clock_comes_by(1 * HOUR)
    assert (story.charges, story.balance, story.rule) == ([30_00, 40_00], 50, ("on", ""))
    assert [(facts["tries_left"], facts["amount"]) for facts in story.told("recharge_failed")] == [
        (3, "35.00"), (2, "40.00"),
    ]  # fmt: skip


def test_after_the_third_retry_it_is_off(story: Story) -> None:
    story.buys(30_00)
    story.agrees(20_00, 50_00)
    story.bank_says("generic_decline")
    story.uses("15")
    for after in (timedelta(), HOUR + MINUTE, 5 * HOUR, 18 * HOUR, 3 * DAY):
        story.the_clock_comes_by(after)
    assert Intent.objects.filter(purpose="recharge", state=State.FAILED).count() == 4
    assert (story.charges, story.rule) == ([30_00], ("off", "declines"))
    assert len(story.told("recharge_failed")) == 3
    assert len(story.told("recharge_paused")) == 1


def test_a_stolen_card_pauses_it_at_once(story: Story) -> None:
    story.buys(30_00)
    story.agrees(20_00, 50_00)
    story.bank_says("stolen_card")
    story.uses("15")
    for _ in range(3):
        story.the_clock_comes_by(DAY)
    assert (story.charges, story.rule) == ([30_00], ("paused", "hard_decline"))
    assert Intent.objects.filter(purpose="recharge").count() == 1
    (facts,) = story.told("recharge_paused")
    # Whoever holds the card is not told that it is known to be stolen.
    assert "stolen" not in str(facts["reason"])


def test_what_the_bank_wants_confirmed_is_finished_the_next_day(story: Story) -> None:
    story.buys(30_00)
    story.agrees(20_00, 50_00)
    story.bank_says("authentication_required", times=1)
    story.uses("15")
    story.the_clock_comes_by()
    assert story.rule == ("paused", "authentication")
    (facts,) = story.told("recharge_paused")
    assert datetime.fromisoformat(facts["link_until"]) == story.now + 72 * HOUR

    story.the_clock_comes_by(DAY)
    attempt_id = links.read_finish(facts["finish_token"], story.now)
    page = flows.finish_recharge(attempt_id, now=story.now)
    assert (page.amount_cents, page.state) == (35_00, State.WAITING)
    assert flows.finish_recharge(attempt_id, now=story.now) == page
    story.stripe.admin.pay(page.checkout_id or "")
    story.stripe_tells()
    assert (story.charges, story.balance, story.rule) == ([30_00, 35_00], 50, ("on", ""))
    with pytest.raises(finishing.NothingToFinish):
        flows.finish_recharge(attempt_id, now=story.now)

    story.uses("40")
    story.the_clock_comes_by()
    assert story.charges == [30_00, 35_00, 40_00]


def test_no_more_than_the_cap_is_charged(story: Story) -> None:
    story.buys(30_00)
    story.agrees(20_00, 50_00, cap=60_00)
    for usd in ("15", "40", "20", "5"):
        story.uses(usd)
        story.the_clock_comes_by()
    assert (story.charges, story.rule) == ([30_00, 35_00, 25_00], ("on", ""))
    assert [facts["why"] for facts in story.told("recharge_paused")] == ["cap"]


def test_a_burst_stops_it(story: Story) -> None:
    """A leaked key: each recharge is used up within minutes."""
    story.buys(30_00)
    story.agrees(20_00, 50_00)
    for _ in range(5):
        story.uses("45")
        story.the_clock_comes_by(MINUTE)
    assert story.rule == ("off", "burst")
    assert len(story.charges) == 1 + 3
    assert [facts["why"] for facts in story.told("recharge_paused")] == ["burst"]


def test_charges_of_a_day(story: Story) -> None:
    story.buys(30_00)
    story.agrees(20_00, 50_00, per_day=1)
    story.uses("15")
    story.the_clock_comes_by()
    story.uses("40")
    midnight = (story.now + DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    story.the_clock_comes_by()
    assert story.charges == [30_00, 35_00]
    story.the_clock_comes_by(midnight - story.now + MINUTE)
    assert story.charges == [30_00, 35_00, 40_00]


def test_credit_bought_while_overdrawn_is_counted(story: Story) -> None:
    """Usage overshoots; what the customer buys himself is not charged for again."""
    story.buys(30_00)
    story.agrees(20_00, 50_00)
    story.bank_says("insufficient_funds", times=1)
    story.uses("38")
    story.the_clock_comes_by()
    assert story.balance == -8
    story.buys(20_00)
    assert story.balance == 12
    # That ends the wait for the retry: what is missing now is charged, and no more.
    story.the_clock_comes_by()
    assert (story.charges, story.balance) == ([30_00, 20_00, 38_00], 50)


def test_a_dispute_switches_it_off_and_charges_nothing(story: Story) -> None:
    bought = story.buys(30_00)
    story.agrees(20_00, 50_00)
    story.stripe.admin.dispute(bought.charge_id or "")
    story.stripe_tells()
    assert story.rule == ("off", "dispute")
    story.uses("1")
    story.the_clock_comes_by()
    assert story.charges == [30_00]
    assert [facts["why"] for facts in story.told("recharge_paused")] == ["dispute"]


def test_a_link_in_a_mail_stops_it(story: Story) -> None:
    story.buys(30_00)
    story.agrees(20_00, 50_00)
    story.uses("15")
    story.the_clock_comes_by()
    (facts,) = story.told("recharge_made")
    flows.stop_recharge_by_link(facts["stop_token"], now=story.now)
    story.uses("45")
    story.the_clock_comes_by()
    assert (len(story.charges), story.rule) == (2, ("off", "link"))


def test_a_card_removed_at_stripe_pauses_it(story: Story) -> None:
    story.buys(30_00)
    story.agrees(20_00, 50_00)
    story.stripe.admin.detach(story.card.stripe_id)
    story.uses("15")
    story.the_clock_comes_by()
    assert (story.charges, story.rule) == ([30_00], ("paused", "no_card"))
