"""Writing a notice, once, in the transaction of what it tells of: neither without the other."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from billing.notices.models import Kind, Notice

Facts = Mapping[str, str | int | bool | None]


def announce(org_id: int, kind: Kind, *, key: str, facts: Facts, now: datetime) -> None:
    """Tell it, unless `key` was told before. Mail goes out later, by the clock: nothing here waits for a mail server."""
    announce_all([written(org_id, kind, key=key, facts=facts, now=now)])


def announce_all(notices: Iterable[Notice]) -> None:
    """Tell each that was not told before. One statement."""
    Notice.objects.bulk_create(notices, ignore_conflicts=True)


def written(org_id: int, kind: Kind, *, key: str, facts: Facts, now: datetime) -> Notice:
    """A notice that is not told yet."""
    return Notice(wallet_id=org_id, kind=kind, key=f"{kind}:{key}", facts=dict(facts), created_at=now, next_try_at=now)
