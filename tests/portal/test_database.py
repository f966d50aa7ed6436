"""How the portal talks to PostgreSQL."""

import pytest
from django.db import connection

pytestmark = pytest.mark.django_db


def test_nothing_is_compiled_for_look_ups_over_many_days() -> None:
    """With a partition for each day of a year, compiling a look-up takes seconds and running it milliseconds."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW jit")
        assert cursor.fetchone() == ("off",)
