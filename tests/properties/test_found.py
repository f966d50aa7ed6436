"""What the machine has found, each with the shortest history that shows it."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid5

import pytest

from billing import flows
from billing.ledger.chart import GRANT_CODES
from billing.ledger.models import Account
from billing.metering.reversing import Reversal
from billing.payments import refunds
from tests.factories import paying
from tests.properties.world import Cast, World

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world(cast: Cast) -> Iterator[World]:
    world = World(cast)
    yield world
    world.end()


def bought(world: World, cents: int) -> tuple[UUID, str]:
    """A settled purchase: ours, and its charge at Stripe."""
    intent = world.order(cents)
    charge, _ = world.pay(intent, paying.PAYS)
    world.look(intent.pk)
    return intent.pk, charge


def used(world: World, cost: str) -> None:
    world.use(Decimal(cost), world.now)
    flows.sweep(now=world.now)


def test_funds_that_go_and_come_within_a_second_leave_no_debt(world: World) -> None:
    """Their balance transactions carry one moment, and their ids no order."""
    charges = [bought(world, 10_00)[1] for _ in range(6)]
    used(world, "60")
    for charge in charges:
        dispute = world.admin.dispute(charge)["id"]
        world.admin.reinstate(dispute)
        world.look_at_dispute(dispute)
    assert world.balance().debt == 0
    assert world.books() == {"1000": 60, "4000": -60}


def test_a_refund_in_the_dashboard_leaves_the_fraction_of_a_cent(world: World) -> None:
    _, charge = bought(world, 20_00)
    used(world, "3.333333333333")
    world.look_at_refund(world.admin.refund(charge)["id"])
    assert world.balance().available == Decimal("0.006666666667")
    assert world.books()["4810"] == Decimal("3.34")


def test_credit_for_use_taken_back_pays_a_debt_as_all_new_credit_does(world: World) -> None:
    """What paid for it is held by the dispute, so it comes back as a correction grant."""
    _, charge = bought(world, 20_00)
    event = world.use(Decimal(20), world.now)
    flows.sweep(now=world.now)
    world.look_at_dispute(world.admin.dispute(charge)["id"])
    assert (world.balance().debt, world.refusal()) == (20, "payment_disputed")
    flows.reverse_usage(Reversal(uuid5(event, "back"), event, "a test", world.cast.gateway.pk), now=world.now)
    assert (world.balance().debt, world.balance().available) == (0, 0)
    assert world.differences() == []


def test_a_refund_does_not_change_what_was_drawn_last(world: World) -> None:
    """Promotional credit paid first, then a trace of the paid credit. Of that most is refunded; an event is taken back."""
    flows.grant_promotional(
        world.org_id, Decimal(10), key="gift", title="Promotion", expires_at=world.now + timedelta(hours=1),
        reason="a gift", issued_by=None, now=world.now,
    )  # fmt: skip
    intent_id, _ = bought(world, 7_01)
    events = [world.use(Decimal("3.333333333335"), world.now) for _ in range(3)]
    flows.sweep(now=world.now)
    world.refund(intent_id, 7_00, uuid5(intent_id, "refund"))
    flows.reverse_usage(Reversal(uuid5(events[0], "back"), events[0], "a test", world.cast.gateway.pk), now=world.now)
    rests = Account.objects.filter(wallet_id=world.org_id, code__in=GRANT_CODES).order_by("code")
    assert [grant.rest for grant in rests] == [Decimal("0.01"), Decimal("3.33333333333")]


def test_no_more_is_refunded_than_was_paid(world: World) -> None:
    """Use was taken back and its debt was paid meanwhile: when the refund fails, 8 dollars of credit come of these 5."""
    intent_id, charge = bought(world, 5_00)
    event = world.use(Decimal(3), world.now)
    flows.sweep(now=world.now)
    refund = world.admin.refund(charge, reason="fraudulent")["id"]
    world.look_at_refund(refund)
    flows.reverse_usage(Reversal(uuid5(event, "back"), event, "a test", world.cast.gateway.pk), now=world.now)
    bought(world, 5_00)
    world.admin.fail_refund(refund)
    world.look_at_refund(refund)
    assert world.balance().available == 10
    assert refunds.refundable(intent_id, now=world.now) == 5
    with pytest.raises(refunds.RefundRefused, match=r"Only \$5\.00"):
        world.refund(intent_id, 5_01, uuid5(intent_id, "too much"))
    assert world.refund(intent_id, 5_00, uuid5(intent_id, "all")).state == "succeeded"
