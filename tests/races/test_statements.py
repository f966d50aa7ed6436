"""Months of many organizations are told at the same instant, each by two at once: one statement each, numbered in a row."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from billing import periods
from billing.statements import issuing
from billing.statements.models import Statement
from orgs.models import Organization
from tests.factories import business
from tests.races.arena import Anomalies, Arena, Race, differs, raised
from tests.races.guards import Control
from tests.races.scenes import NOW, World, bought

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

LAST_MONTH = periods.month_of(NOW - timedelta(days=20))
COUNTED = r"UPDATE document_counter SET last = last \+ 1 WHERE series = %s RETURNING last"
NOT_COUNTED = "SELECT last + 1 FROM document_counter WHERE series = %s"


def test_numbers_have_no_gap_however_many_issue_at_once(arena: Arena, world: World) -> None:
    def prepare(turn: int) -> Race:
        teams = [world.team() for _ in range(3)]
        for team in teams:
            bought(team, "10", at=NOW - timedelta(days=20))
            business.closed(team, LAST_MONTH, now=NOW)

        def issue(team: Organization) -> str:
            with transaction.atomic():
                return issuing.issue(team.pk, LAST_MONTH, now=NOW).name

        def wrong(answers: list[Any]) -> Anomalies:
            numbers = sorted(Statement.objects.values_list("number", flat=True))
            told = [Statement.objects.filter(wallet=team.pk).count() for team in teams]
            return [
                *raised(answers),
                *differs("statements of each", told, [1, 1, 1]),
                *differs("numbers", numbers, list(range(1, len(numbers) + 1))),
                *differs("answers", answers[:3], answers[3:]),
            ]

        return Race([lambda team=team: issue(team) for team in (*teams, *teams)], wrong)  # type: ignore[misc]

    arena.holds(prepare)

    # Whoever reads the counter without moving it gives the number that somebody else gives.
    with arena.unguarded(Control(without={COUNTED: NOT_COUNTED}, meet_at="INSERT INTO .statement. ")):
        arena.breaks(prepare, "statement_numbered_next|statement_number_key")
