"""Contracts that are accepted, begun, charged and closed at the same instant by more than one."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any
from unittest import mock

import pytest

from billing import flows
from billing.contracts import agreement, drawdown, signing
from billing.contracts.models import Acceptance, Contract
from billing.contracts.monthly import ContractDue, ContractMonth
from billing.flows import contracting
from billing.metering.models import Gateway
from billing.payments.models import Intent
from billing.settlement import closing
from orgs.models import Organization
from tests.factories import cards, contracts
from tests.races.arena import Anomalies, Arena, Race, differs, raised
from tests.races.crew import here
from tests.races.guards import POSTING, REFUSED, Control
from tests.races.scenes import NOW, World, moved

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

BEFORE = datetime(2026, 2, 20, 9, 0, tzinfo=UTC)
FIRST = datetime(2026, 4, 1, 0, 1, tzinfo=UTC)


def offered(world: World) -> tuple[Organization, Contract]:
    """For April, with a card that can be charged."""
    team = world.team()
    cards.saved(team)
    return team, contracts.offered(team, world.alice, now=BEFORE, starts_on=date(2026, 4, 1))


def accepted(world: World) -> tuple[Organization, Contract]:
    team, contract = offered(world)
    contracts.signed(contract, world.alice, now=BEFORE)
    return team, contract


def test_a_contract_is_accepted_by_two_owners_at_once(arena: Arena, world: World) -> None:
    """One of them did it; the other finds it done, and is told the same."""

    def prepare(turn: int) -> Race:
        _, contract = offered(world)
        digest = agreement.digest(signing.text(contract)).hex()

        def accept() -> str:
            return flows.accept_contract(contract, by=world.alice.pk, name="Alice Archer", digest=digest, now=NOW).state

        def wrong(answers: list[Any]) -> Anomalies:
            return [
                *raised(answers),
                *differs("acceptances", Acceptance.objects.filter(contract=contract).count(), 1),
                *differs("states", set(answers), {"accepted"}),
            ]

        return Race([accept] * 2, wrong)

    arena.holds(prepare)
    # Both have read that it is offered, and write down that it is accepted: the database refuses the second.
    with arena.unguarded(Control(locks=False, meet_at='INSERT INTO "contract_acceptance"')):
        arena.breaks(prepare, "contract_acceptance")


def test_a_month_is_begun_by_two_at_once(arena: Arena, world: World) -> None:
    """Its commitment is due once, and nobody runs into the other."""
    refused = mock.Mock()

    def prepare(turn: int) -> Race:
        team, contract = accepted(world)
        refused.reset_mock()

        def begin() -> int:
            return flows.bring_contracts_forward(now=FIRST)

        def wrong(answers: list[Any]) -> Anomalies:
            return [
                *raised(answers),
                *differs("refused", [call.args for call in refused.exception.call_args_list], []),
                *differs("due", moved(team, 1120, 2200), 5),
                *differs("months", ContractMonth.objects.filter(contract=contract).count(), 1),
                *differs("dues", ContractDue.objects.filter(contract=contract).count(), 1),
            ]

        return Race([begin] * 2, wrong)

    with mock.patch.object(contracting, "log", refused):
        arena.holds(prepare)
        with arena.unguarded(Control(locks=False, meet_at='INSERT INTO "contract_month"')):
            arena.breaks(prepare, "refused: .*contract_not_brought_forward")


def test_what_is_due_is_charged_by_two_at_once(arena: Arena, world: World) -> None:
    """One charge for each try: the second one finds it being charged."""

    def prepare(turn: int) -> Race:
        team, contract = accepted(world)
        flows.bring_contracts_forward(now=FIRST)
        due = ContractDue.objects.get(contract=contract)

        def charge() -> Any:
            return contracts.committed(due, now=FIRST)

        def wrong(answers: list[Any]) -> Anomalies:
            return [
                *raised(answers),
                *differs("charges", Intent.objects.filter(wallet=team.pk, purpose="contract").count(), 1),
                *differs("tries", ContractDue.objects.get(pk=due.pk).tries, 1),
            ]

        return Race([charge] * 2, wrong)

    arena.holds(prepare)
    with arena.unguarded(Control(locks=False, meet_at='INSERT INTO "payment_intent"')):
        arena.breaks(prepare, "payment_intent")


@contextmanager
def open_lines_are_left(actor: int) -> Iterator[None]:
    """This actor does not post what is open before it acts."""
    close = drawdown.close
    leave = lambda org_ids, **named: 0 if here.act == actor else close(org_ids, **named)  # noqa: E731
    with mock.patch.object(drawdown, "close", leave):
        yield


def test_use_is_posted_while_its_month_is_closed(arena: Arena, world: World) -> None:
    """Whoever comes first: used and unused are what was committed, and overage is what is beyond."""
    refused = mock.Mock()

    def prepare(turn: int) -> Race:
        team = world.team()
        contracts.running(team, world.alice, now=datetime(2026, 3, 1, tzinfo=UTC))
        # Its hour is not complete yet: in every other round it is charged, and in none it is posted.
        Gateway.objects.update(last_seen_at=NOW, complete_through=NOW)
        contracts.used(team, 12_000_000, at=NOW, sweep=bool(turn % 2))
        at = FIRST.replace(minute=6)
        Gateway.objects.update(last_seen_at=at, complete_through=at)
        refused.reset_mock()

        def wrong(answers: list[Any]) -> Anomalies:
            # Who is being worked on is left for the next time the clock comes by.
            flows.settle_periods(now=at)
            flows.sweep(now=at + 2 * contracts.HOUR)
            used = moved(team, 2200, 4200) + moved(team, 4210, 4200)
            return [
                *raised(answers),
                *differs("refused", [call.args for call in refused.exception.call_args_list], []),
                *differs("used", used, 5),
                *differs("unused", moved(team, 2200, 4210) - moved(team, 4210, 4200), 0),
                *differs("overage * 10", moved(team, 1120, 4220) * 10, 16),
            ]

        return Race([lambda: flows.settle_periods(now=at), lambda: flows.sweep(now=at)], wrong)

    with mock.patch.object(closing, "log", refused):
        arena.holds(prepare)
        # One closes the month as it stands, the other posts use of it: two halves of a commitment that is there once.
        with arena.unguarded(Control(locks=False, meet_at=POSTING)), open_lines_are_left(0):
            arena.breaks(prepare, f"{REFUSED}|refused: .*organization_not_settled")
