"""Which price holds when. A version lasts until the model's next one, so versions can neither gap nor overlap (A32)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from billing.catalog.offer import Version


class Priced(Protocol):
    """What has price versions, in order of their start."""

    @property
    def prices(self) -> Sequence[Version]: ...


class NoPrice(LookupError):
    """The model had no price at that moment: nothing can be sold or charged."""


def in_force(model: Priced, at: datetime) -> Version:
    """The version of the greatest `valid_from` that is not after `at`, or `NoPrice`."""
    started = [version for version in model.prices if version.valid_from <= at]
    if not started:
        raise NoPrice(f"No price was in force at {at.isoformat()}.")
    return started[-1]


def coming(model: Priced, after: datetime) -> Version | None:
    """The next announced version, None while no change is announced."""
    return next((version for version in model.prices if version.valid_from > after), None)
