"""Asking Stripe about one thing after the other: one that fails does not stop the others."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog

from billing.payments import gateway

log = structlog.get_logger(__name__)

Asked = TypeVar("Asked")


def about_each(due: Iterable[Asked], ask: Callable[[Asked], object], *, what: str) -> int:
    """Ask about each; answers how many could be asked. `what` they are (`refund`) names them in the log."""
    asked = 0
    for one in due:
        try:
            ask(one)
            asked += 1
        except (gateway.Unknown, gateway.Refused, gateway.Declined) as error:
            log.warning(f"{what}_not_read", error=str(error), **{what: str(one)})
        except Exception:
            log.exception(f"{what}_not_polled", **{what: str(one)})
    return asked
