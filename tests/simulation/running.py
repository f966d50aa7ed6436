"""READ FIRST. A seed from its first day to its verdict."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from orgs.models import Organization, User
from tests.crash import recovery
from tests.factories import orgs
from tests.simulation import gateways, oracles
from tests.simulation.parties import EVERYBODY, Party, Personality
from tests.simulation.tally import KeyNote, Tally
from tests.simulation.trouble import Rates
from tests.simulation.world import START, World, living, person

DAY = timedelta(days=1)
A_YEAR = 365.0
THIRTEEN_MONTHS = 396
Bug = Callable[[], AbstractContextManager[Any]]
ROUNDS = 0.7
"""So often a day the clock comes by, on average: in between, whoever acts makes the queue do something sooner."""
NIGHTS = 0.2
"""In so many nights the tasks of the night run: the others are left out."""
OPEN = recovery.OPEN.replace("now()", "%s")
"""By the clock of the simulation, not by that of PostgreSQL."""
AT_REST = tuple(
    timedelta(minutes=minutes) for minutes in (1, 2, 17, 80, 180, 26 * 60, 50 * 60, 76 * 60, 100 * 60, 150 * 60)
)
"""After the last day, when nothing goes wrong any more: whatever has not come to rest by then does not by itself."""


@dataclass(frozen=True)
class Scale:
    """How many organizations live for how many days, and what they are like, in turn. `pace`: how much they do in a day
    beside what is usual; what happens once happens at any pace. `rounds`: how often a day the clock comes by, on average."""

    parties: int
    days: int = THIRTEEN_MONTHS
    kinds: tuple[Personality, ...] = EVERYBODY
    pace: float = 1
    rounds: float = ROUNDS

    @property
    def org_years(self) -> float:
        return round(self.parties * self.days / A_YEAR, 2)


@dataclass(frozen=True)
class Result:
    """What a seed came to. The same seed has the same `digest`."""

    seed: int
    org_years: float
    events: int
    faults: int
    digest: str
    violations: list[str] = field(default_factory=list)
    seconds: float = 0
    counted: dict[str, int] = field(default_factory=dict)


def run(seed: int, scale: Scale, *, rates: Rates | None = None, plant: Bug = nullcontext) -> Result:
    """Live through it, in the test's database; it ends with the first thing that is not as it must be. `plant`: a bug."""
    started = time.perf_counter()
    with living(seed, rates or Rates()) as world:
        try:
            _arrive(world, scale)
            with plant():
                _live(world, scale)
                if not world.violations:
                    _come_to_rest(world)
                    oracles.in_the_end(world)
        except Exception:
            world.violations.append(f"{world.now:%Y-%m-%d %H:%M:%S} {traceback.format_exc()}")
        world.facts += oracles.ledger()
        counted = {**world.events, **world.trouble.counted}
        return Result(
            seed, scale.org_years, world.events.total(), world.trouble.total(), world.digest(), world.violations,
            time.perf_counter() - started, counted,
        )  # fmt: skip


def _arrive(world: World, scale: Scale) -> None:
    """Everybody signs up. Another seed has others among them, where there are fewer than kinds."""
    first = world.seed if scale.parties < len(scale.kinds) else 0
    for number in range(scale.parties):
        like = scale.kinds[(first + number) % len(scale.kinds)]
        name = f"{like.name.replace(',', '')} {number}"
        owner = person(name)
        slug = name.replace(" ", "-") + "-labs"
        org = orgs.personal(owner) if like.personal else orgs.team(owner, name, slug=slug, now=START)
        world.parties.append(_party(name, like, org, owner))


def _party(name: str, like: Personality, org: Organization, owner: User) -> Party:
    key = KeyNote(orgs.key(org, user=owner, now=START).key)
    return Party(name, like, org, owner, [key], Tally(free=like.personal))


def _live(world: World, scale: Scale) -> None:
    """Day by day: what people are going to do is drawn in the morning, and done when its time comes."""
    world.watched["tasks.sweep_usage"] = partial(oracles.watch_draws, world)
    world.trouble.begin()
    for number in range(scale.days):
        day = START + number * DAY
        _plan(world, scale, day, number)
        for act in world.until(day + DAY):
            act()
            world.events["event"] += 1
            oracles.after_event(world)
            if world.violations:
                return
        _evening(world, number)
        if world.violations:
            return


def _plan(world: World, scale: Scale, day: datetime, number: int) -> None:
    if number % 4 == 0:
        world.at(day, partial(world.task, "tasks.make_partitions"))
    month_end = (day + DAY).day == 1
    for party in world.parties:
        for habit in party.like.habits:
            times = habit.a_day if habit.first <= number <= habit.last else 0
            times *= 1 if habit.is_once else scale.pace
            if party.like.month_ends:
                times *= 6 if month_end else 0.7
            whole = int(times) + (world.chance.random() < times % 1)
            for _ in range(whole):
                world.at(party.moment(world, day), partial(habit.act, world, party))
    if world.chance.random() < scale.rounds:
        world.at(day + DAY * world.chance.random(), world.tick)
    if number % 2:
        world.at(day + DAY * world.chance.random(), partial(gateways.heartbeat, world))
    if world.chance.random() < NIGHTS:
        world.at(day + timedelta(hours=3, minutes=41), partial(world.tick, nightly=True))
    if number % 3 == 0:
        world.trouble.reorder()


def _evening(world: World, number: int) -> None:
    """The books are asked: of the last day each day, of each single row each week, of all there is each month."""
    if number % 30 == 29:
        oracles.verified(world)
        oracles.in_time(world)
    else:
        oracles.verified(world, since=world.now - timedelta(hours=25), each_row=number % 7 == 6)


def _come_to_rest(world: World) -> None:
    """Nothing goes wrong any more; nobody does anything but Stripe, the clock, and gateways that were not answered."""
    world.trouble.end()
    end = world.now
    for since in AT_REST:
        for act in world.until(end + since, people=since < DAY):
            act()
        gateways.heartbeat(world)
        world.tick(nightly=since > DAY)
    oracles.after_event(world)
    world.expect(not oracles.rows(OPEN, world.now, world.now)[0][0], "not everything has come to rest")
