"""Credit that comes, ends and is used at the same instant."""

from datetime import timedelta
from typing import Any

import pytest

from billing import flows
from billing.ledger.models import CreditGrant
from billing.metering.models import Gateway
from billing.payments import outcomes
from billing.payments.models import State
from orgs.models import Organization
from tests.races.arena import Anomalies, Arena, Race, differs, raised
from tests.races.guards import POSTING, REFUSED, Control, uncharged
from tests.races.scenes import (
    COST,
    NOW,
    World,
    asked,
    available,
    bought,
    grant_promotional,
    moved,
    opened,
    paid,
    settling,
)

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


def ended(team: Organization, usd: str) -> CreditGrant:
    """Credit that ended an hour ago: what occurred before may still draw on it until it is expired."""
    return bought(team, usd, at=NOW - timedelta(days=365, hours=1))


@pytest.fixture
def complete(world: World) -> World:
    """The gateways have reported everything up to now, so what has ended can be expired."""
    Gateway.objects.update(last_seen_at=NOW, complete_through=NOW)
    return world


def test_two_checkouts_of_one_organization_pay_its_overdraft_once(arena: Arena, world: World) -> None:
    """Both are paid at the same moment; the debt is taken from whichever settles first."""

    def prepare(turn: int) -> Race:
        team = world.team()
        # Every other overdraft is still in open lines, which the credit posts before it pays them.
        world.overdrawn(team, events=8, posted=turn % 2 == 1)

        def wrong(answers: list[Any]) -> Anomalies:
            paid_off = asked("SELECT sum(amount) FROM transfer WHERE org_id = %s AND key LIKE 'od:%%'", team.pk)
            left = asked("SELECT balance - accrued FROM account WHERE org_id = %s AND code = 1100", team.pk)
            return [
                *raised(answers),
                *differs("paid off", paid_off, 8 * COST),
                *differs("overdraft left", left, 0),
                *differs("available", available(team), 35 - 8 * COST),
                *differs("grants", CreditGrant.objects.filter(wallet=team.pk).count(), 2),
            ]

        return Race([settling(team, 10_00), settling(team, 25_00)], wrong)

    arena.holds(prepare)
    # Both have read the whole overdraft before either pays it.
    with arena.unguarded(Control(locks=False, meet_at=POSTING)):
        arena.breaks(prepare, REFUSED)


def test_a_stale_cancellation_never_covers_a_payment(arena: Arena, world: World) -> None:
    """Somebody was told that the page is closed, somebody that nobody knows, and the webhook that it was paid."""

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = opened(team, 10_00)
        told = (outcomes.Canceled(), outcomes.Unknown(), paid(intent))

        def wrong(answers: list[Any]) -> Anomalies:
            intent.refresh_from_db()
            return [
                *raised(answers),
                *differs("state", intent.state, State.SUCCEEDED),
                *differs("available", available(team), 10),
            ]

        acts = [lambda what=what: flows.payment_outcome(intent.pk, what, now=NOW) for what in told]
        return Race(acts, wrong)

    arena.holds(prepare)
    # All three have read that the payment is open, and each writes down what it has read and heard.
    with arena.unguarded(Control(locks=False, meet_at='^UPDATE "payment_intent"')):
        arena.breaks(prepare, "cannot go from|available|state")


def test_charging_and_expiry_of_the_same_credit(arena: Arena, complete: World) -> None:
    """What occurred before the end is paid by the grant, whoever comes first, and only the rest moves to breakage."""
    world = complete

    def prepare(turn: int) -> Race:
        team = world.team()
        grant = ended(team, "5")
        assert grant.account.expires_at is not None
        world.used(world.key(team), events=4, at=grant.account.expires_at - timedelta(minutes=10))

        def wrong(answers: list[Any]) -> Anomalies:
            flows.sweep(now=NOW)
            flows.expire(now=NOW)
            return [
                *raised(answers),
                *differs("breakage", moved(team, 2000, 4900), 5 - 4 * COST),
                *differs("available", available(team), 0),
                *differs("overdraft", moved(team, 1100, 4000), 0),
            ]

        return Race([lambda: flows.sweep(now=NOW), lambda: flows.expire(now=NOW)], wrong)

    arena.holds(prepare)
    # Both have read the same rest before either moves it: expiry neither locks nor charges first.
    with arena.unguarded(Control(locks=False, meet_at=f"{POSTING}|INSERT INTO accrual ")), uncharged(1):
        arena.breaks(prepare, "account_grant_within_granted|breakage|deadlock")


def test_expiry_three_times_at_once(arena: Arena, complete: World) -> None:
    world = complete

    def prepare(turn: int) -> Race:
        team = world.team()
        ended(team, "5")
        ended(team, "7")

        def wrong(answers: list[Any]) -> Anomalies:
            return [
                *raised(answers),
                *differs("expired", sum(n for n in answers if isinstance(n, int)), 2),
                *differs("breakage", moved(team, 2000, 4900), 12),
            ]

        return Race([lambda: flows.expire(now=NOW)] * 3, wrong)

    arena.holds(prepare)
    # All have found the same two grants before any of them posts their end.
    with arena.unguarded(Control(locks=False, meet_at=POSTING)):
        arena.breaks(prepare, REFUSED)


def test_expiry_and_a_purchase(arena: Arena, complete: World) -> None:
    """Old credit ends, its late use and an overdraft are there, and new credit arrives at the same moment."""
    world = complete

    def prepare(turn: int) -> Race:
        team = world.team()
        grant = ended(team, "5")
        assert grant.account.expires_at is not None
        key = world.key(team)
        world.used(key, events=2, at=grant.account.expires_at - timedelta(minutes=10))
        world.used(key, events=3)

        def wrong(answers: list[Any]) -> Anomalies:
            flows.sweep(now=NOW)
            return [
                *raised(answers),
                *differs("breakage", moved(team, 2000, 4900), 5 - 2 * COST),
                *differs("available", available(team), 20 - 3 * COST),
            ]

        return Race([settling(team, 20_00), lambda: flows.expire(now=NOW)], wrong)

    arena.holds(prepare)
    with arena.unguarded(Control(locks=False, meet_at=POSTING)):
        arena.breaks(prepare, REFUSED)


def test_one_promotion_asked_for_four_times_at_once(arena: Arena, world: World) -> None:
    """The same key is the same credit, whoever asks and how often."""

    def prepare(turn: int) -> Race:
        team = world.team()

        def wrong(answers: list[Any]) -> Anomalies:
            grants = {grant.pk for grant in answers if isinstance(grant, CreditGrant)}
            return [
                *raised(answers),
                *differs("grants answered", len(grants), 1),
                *differs("available", available(team), 5),
            ]

        return Race([lambda: grant_promotional(team, f"welcome-{team.pk}")] * 4, wrong)

    arena.holds(prepare)
    # All have looked the key up and found nothing; then only its being unique stands in the way.
    with arena.unguarded(Control(locks=False, meet_at='^INSERT INTO "account"')):
        arena.breaks(prepare, "credit_grant_key")


def test_promotional_credit_and_a_sweep(arena: Arena, world: World) -> None:
    """Whoever comes first: what was used is paid by the credit, and no overdraft is left beside it."""

    def prepare(turn: int) -> Race:
        team = world.team()
        world.used(world.key(team), events=3)

        def wrong(answers: list[Any]) -> Anomalies:
            overdraft = asked("SELECT accrued - balance FROM account WHERE org_id = %s AND code = 1100", team.pk)
            return [
                *raised(answers),
                *differs("overdraft beside credit", overdraft, 0),
                *differs("available", available(team), 5 - 3 * COST),
            ]

        return Race(
            [lambda: grant_promotional(team, f"welcome-{team.pk}"), lambda: flows.sweep(now=NOW)], wrong
        )  # fmt: skip

    arena.holds(prepare)
    # The credit sees no overdraft yet, the sweep no credit yet: both are right, and together they are wrong.
    with arena.unguarded(Control(locks=False, meet_at=f"{POSTING}|INSERT INTO accrual ")):
        arena.breaks(prepare, "overdraft beside credit")
