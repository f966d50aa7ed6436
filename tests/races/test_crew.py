"""The harness: actors do run at once, on connections of their own, and a control meets where it says."""

import threading

import pytest
from django.db import connection

from tests.races.arena import Arena, Race
from tests.races.crew import Crew
from tests.races.guards import Control, as_owner, silent
from tests.races.scenes import asked

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


def backend() -> int:
    pid: int = asked("SELECT pg_backend_pid()")
    return pid


def test_each_actor_has_a_connection_of_its_own_and_keeps_it(crew: Crew) -> None:
    first = crew.run([backend] * 4)
    assert len({*first, backend()}) == 5
    assert crew.run([backend] * 4) == first


def test_all_are_there_before_anybody_goes_on(crew: Crew) -> None:
    together = threading.Barrier(5)
    assert sorted(crew.run([lambda: together.wait(5)] * 5)) == [0, 1, 2, 3, 4]


def test_an_actor_that_fails_leaves_a_clean_connection(crew: Crew) -> None:
    def breaks_off() -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT 1 / 0")

    (fault,) = crew.run([breaks_off])
    assert "division by zero" in str(fault)
    assert crew.run([lambda: asked("SELECT 1")]) == [1]


def test_statements_of_a_control_lose_their_locks_and_nothing_else(crew: Crew) -> None:
    crew.wire = Control(locks=False, without={"LEFT OUT": "2"}).wire
    try:
        act = lambda: asked("SELECT LEFT OUT + id FROM limits_clock ORDER BY id LIMIT 1 FOR NO KEY UPDATE")  # noqa: E731
        assert crew.run([act]) == [3]
    finally:
        crew.wire = None


def test_a_race_that_cannot_fail_is_told(arena: Arena) -> None:
    def prepare(turn: int) -> Race:
        return Race([backend, backend], lambda answers: [])

    arena.holds(prepare, rounds=1)
    with pytest.raises(AssertionError, match="it cannot fail"), arena.unguarded():
        arena.breaks(prepare, "")
    arena.controls = 1


def test_a_trigger_is_silent_for_a_control_only(transactional_db: None) -> None:
    state = "SELECT tgenabled::text FROM pg_trigger WHERE tgname = 'transfer_append_only'"
    with silent("transfer", "transfer_append_only"):
        assert as_owner(state) == [("D",)]
    assert as_owner(state) == [("O",)]
