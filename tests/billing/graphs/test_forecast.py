"""When credit ends at a steady pace."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from billing.graphs import forecast
from billing.graphs.forecast import Unused
from billing.ledger.burndown import Source

NOW = datetime(2026, 4, 14, 12, tzinfo=UTC)


def grant(id_: int, usd: str, days: int, *, promotional: bool = False) -> Source:
    return Source(id_, Decimal(usd), NOW + timedelta(days=days), promotional)


def test_credit_lasts_as_long_as_it_lasts() -> None:
    ahead = forecast.run_out([grant(1, "100", 365)], Decimal(8), now=NOW)
    assert ahead is not None
    assert ahead.ends_at == NOW + timedelta(days=12, hours=12)
    assert ahead.unused == ()


def test_grants_burn_down_one_after_the_other() -> None:
    ahead = forecast.run_out([grant(2, "50", 300), grant(1, "10", 20)], Decimal(10), now=NOW)
    assert ahead is not None
    assert ahead.ends_at == NOW + timedelta(days=6)


def test_what_expires_before_it_is_used_is_said() -> None:
    ahead = forecast.run_out([grant(1, "60", 3), grant(2, "20", 300)], Decimal(10), now=NOW)
    assert ahead is not None
    assert ahead.unused == (Unused(1, Decimal(30)),)
    assert ahead.ends_at == NOW + timedelta(days=5)


def test_everything_may_expire_first() -> None:
    ahead = forecast.run_out([grant(1, "365", 30), grant(2, "5", 30, promotional=True)], Decimal(1), now=NOW)
    assert ahead is not None
    assert ahead.ends_at == NOW + timedelta(days=30)
    assert ahead.unused == (Unused(1, Decimal(340)),)


def test_nothing_is_foretold_without_credit_or_pace() -> None:
    assert forecast.run_out([], Decimal(10), now=NOW) is None
    assert forecast.run_out([grant(1, "10", -1)], Decimal(10), now=NOW) is None
    assert forecast.run_out([grant(1, "10", 30)], Decimal("0.001"), now=NOW) is None
