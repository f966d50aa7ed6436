"""The work that others' messages mean for us, done from the table: each is tried until it is done, then kept.

A message is claimed by moving its next try into the future and committing that, so no row is locked while Stripe is
asked; whoever dies in between leaves it to the next run. Doing one twice changes nothing.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from billing.webhooks import stripe
from billing.webhooks.models import InboxEvent, InboxState

log = structlog.get_logger(__name__)

AT_ONCE = 500
ERROR_LENGTH = 500
PAUSES = tuple(
    timedelta(seconds=seconds) for seconds in (15, 30, 60, 120, 300, 900, 1800, 3600, 7200, 14_400, 28_800, 43_200)
)
"""After each try that failed; after the last one the message is `failed` and waits for staff. In all a bit over a day."""

Handler = Callable[[InboxEvent, datetime], bool]
HANDLERS: dict[str, Handler] = {"stripe": stripe.handle}
"""By provider: does what a message means; False when it means nothing to us; raises to be tried again."""


def store(provider: str, event_id: str, type: str, body: str, *, for_us: bool, now: datetime) -> bool:
    """Keep the message, once; False when it was there already. One that is not `for_us` is kept and never worked on."""
    event = InboxEvent(
        provider=provider,
        provider_event_id=event_id,
        type=type,
        body=body,
        received_at=now,
        next_try_at=now,
        state=InboxState.NEW if for_us else InboxState.IGNORED,
        done_at=None if for_us else now,
        error="" if for_us else "Test and live do not mix.",
    )
    before = InboxEvent.objects.filter(provider=provider, provider_event_id=event_id)
    if before.exists():
        return False
    InboxEvent.objects.bulk_create([event], ignore_conflicts=True)
    return True


def process(*, now: datetime) -> int:
    """Work through everything that is due; answers how many messages were done or found not for us."""
    done = 0
    for _ in range(AT_ONCE):
        event = _claim(now)
        if event is None:
            break
        done += _work(event, now)
    return done


def replay(event: InboxEvent, *, now: datetime) -> None:
    """Staff want it done again, whatever became of it before."""
    event.state, event.tries, event.next_try_at = InboxState.NEW, 0, now
    event.done_at, event.error = None, ""
    event.save(update_fields=["state", "tries", "next_try_at", "done_at", "error"])


def _claim(now: datetime) -> InboxEvent | None:
    with transaction.atomic():
        event = (
            InboxEvent.objects.select_for_update(skip_locked=True)
            .filter(state=InboxState.NEW, next_try_at__lte=now)
            .order_by("next_try_at", "id")
            .first()
        )
        if event is not None:
            event.tries += 1
            event.next_try_at = now + PAUSES[min(event.tries, len(PAUSES)) - 1]
            event.save(update_fields=["tries", "next_try_at"])
        return event


def _work(event: InboxEvent, now: datetime) -> int:
    try:
        event.state = InboxState.DONE if HANDLERS[event.provider](event, now) else InboxState.IGNORED
        event.done_at, event.error = now, ""
    except Exception as error:
        log.exception("webhook_not_done", webhook=event.provider_event_id, type=event.type, tries=event.tries)
        # What others say may hold what no text of PostgreSQL's can: that must not stop the messages after this one.
        said = f"{type(error).__name__}: {error}".encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
        event.error = said[:ERROR_LENGTH]
        if event.tries >= len(PAUSES):
            event.state = InboxState.FAILED
    event.save(update_fields=["state", "done_at", "error"])
    return event.state in (InboxState.DONE, InboxState.IGNORED)
