"""Faults planted into the process that is killed: this suite must find each of them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from types import SimpleNamespace
from unittest import mock


@contextmanager
def _usage_is_taken_before_it_is_charged() -> Iterator[None]:
    """The sweep without its transaction: what was accepted is gone before anything has paid for it."""
    with mock.patch("billing.metering.charging.transaction", SimpleNamespace(atomic=nullcontext)):
        yield


@dataclass(frozen=True)
class Plant:
    """A guard taken out, the path on which that shows, and what it does there: `lost` or `doubled`."""

    without: Callable[[], AbstractContextManager[None]]
    path: str
    harm: str


PLANTS = {
    "usage is taken before it is charged": Plant(_usage_is_taken_before_it_is_charged, "charge usage", "lost"),
}


def planted(name: str) -> AbstractContextManager[None]:
    """Within this block the fault of that name is there; none where the name is empty."""
    return PLANTS[name].without() if name else nullcontext()
