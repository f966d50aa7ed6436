"""Credit that staff give, and credit that comes to its end."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

from billing import flows
from tests.crash.paths import Path, Scene, moment, task
from tests.crash.using import gateway_is_at_work, report, three_events
from tests.crash.world import World

YEAR = timedelta(days=365)
SHORTLY = timedelta(minutes=5)


def overdrawn(world: World) -> Scene:
    """Promotional credit is on its way to an organization that used more than it had."""
    scene = gateway_is_at_work(world)
    report(scene)
    task("tasks.sweep_usage", now=world.start + timedelta(seconds=5))
    now, ends = world.start + timedelta(seconds=9), world.start + timedelta(days=30)
    return {**scene, "key": uuid4().hex, "at": now.isoformat(), "ends": ends.isoformat(), "by": world.alice.pk}


def give(scene: Scene) -> None:
    flows.grant_promotional(
        int(scene["org"]), Decimal("2.00"), key=str(scene["key"]), title="Apology", expires_at=moment(scene, "ends"),
        reason="an outage", issued_by=int(scene["by"]), now=moment(scene),
    )  # fmt: skip


def give_again(world: World, scene: Scene) -> None:
    give(scene)


def at_its_end(world: World) -> Scene:
    """Credit bought a year ago and credit given end within minutes; usage of before waits to be charged to them."""
    organization = world.organization()
    world.bought(organization, "10", ago=YEAR - SHORTLY)
    world.given(organization, "0.10", lasts=SHORTLY)
    scene = three_events(world, organization)
    report(scene)
    return {**scene, "at": (world.start + timedelta(minutes=6)).isoformat()}


def past_the_late_window(world: World) -> Scene:
    return {**at_its_end(world), "at": (world.start + timedelta(hours=73)).isoformat()}


def expire(scene: Scene) -> None:
    task("tasks.expire_grants", now=moment(scene))


ENDED = frozenset({"flows.expire", "tasks.expire_grants"})
PATHS = (
    Path("promotional credit", overdrawn, give, frozenset({"flows.grant_promotional"}), again=give_again),
    Path("expiry begins", at_its_end, expire, ENDED),
    Path("expiry", past_the_late_window, expire, ENDED),
)
