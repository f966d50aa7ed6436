"""What gateways are told: nobody who reads along misses a change, and a catalog is published by one at a time."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import msgspec
import pytest
from django.db import transaction

from billing.catalog import publishing
from billing.catalog.file import CatalogFile
from billing.catalog.models import Price
from billing.limits import feed, resolved
from tests.races.arena import Anomalies, Arena, Race, differs, raised
from tests.races.guards import Control, as_owner, function
from tests.races.scenes import NOW, World, grant_promotional

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


def test_a_reader_of_the_feed_misses_nothing(arena: Arena, world: World) -> None:
    """Two organizations get credit at the same moment while a gateway reads: the order of versions is that of commits."""

    def prepare(turn: int) -> Race:
        teams = [world.team(), world.team()]
        wanted = set()
        for team in teams:
            key = world.key(team)
            resolved.remember(world.gateway.pk, key.pk, key.public_id, now=NOW)
            wanted.add(key.public_id)
        at = [feed.start(now=NOW).cursor]
        heard: set[str] = set()

        def listen() -> None:
            page = feed.since(at[0], world.gateway.pk, now=NOW)
            heard.update(answer.key for answer in page.changes)
            at[0] = page.cursor

        def first() -> None:
            with transaction.atomic():
                grant_promotional(teams[0], f"first-{teams[0].pk}")
                arena.meet("the first has its number", 2)
                arena.meet("it was read meanwhile", 2)

        def second() -> None:
            arena.meet("the first has its number", 2)
            grant_promotional(teams[1], f"second-{teams[1].pk}")
            arena.meet("the second is committed", 2)

        def read() -> None:
            arena.meet("the second is committed", 2)
            for _ in range(5):
                listen()
            arena.meet("it was read meanwhile", 2)

        def wrong(answers: list[Any]) -> Anomalies:
            listen()
            return [*raised(answers), *differs("heard of", heard, wanted)]

        return Race([first, second, read], wrong)

    arena.holds(prepare)
    # Numbers from a sequence, which nobody holds until the commit: the first one commits after a later number was read.
    ((version,),) = as_owner("SELECT v + 1000 FROM limits_clock")
    as_owner(f"CREATE SEQUENCE race_versions START {version}")
    newest = "SELECT (SELECT max(version) FROM limits_answer), (SELECT version FROM limits_answer WHERE org_id = 0)"
    unnumbered = (r"UPDATE limits_clock SET v = v \+ 1 .* INTO stamp;", "stamp := nextval('race_versions');")
    try:
        with function("limits_touch", unnumbered), mock.patch.object(feed, "CLOCK", newest), arena.unguarded():
            arena.breaks(prepare, "heard of")
    finally:
        as_owner("DROP SEQUENCE race_versions")


def catalog(*slugs: str) -> CatalogFile:
    """A file with one model of each name."""
    price = {"from": "2025-01-01T00:00:00Z", "input": "0.35", "output": "0.75"}
    models = [
        {"slug": slug, "name": slug, "provider": "Example", "prices": [price],
         "limits": {"payg": {"requests_per_minute": 100}}}
        for slug in slugs
    ]  # fmt: skip
    return msgspec.convert({"models": models}, CatalogFile)


def test_a_catalog_published_by_three_at_once(arena: Arena, world: World) -> None:
    """The same file takes effect once, and the others find nothing to do; files that overlap add up."""

    def prepare(turn: int) -> Race:
        names = [f"race-{turn}-{letter}" for letter in "abc"]
        files = [catalog(*names)] * 3 if turn % 2 else [catalog(*names[:2]), catalog(*names[1:]), catalog(names[2])]

        def wrong(answers: list[Any]) -> Anomalies:
            if faults := raised(answers):
                return faults
            said = sorted(line for answer in answers for line in answer if line.endswith("new model."))
            return [
                *differs("said", said, [f"{name}: new model." for name in names]),
                *differs("prices", Price.objects.filter(model__slug__in=names).count(), 3),
            ]

        def publisher(file: CatalogFile) -> Callable[[], list[str]]:
            return lambda: publishing.publish(file, now=NOW)

        return Race([publisher(file) for file in files], wrong)

    arena.holds(prepare)
    alone = {r"pg_advisory_xact_lock\(hashtext\('catalog'\)\)": "1"}
    with arena.unguarded(Control(without=alone, meet_at='^INSERT INTO "ai_model"')):
        arena.breaks(lambda turn: prepare(turn + 1_000), "ai_model_slug")
