"""Faults planted into the process that is killed: this suite must find each of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from unittest import mock

Plant = Callable[[], Iterator[None]]


def _usage_is_taken_before_it_is_charged() -> Iterator[None]:
    """The sweep without its transaction: what was accepted is gone before anything has paid for it."""
    with mock.patch("billing.metering.charging.transaction", SimpleNamespace(atomic=nullcontext)):
        yield


PLANTS: dict[str, Plant] = {
    "usage is taken before it is charged": _usage_is_taken_before_it_is_charged,
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Within this block the fault of that name is there; none where the name is empty."""
    if not name:
        yield
        return
    with contextmanager(PLANTS[name])():
        yield
