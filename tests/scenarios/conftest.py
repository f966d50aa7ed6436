"""Months of an organization in few words, told with the real tasks at made-up times."""

import pytest


@pytest.fixture(autouse=True)
def the_books_are_right(books_are_right: None) -> None:
    """However a story ends, every promise of the books holds."""
