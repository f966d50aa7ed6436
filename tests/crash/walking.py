"""One walk: the scene is set, the path is walked and cut off, and what goes on by itself goes on."""

import signal
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from django.conf import settings

from tests.crash import oracles, recovery
from tests.crash.forks import Forks, Order, Walked
from tests.crash.oracles import Found, Picture
from tests.crash.paths import Path
from tests.crash.world import World

STRIPE = ("STRIPE_SECRET_KEY", "STRIPE_API_BASE", "STRIPE_WEBHOOK_SECRETS", "STRIPE_TIMEOUT_SECONDS")


@dataclass(frozen=True)
class Walk:
    """How one walk went and what was there in the end."""

    walked: Walked
    found: Found
    picture: Picture


@dataclass
class Walker:
    """Walks one path again and again, each time in an organization of its own."""

    path: Path
    world: World
    forks: Forks
    plant: str = ""

    def whole(self) -> Walk:
        """Without a crash. What was sent is sent once."""
        walk = self._walk(None, again=False, answered=True)
        assert (walk.walked.signal, walk.walked.error) == (None, "")
        return walk

    def never(self) -> Walk:
        """Nothing of it happens."""
        return self._walk(0, again=False, answered=self.path.again is None)

    def killed(self, step: int, *, again: bool) -> Walk:
        """Killed at this step; `again`: whoever asked for it and got no answer asks once more."""
        walk = self._walk(step, again=again, answered=again or self.path.again is None)
        assert walk.walked.signal == signal.SIGKILL, walk.walked
        return walk

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
        then = partial(self.path.then, self.world, scene) if self.path.then and answered else None
        now = recovery.recover(self.world, webhooks=self.path.webhooks, later=self.path.later, then=then)
        org_id = int(scene["org"])
        found = oracles.look(self.world, org_id, used=Decimal(scene.get("used", 0)), now=now)
        return Walk(walked, found, oracles.picture(org_id))
