"""All 120 orders of five events end alike, told as early as can be or when all is over, one of them twice.

`make money` tells each story in all its orders as early as can be, and every fifth of them when all is over; `make test`
tells the dispute in every fifth order and the others in a few.
"""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from time_machine import Traveller

from billing import flows
from billing.payments import gateway, outcomes
from billing.webhooks import stripe as webhooks
from orgs.models import Organization, User
from tests import figures as counted
from tests import verified
from tests.faults import orders
from tests.faults.orders import DISPUTE, GIVEN_UP, STORIES, Scene, Story

pytestmark = [pytest.mark.money, pytest.mark.django_db]

ORDERS = list(itertools.permutations(range(5)))
IN_ORDER = ORDERS[0]
VERIFIED = 12
"""After every so many orders the books are verified too."""


@pytest.fixture
def scene(
    settings: Any, clock: Traveller, acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    with orders.in_process(settings, monkeypatch) as sandbox:
        yield Scene(sandbox, clock, acme, alice)


def different(scene: Scene, story: Story, told: list[tuple[int, ...]], *, early: bool) -> dict[tuple[int, ...], Any]:
    """The orders that end otherwise than Stripe's own, and what is otherwise."""
    story.before(scene)
    ends = {}
    for number, order in enumerate([IN_ORDER, *told]):
        with scene.undone():
            orders.tell(scene, story, order, early=early)
            ends[order] = orders.ended(scene)
            if number % VERIFIED == 0:
                assert verified.differences(now=datetime.now(UTC)) == [], order
    should = ends[IN_ORDER]
    return {
        order: {what: (end[what], should[what]) for what in end if end[what] != should[what]}
        for order, end in ends.items()
        if end != should
    }


@pytest.mark.parametrize("early", [True, False], ids=["as early as can be", "when all is over"])
@pytest.mark.parametrize("story", STORIES, ids=str)
def test_in_whatever_order_five_events_are_told(
    scene: Scene, story: Story, early: bool, figures: counted.Record
) -> None:
    reduced = 12 if story is DISPUTE and early else 60
    told = ORDERS[:: counted.of(reduced, full=1 if early else 5)]
    assert different(scene, story, told, early=early) == {}
    figures("event_orders", orders=len(told), different=0)


def test_taken_and_given_back_within_a_second(scene: Scene) -> None:
    """Whatever the two balance transactions are called: nothing comes back that was not taken before."""
    scene.bought()
    scene.sandbox.admin.dispute(scene.charge)
    scene.sandbox.admin.win(scene.of("dispute"))
    told = gateway.read_dispute(scene.of("dispute"))
    taken, given = told.movements
    assert taken.created == given.created
    swapped = (replace(given, id="txn_a"), replace(taken, id="txn_b"))
    flows.dispute_told(replace(told, movements=swapped), now=datetime.now(UTC))
    end = orders.ended(scene)
    assert (end["grants"], end["ledger"]) == ([("50.00", "50.00", False)], {1000: "-50.00", 2000: "50.00"})


def test_the_comparison_finds_whoever_believes_an_event(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a handler that takes a decline from the event itself ends differently in some orders."""

    def trusting(told: dict[str, Any], now: datetime) -> bool:
        code = str((told["last_payment_error"] or {}).get("code"))
        said = outcomes.Declined(code) if told["status"] == "requires_payment_method" else outcomes.Canceled()
        return flows.payment_outcome(UUID(told["metadata"]["purser_intent"]), said, now=now) is not None

    monkeypatch.setitem(webhooks.MEANS, "payment_intent.payment_failed", trusting)
    assert different(scene, GIVEN_UP, ORDERS[7::20], early=False)
