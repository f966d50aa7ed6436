"""Months that are closed and collected at the same instant as money comes, goes and is closed by somebody else."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest
from django.db import transaction

from billing import flows
from billing.ledger import wallets
from billing.metering import partitions
from billing.metering.models import Gateway
from billing.payments import card_charges, outcomes
from billing.payments.models import OFF_SESSION, Intent, PaymentMethod
from billing.recharge import recharging, rules, working
from billing.settlement import closing, dunning
from billing.settlement.models import Settlement
from orgs.models import Organization
from tests.factories import cards
from tests.races.arena import Anomalies, Arena, Race, differs, raised
from tests.races.guards import POSTING, REFUSED, Control, uncharged
from tests.races.scenes import COST, NOW, World, asked, available, bought, grant_promotional, moved, opened, paid

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

APRIL = datetime(2026, 4, 1, 0, 6, tzinfo=UTC)
MARCH, MARCH_ENDS = date(2026, 3, 1), datetime(2026, 4, 1, tzinfo=UTC)
WRITTEN_DOWN = 'INSERT INTO "payment_intent"'
TWICE = "stays closed|settlement_once|payment_intent_key|payment_intent_one_off_session"


@pytest.fixture
def complete(world: World) -> World:
    """March is over, and the gateways have reported everything of it."""
    Gateway.objects.update(last_seen_at=APRIL, complete_through=APRIL)
    partitions.make(APRIL)
    return world


def overdrawn(world: World, events: int) -> Organization:
    """Bought 5.00 once, saved the card, and used so many events more."""
    team = world.team()
    bought(team, "5")
    cards.saved(team)
    world.used(world.key(team), events=events)
    flows.sweep(now=NOW)
    return team


def close() -> int:
    return flows.settle_periods(now=APRIL)


def collecting(due: dunning.Due) -> Callable[[], tuple[bool, Decimal]]:
    """Somebody collects: was a charge written down, and what was owed just before the commit?"""

    def act() -> tuple[bool, Decimal]:
        with transaction.atomic():
            wallets.lock([due.org_id])
            recharged = due.org_id in working.among([due.org_id], now=APRIL)
            begun = dunning.begin(due.id, recharging=recharged, now=APRIL) is not None
            return begun, dunning.overdraft(due.org_id)

    return act


def charges(team: Organization) -> list[Intent]:
    return list(Intent.objects.filter(wallet=team.pk, purpose__in=OFF_SESSION))


def settlements(team: Organization) -> int:
    return Settlement.objects.filter(wallet=team.pk).count()


def test_a_month_is_closed_by_two_at_once(arena: Arena, complete: World) -> None:
    """Once, by one of them; the other leaves the organization alone, and does not run into it."""
    refused = mock.Mock()

    def prepare(turn: int) -> Race:
        team = overdrawn(complete, events=60)
        # In every other round the month's usage is posted already.
        if turn % 2:
            flows.sweep(now=APRIL)
        refused.reset_mock()
        owed = 60 * COST - 5

        def wrong(answers: list[Any]) -> Anomalies:
            return [
                *raised(answers),
                *differs("refused", [call.args for call in refused.exception.call_args_list], []),
                *differs("settlements", settlements(team), 1),
                *differs("written off", moved(team, 6010, 1100), owed - 10),
                *differs("usage", moved(team, 2000, 4000) + moved(team, 1100, 4000), 60 * COST),
            ]

        return Race([close, close], wrong)

    with mock.patch.object(closing, "log", refused):
        arena.holds(prepare)
        # Both have read that the month is open and what it owes, and write it off: the database refuses the second.
        with arena.unguarded(Control(locks=False, meet_at=POSTING)):
            arena.breaks(prepare, "refused: .*organization_not_settled")


def test_usage_is_charged_while_its_month_is_closed(arena: Arena, complete: World) -> None:
    """What was accepted in time is in its month, whoever charges it."""

    def prepare(turn: int) -> Race:
        team = overdrawn(complete, events=20)
        complete.used(complete.key(team), events=2)

        def wrong(answers: list[Any]) -> Anomalies:
            close()
            late = asked(
                "SELECT count(*) FROM transfer WHERE org_id = %s AND reason = 'usage' AND period > '2026-03-01'",
                team.pk,
            )
            return [
                *raised(answers),
                *differs("usage in a later month", late, 0),
                *differs("usage", moved(team, 2000, 4000) + moved(team, 1100, 4000), 22 * COST),
                *differs("settlements", settlements(team), 1),
            ]

        return Race([close, lambda: flows.sweep(now=APRIL)], wrong)

    arena.holds(prepare)

    def blind(turn: int) -> Race:
        """The month is closed, and then comes the sweep."""
        race = prepare(turn)
        return Race([lambda: (close(), flows.sweep(now=APRIL))], race.wrong)

    # Whoever closes does not charge what waits: it is late then.
    with uncharged(0), arena.unguarded():
        arena.breaks(blind, "usage in a later month|usage: ")


def test_credit_comes_while_a_month_is_closed(arena: Arena, complete: World) -> None:
    """It pays all that is owed; or what is beyond the ceiling was written off before. Never both."""

    def prepare(turn: int) -> Race:
        team = overdrawn(complete, events=60)
        owed = 60 * COST - 5

        def wrong(answers: list[Any]) -> Anomalies:
            close()
            written_off = moved(team, 6010, 1100)
            return [
                *raised(answers),
                *differs("written off", written_off in (0, owed - 10), True),
                *differs("available", available(team, APRIL), 30 - owed + written_off),
                *differs("settlements", settlements(team), 1),
            ]

        def grant() -> object:
            return grant_promotional(team, f"settled {team.pk}", "30")

        return Race([close, grant], wrong)

    arena.holds(prepare)
    # Both have read the whole overdraft, and each lets go of it or pays it.
    with arena.unguarded(Control(locks=False, meet_at=POSTING)):
        arena.breaks(prepare, f"{REFUSED}|{TWICE}|written off|available|account_debt_not_positive")


def test_a_settlement_is_collected_by_two_at_once(arena: Arena, complete: World) -> None:
    """One charge, however many come for it."""
    said: list[Any] = []

    def charge(intent_id: Any, *, now: datetime) -> Any:
        said.append(intent_id)
        return paid(Intent.objects.get(pk=intent_id))

    def prepare(turn: int) -> Race:
        team = overdrawn(complete, events=20)
        close()
        due = dunning.Due(Settlement.objects.get(wallet=team.pk).pk, team.pk)
        owed = (20 * COST - 5).quantize(Decimal("0.01"))
        said.clear()

        def wrong(answers: list[Any]) -> Anomalies:
            return [
                *raised(answers),
                *differs("charges", len(said), 1),
                *differs("paid", moved(team, 1000, 1100) + moved(team, 1000, 2000) - 5, owed),
                *differs("tries", Settlement.objects.get(wallet=team.pk).tries, 1),
            ]

        return Race([lambda: flows.collect_settlement(due, now=APRIL)] * 2, wrong)

    with mock.patch.object(card_charges, "charge", charge):
        arena.holds(prepare)
        # Both have read that the charge is due.
        with arena.unguarded(Control(locks=False, meet_at='INSERT INTO "payment_intent"')):
            arena.breaks(prepare, f"{TWICE}|charges")


def test_a_settlement_is_not_charged_after_a_purchase_has_paid_it(arena: Arena, complete: World) -> None:
    """A purchase that was given up is paid after all, at the moment when the month's end is to be charged."""

    def prepare(turn: int) -> Race:
        team = overdrawn(complete, events=20)
        close()
        due = dunning.Due(Settlement.objects.get(wallet=team.pk).pk, team.pk)
        owed = 20 * COST - 5
        intent = opened(team, 30_00)
        flows.payment_outcome(intent.pk, outcomes.Canceled(), now=NOW)

        def purchase() -> None:
            flows.payment_outcome(intent.pk, paid(intent), now=APRIL)
            # In the control: before the charge that was decided on is written down.
            arena.meet("statement")

        def wrong(answers: list[Any]) -> Anomalies:
            begun, seen = answers[0] if isinstance(answers[0], tuple) else (False, None)
            return [
                *raised(answers),
                *(differs("owed when it was charged", seen, owed) if begun else []),
                *differs("available", available(team, APRIL), 30 - owed),
                *differs("charges", len(charges(team)), int(begun)),
            ]

        return Race([collecting(due), purchase], wrong)

    arena.holds(prepare)
    # It was decided on before; that a month which is paid stays paid is the last line of defence.
    with arena.unguarded(Control(locks=False, meet_at=WRITTEN_DOWN)):
        arena.breaks(prepare, "owed when it was charged|is settled")


def test_a_settlement_and_a_recharge_do_not_charge_one_debt_twice(arena: Arena, complete: World) -> None:
    """Auto-recharge is switched on while the month's end is collected: one charge without the customer at a time (A9)."""

    def prepare(turn: int) -> Race:
        team = overdrawn(complete, events=20)
        close()
        settlement = Settlement.objects.get(wallet=team.pk)
        card = PaymentMethod.objects.get(wallet=team.pk)

        def switch_on() -> bool:
            with transaction.atomic():
                wallets.lock([team.pk])
                rules.switch_on(team.pk, rules.Wish(5_00, 20_00, card.pk), by=complete.alice.pk, now=APRIL)
                return recharging.begin(team.pk, now=APRIL) is not None

        def wrong(answers: list[Any]) -> Anomalies:
            begun = [answer is True or (isinstance(answer, tuple) and answer[0]) for answer in answers]
            return [
                *raised(answers),
                *differs("charges begun", sum(begun), 1),
                *differs("charges", len(charges(team)), 1),
            ]

        return Race([collecting(dunning.Due(settlement.pk, team.pk)), switch_on], wrong)

    arena.holds(prepare, verify=False)  # an attempt that nobody has sent off yet
    # Both have read that nothing is on its way: the index lets one of them through.
    with arena.unguarded(Control(locks=False, meet_at=WRITTEN_DOWN)):
        arena.breaks(prepare, "payment_intent_one_off_session")


def test_credit_ends_while_its_month_is_closed(arena: Arena, complete: World) -> None:
    """What it paid for was used before its end; the rest moves to breakage once, in that month."""
    refused = mock.Mock()

    def prepare(turn: int) -> Race:
        team = complete.team()
        grant = bought(team, "5", at=MARCH_ENDS - timedelta(days=365, hours=1))
        flows.settle_periods(now=NOW)
        complete.used(complete.key(team), events=4, at=MARCH_ENDS - timedelta(hours=1, minutes=10), now=APRIL)
        # In every other round its use is charged already.
        if turn % 2:
            flows.sweep(now=APRIL)
        refused.reset_mock()

        def wrong(answers: list[Any]) -> Anomalies:
            close()
            assert grant.account.expires_at == MARCH_ENDS - timedelta(hours=1)
            later = asked("SELECT count(*) FROM transfer WHERE org_id = %s AND period > '2026-03-01'", team.pk)
            return [
                *raised(answers),
                *differs("refused", [call.args for call in refused.exception.call_args_list], []),
                *differs("breakage", moved(team, 2000, 4900), 5 - 4 * COST),
                *differs("usage", moved(team, 2000, 4000), 4 * COST),
                *differs("in a later month", later, 0),
                *differs("settlements", Settlement.objects.filter(wallet=team.pk, period=MARCH).count(), 1),
            ]

        return Race([close, lambda: flows.expire(now=APRIL)], wrong)

    with mock.patch.object(closing, "log", refused):
        arena.holds(prepare)
        # Both have read the same rest.
        with arena.unguarded(Control(locks=False, meet_at=POSTING)):
            arena.breaks(prepare, f"refused: .*organization_not_settled|{REFUSED}")
