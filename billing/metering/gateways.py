"""Gateways and their tokens: who may report usage, and who holds the watermark (A13)."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

from billing.metering.models import Gateway, GatewayToken

PREFIX = "gw-purser-"
REMEMBERED_SECONDS = 3.0
"""How long a process trusts what it read about a token: a revocation takes effect within this time."""

SEEN_EVERY = timedelta(seconds=5)
MOST_REMEMBERED = 10_000


@dataclass(frozen=True)
class Known:
    """A gateway that proved who it is."""

    id: int
    name: str


@dataclass(frozen=True)
class _Remembered:
    gateway: Known
    expires_at: datetime | None
    read_at: float


_remembered: dict[bytes, _Remembered] = {}


def register(name: str, *, now: datetime) -> Gateway:
    """The gateway of that name, made when there is none; a retired one serves again."""
    gateway, _ = Gateway.objects.get_or_create(name=name, defaults={"created_at": now})
    if gateway.retired_at is not None:
        gateway.retired_at = None
        gateway.save(update_fields=["retired_at"])
    return gateway


def mint(gateway: Gateway, *, now: datetime, lifetime: timedelta | None = None) -> str:
    """A new bearer token. It is told here and never again: only its SHA-256 is kept."""
    token = PREFIX + secrets.token_urlsafe(32)
    digest = hashlib.sha256(token.encode()).digest()
    expires_at = None if lifetime is None else now + lifetime
    GatewayToken.objects.create(gateway=gateway, hash=digest, created_at=now, expires_at=expires_at)
    return token


def revoke(gateway: Gateway, *, now: datetime) -> int:
    """Ends all live tokens of the gateway; how many there were."""
    forget()
    live = gateway.tokens.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now), revoked_at__isnull=True)
    return live.update(revoked_at=now)


def retire(gateway: Gateway, *, now: datetime) -> None:
    """It reports no more, so it no longer holds the watermark."""
    Gateway.objects.filter(pk=gateway.pk, retired_at__isnull=True).update(retired_at=now)


def recognise(digest: bytes, *, now: datetime, tick: float) -> Known | None:
    """The gateway of a token's SHA-256, None when it is unknown, expired or revoked. `tick` is a monotonic clock."""
    found = _remembered.get(digest)
    if found is None or tick - found.read_at > REMEMBERED_SECONDS:
        found = _looked_up(digest, now=now, tick=tick)
    if found is None or (found.expires_at is not None and found.expires_at <= now):
        return None
    return found.gateway


def forget() -> None:
    """What this process remembers of tokens."""
    _remembered.clear()


def _looked_up(digest: bytes, *, now: datetime, tick: float) -> _Remembered | None:
    _remembered.pop(digest, None)
    token = GatewayToken.objects.filter(hash=digest, revoked_at__isnull=True).select_related("gateway").first()
    if token is None:
        return None
    found = _Remembered(Known(token.gateway_id, token.gateway.name), token.expires_at, tick)
    if found.expires_at is None or found.expires_at > now:
        mark_seen(token.gateway_id, now=now)
        if len(_remembered) >= MOST_REMEMBERED:
            _remembered.clear()
        _remembered[digest] = found
    return found


def mark_seen(gateway_id: int, *, now: datetime, complete_through: datetime | None = None) -> None:
    """The gateway was here, and has reported everything before `complete_through`, which never goes back.

    A row that would hardly change is left alone, so that busy gateways do not queue up for it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE gateway SET last_seen_at = greatest(last_seen_at, %(now)s),
                complete_through = greatest(complete_through, %(through)s)
            WHERE id = %(gateway)s
                AND (last_seen_at IS NULL OR last_seen_at < %(stale)s
                    OR (%(through)s::timestamptz IS NOT NULL
                        AND (complete_through IS NULL OR complete_through < %(through)s)))
            """,
            {"now": now, "through": complete_through, "gateway": gateway_id, "stale": now - SEEN_EVERY},
        )
