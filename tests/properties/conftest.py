"""Who and what the examples share."""

import pytest

from tests.properties.world import Cast


@pytest.fixture
def cast(db: None) -> Cast:
    return Cast()
