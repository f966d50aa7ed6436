"""Spans of time."""

from datetime import UTC, datetime, timedelta

import pytest

from billing import periods


def day(number: int) -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=number)


@pytest.mark.parametrize(
    ("spans", "days"),
    [
        ([], 0),
        ([(0, 2)], 0),
        ([(3, 5)], 2),
        ([(0, 20)], 6),
        ([(0, 5), (8, 20)], 3),
        ([(5, 8), (3, 6), (4, 5)], 5),
        ([(3, 3), (10, 12)], 0),
    ],
)
def test_what_lies_within_several_spans_counts_once(spans: list[tuple[int, int]], days: int) -> None:
    """Of the six days from the 3rd to the 9th."""
    assert periods.overlap(day(3), day(9), [(day(a), day(b)) for a, b in spans]) == timedelta(days=days)
