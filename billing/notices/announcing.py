"""Writing a notice, once, in the transaction of what it tells of: neither without the other."""

from collections.abc import Mapping
from datetime import datetime

from billing.notices.models import Kind, Notice

Facts = Mapping[str, str | int | bool | None]


def announce(org_id: int, kind: Kind, *, key: str, facts: Facts, now: datetime) -> None:
    """Tell it, unless `key` was told before. Mail goes out later, by the clock: nothing here waits for a mail server."""
    notice = Notice(
        wallet_id=org_id, kind=kind, key=f"{kind}:{key}", facts=dict(facts), created_at=now, next_try_at=now
    )
    Notice.objects.bulk_create([notice], ignore_conflicts=True)
