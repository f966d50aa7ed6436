"""Credit that staff give, and credit that comes to its end."""

from datetime import timedelta
from uuid import uuid4

from billing import periods
from tests.crash.paths import Path, Scene, act_of_staff, moment, task
from tests.crash.using import gateway_is_at_work, report, three_events
from tests.crash.world import World
from tests.factories import business

YEAR = timedelta(days=365)
SHORTLY = timedelta(minutes=5)


def overdrawn(world: World) -> Scene:
    """Staff are about to give credit to an organization that used more than it had."""
    scene = gateway_is_at_work(world)
    report(scene)
    task("tasks.sweep_usage", now=world.start + timedelta(seconds=5))
    last_day = (world.start + timedelta(days=30)).date().isoformat()
    form = {"amount": "2.00", "title": "Apology", "last_day": last_day, "reason": "an outage", "confirmed": "yes"}
    page = f"/admin/billing/wallet/{scene['org']}/give/"
    return {**scene, "staff": world.staff_session, "page": page, "nonce": str(uuid4()), **form}


def give(scene: Scene) -> None:
    act_of_staff(scene)


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


def last_month_is_closed(world: World) -> Scene:
    """Credit was bought in the month before, which is closed and not told yet."""
    organization = world.organization()
    first = periods.month_start(periods.month_of(world.start))
    world.bought(organization, "10", ago=world.start - first + timedelta(days=1))
    business.closed(organization, periods.month_of(first - timedelta(days=1)), now=world.start)
    return {"org": organization.pk, "at": world.start.isoformat()}


def issue(scene: Scene) -> None:
    task("tasks.issue_statements", now=moment(scene))


ENDED = frozenset({"flows.expire", "tasks.expire_grants"})
PATHS = (
    Path("promotional credit", overdrawn, give, frozenset({"flows.grant_promotional"}), again=give_again),
    Path("expiry begins", at_its_end, expire, ENDED),
    Path("issue", last_month_is_closed, issue, frozenset({"flows.issue_statements", "tasks.issue_statements"})),
    Path("expiry", past_the_late_window, expire, ENDED),
)
