"""Stories of what Stripe tells of money that goes back: doubled, in any order, late, or never."""

import itertools
import random
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from billing import flows, tasks
from billing.ledger import balances
from billing.ledger.models import Transfer
from billing.payments import disputes, refunds
from billing.payments.models import Dispute, Refund, RefundState
from billing.webhooks import inbox
from billing.webhooks.models import InboxEvent, InboxState
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.factories import orgs as people
from tests.factories.paying import begin, events, pay, post, tell

pytestmark = pytest.mark.django_db(transaction=True)


def work() -> None:
    inbox.process(now=timezone.now())


def told_since(stripe: Running, before: set[str]) -> list[dict[str, Any]]:
    return [event for event in events(stripe) if event["id"] not in before]


def seen(stripe: Running) -> set[str]:
    return {event["id"] for event in events(stripe)}


def deliver(told: Sequence[dict[str, Any]]) -> None:
    for event in told:
        assert post(event).status_code == 200
        work()


def some_orders(count: int) -> list[tuple[int, ...]]:
    """Six of them, the same ones each time."""
    return random.Random(count).sample([*itertools.permutations(range(count))], 6)


def available(org: Organization) -> Decimal:
    return balances.of(org.pk, now=timezone.now()).available


def test_a_dashboard_refund_and_its_failure_in_another_order_end_alike(
    stripe: Running, acme: Organization, alice: User
) -> None:
    """`refund.created`, `charge.refunded`, `refund.failed`, `refund.updated`: some orders, each of another refund.

    Over HTTP as Stripe tells them; all orders are told in `tests/faults/test_orders.py`.
    """
    paid = pay(stripe, acme, alice)
    for number, places in enumerate(some_orders(4), start=1):
        before = seen(stripe)
        made = stripe.admin.refund(paid.charge_id or "", amount=10_00)
        stripe.admin.fail_refund(made["id"])
        told = told_since(stripe, before)
        kinds = [event["type"] for event in told]
        assert kinds == [
            "refund.created",
            "charge.refunded",
            "refund.failed",
            "refund.updated",
            "charge.refund.updated",
        ]
        deliver([told[place] for place in places])
        refund = Refund.objects.get(provider_id=made["id"])
        assert (refund.state, refund.needs_review) == (RefundState.FAILED, True), places
        assert (Refund.objects.count(), available(acme)) == (number, 100), places
    assert not InboxEvent.objects.exclude(state=InboxState.DONE).exists()


def test_a_dashboard_refund_told_step_by_step_and_five_times_over(
    stripe: Running, acme: Organization, alice: User
) -> None:
    paid = pay(stripe, acme, alice)
    made = stripe.admin.refund(paid.charge_id or "", amount=10_00)
    tell(stripe, times=5)
    work()
    assert available(acme) == 90
    stripe.admin.fail_refund(made["id"])
    tell(stripe, times=5)
    work()
    keys = Transfer.objects.filter(cause_kind="refund").order_by("id").values_list("key", flat=True)
    assert [key.split(":", 2)[2] for key in keys] == ["hold", "done", "undone", "back:hold"]
    assert available(acme) == 100


def test_the_webhooks_of_a_staff_refund_find_it_done(stripe: Running, acme: Organization, alice: User) -> None:
    paid = pay(stripe, acme, alice)
    order = refunds.Order(acme.pk, paid.pk, 10_00, "Bought twice", uuid4(), alice.pk)
    flows.refund(order, now=timezone.now())
    tell(stripe, times=2)
    work()
    assert (Refund.objects.get().state, available(acme)) == (RefundState.SUCCEEDED, 90)


@pytest.mark.parametrize("won", [True, False])
def test_a_dispute_in_another_order_ends_alike(stripe: Running, alice: User, won: bool) -> None:
    """Created, funds withdrawn, closed (and reinstated): some orders, each of another organization's payment."""
    count = 4 if won else 3
    for places in some_orders(count):
        team = people.team(alice, f"Team {''.join(map(str, places))}")
        paid = pay(stripe, team, alice, 20_00)
        before = seen(stripe)
        opened = stripe.admin.dispute(paid.charge_id or "")
        (stripe.admin.win if won else stripe.admin.lose)(opened["id"])
        told = told_since(stripe, before)
        assert len(told) == count
        deliver([told[place] for place in places])
        dispute = Dispute.objects.get(provider_id=opened["id"])
        assert (dispute.status, dispute.closed_at is None) == ("won" if won else "lost", False), places
        assert available(team) == (20 if won else 0), places


def test_each_step_is_told_as_it_happens(stripe: Running, acme: Organization, alice: User) -> None:
    paid = pay(stripe, acme, alice)
    opened = stripe.admin.dispute(paid.charge_id or "", inquiry=True)
    steps = (
        ("charge.dispute.created", lambda: None, 0, True),
        ("charge.dispute.updated", lambda: stripe.admin.escalate(opened["id"], withdraw=False), 0, True),
        ("charge.dispute.funds_withdrawn", lambda: stripe.admin.withdraw(opened["id"]), 0, True),
        ("charge.dispute.closed", lambda: stripe.admin.win(opened["id"], reinstate=False), 0, False),
        ("charge.dispute.funds_reinstated", lambda: stripe.admin.reinstate(opened["id"]), 100, False),
    )
    for kind, act, left, is_open in steps:
        act()
        assert tell(stripe, kind) == 1
        work()
        assert (available(acme), disputes.open_for(acme.pk)) == (left, is_open), kind


def test_news_of_a_payment_we_never_heard_of_bring_it_in_first(
    stripe: Running, acme: Organization, alice: User
) -> None:
    intent = begin(acme, alice)
    paid = stripe.admin.pay(intent.checkout_id or "")
    assert paid["result"] == "paid"
    charge = stripe.admin.books()["charges"][0]["id"]
    stripe.admin.dispute(charge)
    tell(stripe, "charge.dispute.created")
    work()
    intent.refresh_from_db()
    assert (intent.state, intent.charge_id, available(acme)) == ("succeeded", charge, 0)
    tell(stripe)
    work()
    assert available(acme) == 0


def test_what_is_not_ours_is_marked(stripe: Running, acme: Organization, alice: User) -> None:
    """A charge of another shop on the same account: found by Stripe, unknown here."""
    paid = pay(stripe, acme, alice)
    theirs = stripe.sandbox.world.books.get("charge", paid.charge_id or "")
    assert theirs is not None
    stripe.sandbox.world.books.add("charge", theirs | {"id": "ch_theirs", "payment_intent": None})
    made, opened = stripe.admin.refund("ch_theirs", amount=1_00), stripe.admin.dispute("ch_theirs")
    for kind in ("refund.created", "charge.refunded", "charge.dispute.created"):
        tell(stripe, kind)
    work()
    assert set(InboxEvent.objects.values_list("state", flat=True)) == {InboxState.IGNORED}
    assert (made["charge"], opened["charge"], available(acme)) == ("ch_theirs", "ch_theirs", 100)
    assert not Refund.objects.exists()
    assert not Dispute.objects.exists()


@pytest.mark.parametrize("fault", ["timeout", "reset", "error", "rate_limit"])
def test_news_are_tried_again_when_stripe_cannot_be_asked(
    stripe: Running, settings: Any, acme: Organization, alice: User, fault: str
) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.3
    paid = pay(stripe, acme, alice)
    stripe.admin.dispute(paid.charge_id or "")
    stripe.admin.fault(fault, method="GET", path="/v1/disputes/*", seconds=1)
    tell(stripe, "charge.dispute.created")
    work()
    assert InboxEvent.objects.get().state == InboxState.NEW
    inbox.process(now=timezone.now() + timedelta(seconds=16))
    assert (InboxEvent.objects.get().state, available(acme)) == (InboxState.DONE, 0)


def test_when_no_webhook_comes_the_clock_asks(stripe: Running, acme: Organization, alice: User) -> None:
    """Both are known here and open; everything that happens next is only seen by asking."""
    paid = pay(stripe, acme, alice, 200_00, card="4000000000007726")
    order = refunds.Order(acme.pk, paid.pk, 10_00, "Bought twice", uuid4(), alice.pk)
    made = flows.refund(order, now=timezone.now())
    opened = stripe.admin.dispute(paid.charge_id or "", amount=50_00)
    tell(stripe, "charge.dispute.created")
    work()
    stripe.admin.advance(1)
    stripe.admin.lose(opened["id"])
    tasks.poll_reversals()
    made.refresh_from_db()
    assert (made.state, disputes.open_for(acme.pk)) == (RefundState.PENDING, True)
    an_hour_ago = timezone.now() - timedelta(minutes=61)
    Refund.objects.update(created_at=an_hour_ago, checked_at=an_hour_ago)
    Dispute.objects.update(created_at=an_hour_ago, checked_at=an_hour_ago)
    tasks.poll_reversals()
    made.refresh_from_db()
    assert (made.state, disputes.open_for(acme.pk)) == (RefundState.SUCCEEDED, False)
    assert available(acme) == 140
