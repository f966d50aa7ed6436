"""API keys: made, found by their secret, revoked.

The secret is `sk-purser-` and 43 characters (32 random bytes). It exists in `NewKey` and in the answer that shows it;
stored is its SHA-256, which is enough: nobody guesses 256 random bits, so a slow hash would only slow the gateways.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from django.db import transaction
from django.db.models import Q, QuerySet

from orgs.models import ApiKey, Organization, User

LABEL = "sk-purser-"
SECRET_BYTES = 32
PREFIX_LENGTH = 12
MAX_LIVE_KEYS = 100
SECRET_IN_TEXT = re.compile(re.escape(LABEL) + r"[A-Za-z0-9_-]{16,}")
"""What a secret looks like, for whoever must refuse or redact one."""


class KeyRefused(ValueError):
    """No key was made. The message is for the customer."""


class TooManyKeys(KeyRefused):
    def __init__(self) -> None:
        super().__init__(f"An organization has at most {MAX_LIVE_KEYS} keys that work. Revoke one first.")


class ExpiresInThePast(KeyRefused):
    def __init__(self) -> None:
        super().__init__("The key would already have expired. Choose a later day.")


class AlreadyMade(KeyRefused):
    """This form made a key before: `key` is that one, without its secret."""

    def __init__(self, key: ApiKey) -> None:
        super().__init__("This key was made and shown a moment ago. It cannot be shown again.")
        self.key = key


class State(StrEnum):
    NEW = "new"
    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True)
class NewKey:
    """A key and, this once, its secret. The secret is left out of `repr`, so it cannot end up in a log by accident."""

    key: ApiKey
    secret: str = field(repr=False)


def create(
    organization: Organization,
    user: User | None,
    name: str,
    expires_at: datetime | None,
    cap_usd: Decimal | None,
    now: datetime,
    *,
    once: str = "",
    secret: str = "",
) -> NewKey:
    """A new key of the organization. Calls with the same `once` (the token of a form) make one key together.

    `secret` is for demo organizations, whose key can be told again; every other key gets a random one.

    Raises TooManyKeys, ExpiresInThePast and, from the second call with the same `once`, AlreadyMade.
    """
    if expires_at is not None and expires_at <= now:
        raise ExpiresInThePast
    secret = secret or LABEL + secrets.token_urlsafe(SECRET_BYTES)
    public_id = _public_id(organization, once)
    with transaction.atomic():
        # One at a time per organization: the count holds, and a doubled form finds the key of its twin.
        Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
        if made := ApiKey.objects.filter(public_id=public_id).first():
            raise AlreadyMade(made)
        if live(organization, now).count() >= MAX_LIVE_KEYS:
            raise TooManyKeys
        key = ApiKey.objects.create(
            organization=organization,
            public_id=public_id,
            hash=fingerprint(secret),
            prefix=secret[:PREFIX_LENGTH],
            last4=secret[-4:],
            name=name,
            created_by=user,
            created_at=now,
            expires_at=expires_at,
            cap_usd=cap_usd,
        )
    return NewKey(key, secret)


def revoke(key: ApiKey, now: datetime) -> None:
    """The key opens nothing from now on. Revoking again changes nothing, the first moment stays."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now)
    key.refresh_from_db(fields=["revoked_at"])


def by_secret(secret: str) -> ApiKey | None:
    """The key with this secret, live or not. Whatever is asked, it costs one hash and one look-up in a unique index."""
    return by_fingerprint(fingerprint(secret))


def by_fingerprint(digest: bytes) -> ApiKey | None:
    """The key whose secret has this SHA-256 (32 bytes), live or not, with its organization."""
    return ApiKey.objects.select_related("organization").filter(hash=digest).first()


def fingerprint(secret: str) -> bytes:
    """The SHA-256 of a whole secret, 32 bytes: what is stored, and what a gateway sends."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def is_live(key: ApiKey, now: datetime) -> bool:
    """Whether the key opens anything at this moment. It ends exactly at `expires_at`."""
    return key.revoked_at is None and (key.expires_at is None or now < key.expires_at)


def live(organization: Organization, now: datetime) -> QuerySet[ApiKey]:
    """The organization's keys that work now."""
    return organization.api_keys.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)


def state(key: ApiKey, now: datetime) -> State:
    if key.revoked_at is not None:
        return State.REVOKED
    if not is_live(key, now):
        return State.EXPIRED
    return State.ACTIVE if key.last_used_at else State.NEW


def _public_id(organization: Organization, once: str) -> str:
    """`key_` and 16 hex digits: random, or for a form's token always the same."""
    if not once:
        return f"key_{secrets.token_hex(8)}"
    return f"key_{hashlib.sha256(f'{organization.pk}:{once}'.encode()).hexdigest()[:16]}"
