"""The machine finds what it is there to find: each bug planted here is seen within a bounded number of examples."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from billing.coverage.models import Payer
from billing.ledger import burndown, takebacks
from billing.metering import standing
from billing.money import ZERO, cents_up
from billing.payments import refunds
from billing.subscriptions import cover
from tests import figures as counted
from tests.figures import Record
from tests.properties import driving
from tests.properties.world import Cast

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

EXAMPLES = 60
"""At most so many, of 50 steps each; most bugs are found within five."""

Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]


def burn_down_by_age(patch: Patch) -> None:
    patch.setattr(burndown, "in_order", lambda sources: sorted(sources, key=lambda source: source.account_id))


def paid_before_promotional(patch: Patch) -> None:
    def in_order(sources: Any) -> Any:
        return sorted(sources, key=lambda source: (source.expires_at, source.promotional, source.account_id))

    patch.setattr(burndown, "in_order", in_order)


def an_ended_grant_pays_for_later_use(patch: Patch) -> None:
    patch.setattr(burndown, "_payable", lambda queue, left, minute: (n for n in range(len(queue)) if left[n] > ZERO))


def refunds_are_rounded_up(patch: Patch) -> None:
    patch.setattr(refunds, "cents_down", cents_up)


def a_hold_is_never_released(patch: Patch) -> None:
    patch.setattr(takebacks, "release", lambda payment, *, now: None)


def a_released_grant_gets_no_time_back(patch: Patch) -> None:
    patch.setattr(takebacks, "_prolong", lambda grant, away: None)


def use_under_a_plan_is_paid(patch: Patch) -> None:
    who_pays = standing.who_pays

    def paid(base: standing.Base, *about: Any) -> Any:
        payer, coverage = who_pays(base, *about)
        return (Payer.CREDITS, None) if payer == Payer.SUBSCRIPTION else (payer, coverage)

    patch.setattr(standing, "who_pays", paid)


def a_canceled_plan_is_dated_on(patch: Patch) -> None:
    """Beyond the end of its period, as if it were going to be renewed."""
    planned = cover.planned
    patch.setattr(cover, "planned", lambda terms, *, now: planned(replace(terms, next_plan=terms.plan), now=now))


BUGS: tuple[Plant, ...] = (
    a_canceled_plan_is_dated_on,
    a_hold_is_never_released,
    burn_down_by_age,
    an_ended_grant_pays_for_later_use,
    paid_before_promotional,
    refunds_are_rounded_up,
    a_released_grant_gets_no_time_back,
    use_under_a_plan_is_paid,
)
ALWAYS = 2
"""So many of them, which are found soon, are planted in `make test` too."""


@pytest.mark.parametrize("plant", BUGS[: counted.of(ALWAYS, full=len(BUGS))], ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Plant, cast: Cast, monkeypatch: Patch, figures: Record) -> None:
    plant(monkeypatch)
    found = driving.first_difference(cast, examples=EXAMPLES)
    assert found is not None, f"{plant.__name__} was not noticed"
    figures("state_machine", planted=1, found=1)
