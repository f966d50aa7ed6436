"""Reserved capacity of Acme Research from March 2026 on. Stripe's sandbox is there where a test asks for `stripe`."""

import pytest

from tests.factories.paying import stripe

__all__ = ["stripe"]


@pytest.fixture(autouse=True)
def the_books_are_right(books_are_right: None) -> None:
    """Whatever these tests do to money, every promise holds afterwards."""
