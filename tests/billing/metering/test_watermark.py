"""Through when usage is complete: the slowest gateway at work decides (A13)."""

from datetime import timedelta

import pytest

from billing.metering import gateways, watermark
from billing.metering.models import Gateway
from tests.billing.metering.conftest import NOW
from tests.factories import usage

pytestmark = pytest.mark.django_db


def says(name: str, seconds_ago: float | None, *, seen: timedelta = timedelta(0)) -> Gateway:
    """A gateway that was here `seen` ago, and then said that all is complete through so many seconds ago."""
    gateway = usage.gateway(name, now=NOW - timedelta(days=30))
    through = None if seconds_ago is None else NOW - timedelta(seconds=seconds_ago)
    gateways.mark_seen(gateway.pk, now=NOW - seen, complete_through=through)
    return gateway


def test_without_gateways_nothing_is_known() -> None:
    assert watermark.complete_through(NOW) is None


def test_the_slowest_decides() -> None:
    says("eu-1", 3)
    says("us-1", 40)
    assert watermark.complete_through(NOW) == NOW - timedelta(seconds=40)


def test_a_gateway_that_was_never_here_does_not_count() -> None:
    says("eu-1", 3)
    usage.gateway("spare", now=NOW)
    assert watermark.complete_through(NOW) == NOW - timedelta(seconds=3)


def test_a_gateway_that_said_nothing_yet_has_nothing_older_than_itself() -> None:
    says("eu-1", 3)
    says("mute", None)
    assert watermark.complete_through(NOW) == NOW - timedelta(days=30)


@pytest.mark.parametrize(("hours", "counts"), [(72, True), (72.01, False)])
def test_silence_counts_for_72_hours(hours: float, counts: bool) -> None:
    says("eu-1", 3)
    says("dead", 400_000, seen=timedelta(hours=hours))
    expected = 400_000 if counts else 3
    assert watermark.complete_through(NOW) == NOW - timedelta(seconds=expected)


def test_a_retired_gateway_holds_nothing_back_until_it_serves_again() -> None:
    says("eu-1", 3)
    gateways.retire(says("us-1", 40), now=NOW)
    assert watermark.complete_through(NOW) == NOW - timedelta(seconds=3)
    gateways.register("us-1", now=NOW)
    assert watermark.complete_through(NOW) == NOW - timedelta(seconds=40)


def test_a_busy_gateway_is_not_written_to_for_nothing() -> None:
    gateway = says("eu-1", 3)
    gateways.mark_seen(gateway.pk, now=NOW + timedelta(seconds=1))
    gateway.refresh_from_db()
    assert gateway.last_seen_at == NOW
    gateways.mark_seen(gateway.pk, now=NOW + timedelta(seconds=6))
    gateway.refresh_from_db()
    assert gateway.last_seen_at == NOW + timedelta(seconds=6)
