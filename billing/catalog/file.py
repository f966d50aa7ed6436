"""The shape of a catalog file (TOML; `first_catalog.toml` shows all of it). Strict: nothing unknown, nothing coerced."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from billing.catalog.offer import MILLION, Version

Slug = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}\Z")]
PlanSlug = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=60)]
UsdPerMillion = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,6})(\.[0-9]{1,6})?\Z")]
"""Text, so that it stays exact; at most 6 decimals, so that a price per token has at most 12 (A32)."""
Cents = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,5}\.[0-9]{2}\Z")]
Count = Annotated[int, Meta(ge=1, le=10**15)]


class CatalogUnreadable(ValueError):
    """The file is missing, is not TOML, or has another shape; the message names the place."""


class PriceEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """USD per million tokens from a moment on. `cached` left out: the same as `input` (A5)."""

    start: Annotated[datetime, Meta(tz=True)] = msgspec.field(name="from")
    input: UsdPerMillion
    output: UsdPerMillion
    cached: UsdPerMillion | None = None

    def version(self) -> Version:
        cached = self.input if self.cached is None else self.cached
        per_token = (Decimal(text) / MILLION for text in (self.input, cached, self.output))
        return Version(self.start.astimezone(UTC), *per_token)


class WindowsEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """A window that is left out is not limited."""

    requests_per_minute: Count | None = None
    requests_per_hour: Count | None = None
    requests_per_day: Count | None = None
    tokens_per_minute: Count | None = None
    tokens_per_hour: Count | None = None
    tokens_per_day: Count | None = None


class TiersEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """A tier that is left out is not offered the model."""

    free: WindowsEntry | None = None
    payg: WindowsEntry | None = None


class ModelEntry(Struct, frozen=True, forbid_unknown_fields=True):
    slug: Slug
    name: Name
    provider: Name
    prices: Annotated[list[PriceEntry], Meta(min_length=1)]
    limits: TiersEntry
    deprecated_on: date | None = None


class PlanEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """`covers`: model slug -> the plan's own rate limits on it."""

    slug: PlanSlug
    name: Name
    price_usd: Cents
    daily_tokens: Count
    rank: Annotated[int, Meta(ge=1, le=1000)]
    covers: Annotated[dict[str, WindowsEntry], Meta(min_length=1)]


class CatalogFile(Struct, frozen=True, forbid_unknown_fields=True):
    models: Annotated[list[ModelEntry], Meta(min_length=1)]
    plans: list[PlanEntry] = []


def read(path: Path) -> CatalogFile:
    """The file as it is, or `CatalogUnreadable`."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=CatalogFile)
    except OSError as missing:
        raise CatalogUnreadable(f"{path}: {missing.strerror}.") from missing
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise CatalogUnreadable(f"{path}: {wrong}.") from wrong
