import logging
from collections.abc import Iterator

import pytest

from billing.limits import reading, resolved
from billing.metering import gateways
from tests.architecture import world as worlds


@pytest.fixture
def world(db: None) -> Iterator[worlds.World]:
    """Two organizations and the whole cast. It takes most of a second, so the tests here loop rather than multiply."""
    _forget()
    # Thousands of requests, none of them interesting to read about.
    logging.disable(logging.CRITICAL)
    yield worlds.made()
    logging.disable(logging.NOTSET)
    _forget()


def _forget() -> None:
    """Nothing is kept in this process from or for other tests."""
    reading.forget()
    resolved.forget()
    gateways.forget()
