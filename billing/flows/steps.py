"""What several flows do on their way; no occasion of its own."""

from datetime import datetime

from billing.metering import charging
from billing.recharge import levels


def drain(org_id: int, now: datetime) -> None:
    """Whatever it used is charged; is it low by that, then it is remembered. Its wallet is locked."""
    levels.usage_charged(charging.drain([org_id], now=now).charged, now=now)
