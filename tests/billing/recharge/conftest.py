import pytest

from tests.factories.paying import stripe

__all__ = ["stripe"]


@pytest.fixture(autouse=True)
def the_books_are_right(books_are_right: None) -> None:
    """Whatever these tests do to money, every promise holds afterwards."""
