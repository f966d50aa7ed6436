"""One walk: the scene is set, the path is walked and cut off, and what goes on by itself goes on."""

import signal
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial

from django.conf import settings

from tests.crash import oracles, recovery
from tests.crash.forks import Forks, Order, Walked
from tests.crash.oracles import Found, Picture
from tests.crash.paths import Path, moment
from tests.crash.world import World

STRIPE = ("STRIPE_SECRET_KEY", "STRIPE_API_BASE", "STRIPE_WEBHOOK_SECRETS", "STRIPE_TIMEOUT_SECONDS")


@dataclass(frozen=True)
class Walk:
    """How one walk went, in whose books, and what was there in the end."""

    walked: Walked
    org_id: int
    found: Found
    picture: Picture


@dataclass
class Walker:
    """Walks one path again and again, each time in an organization of its own."""

    path: Path
    world: World
    forks: Forks
    plant: str = ""
    latest: datetime | None = None
    """What time it has become in the walk that went on for longest."""

    def whole(self) -> Walk:
        """Without a crash. What was sent is sent once."""
        walk = self._walk(None, again=False, answered=True)
        assert (walk.walked.signal, walk.walked.error) == (None, "")
        return walk

    def never(self) -> Walk:
        """Nothing of it happens, but what the clock does anyway."""
        return self._walk(0, again=False, answered=self.path.again is None)

    def killed(self, step: int, *, again: bool) -> Walk:
        """Killed at this step; `again`: whoever asked for it and got no answer asks once more."""
        walk = self._walk(step, again=again, answered=again or self.path.again is None)
        assert walk.walked.signal == signal.SIGKILL, walk.walked
        return walk

    def long_after(self) -> datetime:
        """Days go by for all who were in these walks, and time never goes back; answers until when."""
        return recovery.Recovery(
            self.world,
            max(self.latest or self.world.start, self.world.start),
            months=self.path.months,
            later=tuple(sorted((recovery.NIGHT, recovery.LONG_AFTER, *self.path.later))),
        ).run()

    def _walk(self, kill_at: int | None, *, again: bool, answered: bool) -> Walk:
        self.world.begin()
        scene = self.path.prepare(self.world)
        known = {name: getattr(settings, name) for name in STRIPE}
        walked = Walked()
        if kill_at != 0:
            walked = self.forks.walk(Order(self.path.name, scene, known, kill_at, self.plant))
            recovery.wait_until_it_is_gone()
        if again and self.path.again:
            self.path.again(self.world, scene)
        now = recovery.Recovery(
            self.world,
            crashed_at=moment(scene) if "at" in scene else self.world.start,
            webhooks=self.path.webhooks,
            months=self.path.months,
            later=self.path.later,
            then=partial(self.path.then, self.world, scene) if self.path.then and answered else None,
        ).run()
        self.latest = max(self.latest or now, now)
        org_id = int(scene["org"])
        used, back = Decimal(scene.get("used", 0)), int(scene.get("back", 0))
        found = oracles.look(self.world, org_id, used=used, back=back, now=now)
        return Walk(walked, org_id, found, oracles.picture(org_id))
