"""Staff of a soak: they give promotional credit. Whatever becomes of an attempt, the same one is made again."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from tests.soak.diary import Diary, Promotion

PATIENCE = 60.0


def give_credit(
    org_ids: Sequence[int], diary: Diary, chance: random.Random, over: threading.Event, pause: float
) -> None:
    """Again and again, with about so many seconds between."""
    from billing import flows

    while not over.wait(chance.uniform(0.2, 2) * pause):
        promotion = Promotion(chance.choice(org_ids), uuid4().hex, Decimal(chance.randrange(1, 2000)) / 100)
        diary.promotions[promotion.key] = promotion
        now = datetime.now(UTC)

        def give(promotion: Promotion = promotion, now: datetime = now) -> None:
            flows.grant_promotional(
                promotion.org_id, promotion.amount, key=promotion.key, title="Goodwill", reason="A soak",
                expires_at=now + timedelta(days=90), issued_by=None, now=now,
            )  # fmt: skip

        until_done(give)


def until_done(act: Callable[[], object]) -> None:
    """Tries until the database takes it. An attempt may have worked all the same: the act must bear repeating."""
    from django.db import InterfaceError, OperationalError, close_old_connections, connection

    end = time.monotonic() + PATIENCE
    while True:
        close_old_connections()
        try:
            act()
        except (InterfaceError, OperationalError):
            connection.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.3)
        else:
            return
