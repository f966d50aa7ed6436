"""Where races are run: round after round with nothing wrong, then the control, in which something must go wrong."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests import figures, verified
from tests.races import guards
from tests.races.crew import Act, Crew
from tests.races.guards import Control

ROUNDS = figures.of(3, full=200)
"""Three are one of each kind (`_round`)."""
TRIES = 5
"""Rounds within which a control fails. The first one does, unless the machine stalls for a second."""

Anomalies = list[str]


@dataclass
class Race:
    """One round: what the actors do, and what is wrong afterwards, given what each answered or raised."""

    acts: Sequence[Act]
    wrong: Callable[[list[Any]], Anomalies]


Prepare = Callable[[int], Race]
"""Fresh rows for a round, and the race over them. Rounds are numbered from 1."""


class Arena:
    """`holds` runs the race, `breaks` its control. A test does both."""

    def __init__(self, crew: Crew, record: figures.Record) -> None:
        self._crew, self._record = crew, record
        self.rounds = 0
        self.controls = 0
        self.control: Control | None = None

    def holds(self, prepare: Prepare, *, rounds: int = ROUNDS, verify: bool = True) -> None:
        """All rounds without an anomaly, and then the books as a whole."""
        for turn in range(1, rounds + 1):
            wrong = self._round(prepare, turn)
            assert wrong == [], f"in round {turn}: {wrong}"
            self.rounds += 1
        if verify:
            assert verified.differences() == []

    def breaks(self, prepare: Prepare, how: str) -> None:
        """The control: something went wrong once the guard was gone, and what it was is found by the pattern `how`."""
        assert self.rounds, "First the race."
        others = []
        for turn in range(1, TRIES + 1):
            wrong = self._round(prepare, turn)
            others.append(wrong)
            if wrong and re.search(how, "; ".join(wrong)):
                self.controls += 1
                self._record(
                    "races", operations=1, rounds=self.rounds, anomalies=0, controls_failed_as_they_should=self.controls
                )
                return
        raise AssertionError(f"Without its guard the race still holds, so it cannot fail and shows nothing: {others}")

    @contextmanager
    def unguarded(self, control: Control | None = None) -> Iterator[Control]:
        """For `breaks`: what is different for the actors."""
        self.control = control or Control()
        try:
            yield self.control
        finally:
            self.control = None

    def meet(self, place: str, parties: int | None = None) -> None:
        """A place that acts name, where those of a control wait for each other. In the race it is nothing."""
        if self.control is not None:
            self.control.meet(place, parties)

    def until_somebody_waits(self) -> None:
        """In a control: until another actor waits for what this one's transaction holds, as it would stand there."""
        if self.control is not None:
            self.control.until_somebody_waits()

    def _round(self, prepare: Prepare, turn: int) -> Anomalies:
        """Of three rounds one starts at the same instant, one nearly so, and in one all come to the lock together."""
        race = prepare(turn)
        aligned = self.control or (guards.at_the_guard() if turn % 3 == 0 else None)
        apart = random.Random(turn) if turn % 3 == 2 and not self.control else None
        if aligned:
            aligned.begin(len(race.acts))
        self._crew.wire = aligned.wire if aligned else None
        try:
            return race.wrong(self._crew.run(race.acts, apart=apart))
        finally:
            self._crew.wire = None


def raised(answers: Sequence[Any], *allowed: type[Exception]) -> Anomalies:
    """Errors that no actor should end with."""
    faults = [answer for answer in answers if isinstance(answer, Exception) and not isinstance(answer, allowed)]
    return [f"{type(fault).__name__}: {fault}" for fault in faults]


def differs(what: str, found: Any, wanted: Any) -> Anomalies:
    return [] if found == wanted else [f"{what}: {found!r} instead of {wanted!r}"]
