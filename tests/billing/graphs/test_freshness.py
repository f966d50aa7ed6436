"""Through when a page is complete."""

from datetime import timedelta

import pytest

from billing.graphs import freshness
from billing.metering.models import SweepRun
from tests.billing.graphs.conftest import NOW

pytestmark = pytest.mark.django_db


def run(ago: int, behind: int | None) -> None:
    """A sweep that ran `ago` seconds before NOW and was complete through `behind` seconds before itself."""
    at = NOW - timedelta(seconds=ago)
    through = at - timedelta(seconds=behind) if behind is not None else None
    SweepRun.objects.create(at=at, complete_through=through, rows=0, milliseconds=1)


def test_nothing_was_reported_yet() -> None:
    fresh = freshness.of_charges(now=NOW)
    assert (fresh.through, fresh.usual, fresh.stale) == (None, None, False)


def test_the_usual_delay_is_the_median_of_recent_runs() -> None:
    for ago, behind in ((3, 6), (8, 8), (13, 300)):
        run(ago, behind)
    fresh = freshness.of_charges(now=NOW)
    assert fresh.through == NOW - timedelta(seconds=9)
    assert (fresh.behind, fresh.usual) == (timedelta(seconds=9), timedelta(seconds=8))
    assert not fresh.stale


def test_a_run_that_could_not_charge_everybody_says_nothing_about_completeness() -> None:
    run(600, 8)
    for ago in range(0, 590, 5):
        run(ago, None)
    fresh = freshness.of_charges(now=NOW)
    assert fresh.behind == timedelta(seconds=608)
    assert fresh.stale


def test_a_sweep_that_stands_still_is_stale_after_five_minutes() -> None:
    run(292, 8)
    assert not freshness.of_charges(now=NOW).stale
    assert freshness.of_charges(now=NOW + timedelta(seconds=1)).stale
