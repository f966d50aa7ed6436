"""Stories of months, told through the real code on a clock of their own. After each of them the books are right."""

import pytest

from tests.factories.paying import stripe

__all__ = ["stripe"]


@pytest.fixture(autouse=True)
def the_books_are_right(books_are_right: None) -> None:
    """Whatever happens in a story, every promise holds afterwards."""
