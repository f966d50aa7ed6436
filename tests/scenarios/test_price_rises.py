"""A plan becomes dearer: nobody pays more than he was told of 30 days ahead, and what was told is what is charged (A32)."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing import flows
from billing.catalog.models import Plan
from billing.graphs import timeline
from billing.graphs.timeline import Kind
from billing.notices.models import Notice
from billing.subscriptions.models import PriceRise
from tests.scenarios.plan_life import DAY, HOUR, MINUTE, Life

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2027, 1, 31, 10, 0, 30, tzinfo=UTC)
ENDS = [
    datetime(2027, month, day, 10, 0, 30, tzinfo=UTC) for month, day in ((2, 28), (3, 31), (4, 30), (5, 31), (6, 30))
]


def subscribed(life: Life, slug: str = "code-pro") -> None:
    life.buys("10", START - DAY)
    life.chooses(slug, START)


def costs(slug: str, usd: int, life: Life, at: datetime) -> int:
    """From now on; the clock comes by and tells. Answers how many were told."""
    Plan.objects.filter(slug=slug).update(price_usd=Decimal(usd))
    return flows.tell_price_rises(now=life.now(at))


def told() -> list[tuple[str, str]]:
    rises = Notice.objects.filter(kind="plan_changed", facts__what="price").order_by("pk")
    return [(notice.facts["amount"], notice.facts["at"]) for notice in rises]


def test_it_is_told_of_and_paid_from_the_first_renewal_after_thirty_days(life: Life) -> None:
    """Told on 5 February: the renewal of 28 February is too near, that of 31 March is the first."""
    subscribed(life)
    assert [costs("code-pro", 60, life, START + 5 * DAY), flows.tell_price_rises(now=START + 6 * DAY)] == [1, 0]
    assert told() == [("60.00", ENDS[1].isoformat())]
    foretold = [
        (one.at, one.charge) for one in timeline.of(life.acme.pk, now=START + 6 * DAY).items if one.kind is Kind.RENEWAL
    ]
    for end in ENDS[:3]:
        life.clock(end + MINUTE)
    assert life.charges == [10_00, 50_00, 50_00, 60_00, 60_00]
    assert foretold[:3] == [(ENDS[0], 50), (ENDS[1], 60), (ENDS[2], 60)]


def test_nobody_was_told_and_the_renewal_costs_what_it_did(life: Life) -> None:
    """The clock did not come by in time: nothing is charged that was not told of."""
    subscribed(life)
    Plan.objects.filter(slug="code-pro").update(price_usd=60)
    life.clock(ENDS[0] + MINUTE)
    assert life.charges[-1] == 50_00
    assert costs("code-pro", 60, life, ENDS[0] + HOUR) == 1
    assert told() == [("60.00", ENDS[1].isoformat())]
    life.clock(ENDS[1] + MINUTE)
    assert life.charges[-1] == 60_00


def test_exactly_thirty_days_are_enough_and_a_second_less_is_not(life: Life) -> None:
    subscribed(life)
    life.clock(ENDS[0] + MINUTE)
    costs("code-pro", 60, life, ENDS[1] - 30 * DAY)
    costs("code-pro", 70, life, ENDS[2] - 30 * DAY + MINUTE)
    assert told() == [("60.00", ENDS[1].isoformat()), ("70.00", ENDS[3].isoformat())]
    for end in ENDS[1:4]:
        life.clock(end + MINUTE)
    assert life.charges[-3:] == [60_00, 60_00, 70_00]


def test_a_rise_that_is_taken_back_is_never_paid_and_has_to_be_told_of_again(life: Life) -> None:
    subscribed(life)
    costs("code-pro", 60, life, START + DAY)
    Plan.objects.filter(slug="code-pro").update(price_usd=45)
    for end in ENDS[:2]:
        life.clock(end + MINUTE)
    assert life.charges[-2:] == [45_00, 45_00]
    assert costs("code-pro", 60, life, ENDS[1] + DAY) == 1
    life.clock(ENDS[2] + MINUTE)
    assert life.charges[-1] == 45_00, "the notice of long ago is over"
    life.clock(ENDS[3] + MINUTE)
    assert (life.charges[-1], told()[-1]) == (60_00, ("60.00", ENDS[3].isoformat()))


def test_a_plan_that_was_chosen_for_later_costs_what_was_shown(life: Life) -> None:
    """He chose Code Pro at 50.00. That it costs 60.00 by then is another rise, told of when he has it."""
    subscribed(life, "code-max")
    pro = Plan.objects.get(slug="code-pro")
    flows.schedule_plan(life.acme.pk, life.id, pro.pk, by=life.alice.pk, now=START + DAY)
    assert costs("code-pro", 60, life, START + 2 * DAY) == 0
    foretold = [one.charge for one in timeline.of(life.acme.pk, now=START + 3 * DAY).items if one.kind is Kind.RENEWAL]
    assert foretold[:2] == [50, 50]
    life.clock(ENDS[0] + MINUTE)
    assert life.charges[-1] == 50_00
    assert flows.tell_price_rises(now=ENDS[0] + HOUR) == 1
    for end in ENDS[1:3]:
        life.clock(end + MINUTE)
    assert life.charges[-2:] == [60_00, 60_00]


def test_who_leaves_is_not_told_and_who_stays_after_all_is(life: Life) -> None:
    subscribed(life)
    flows.cancel_plan(life.acme.pk, life.id, by=life.alice.pk, now=START + DAY)
    assert costs("code-pro", 60, life, START + 2 * DAY) == 0
    flows.withdraw_change(life.acme.pk, life.id, by=life.alice.pk, now=START + 3 * DAY)
    assert flows.tell_price_rises(now=START + 4 * DAY) == 1


def test_a_declined_renewal_is_tried_again_at_the_price_that_was_told(life: Life) -> None:
    subscribed(life)
    costs("code-pro", 60, life, START + DAY)
    life.clock(ENDS[0] + MINUTE)
    life.bank_says("insufficient_funds", times=1)
    life.clock(ENDS[1] + MINUTE)
    Plan.objects.filter(slug="code-pro").update(price_usd=80)
    life.clock(ENDS[1] + DAY + MINUTE)
    assert life.charges[-1] == 60_00
    assert PriceRise.objects.count() == 1
