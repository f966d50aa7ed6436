"""Events on their way to the merchant: signed, retried with growing pauses; lost, doubled, late or out of
order on demand.

Deliveries live in the books, so what was not delivered before a restart is delivered after it. Sending is somebody
else's work: a thread (`courier.py`) or a test that pulls `due` and says how it went with `report`.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from . import errors
from .books import Books, Obj
from .faults import Fault, Faults
from .world import Settings


@dataclass(frozen=True)
class Delivery:
    """One attempt. `headers` carry the signature over exactly `body`."""

    id: str
    event_id: str
    event_type: str
    url: str
    attempt: int
    headers: dict[str, str]
    body: bytes


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """The value of the `Stripe-Signature` header."""
    mac = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"t={timestamp},v1={mac.hexdigest()}"


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def check_endpoint(url: str | None) -> None:
    """Raises `ApiError` (400) unless the address is on this machine."""
    if url is None:
        return
    parts = urlsplit(url)
    if parts.scheme != "http" or not is_loopback(parts.hostname):
        raise errors.invalid(f"The sandbox sends webhooks to this machine only (http://127.0.0.1/...), not to {url}.")


class Outbox:
    def __init__(
        self,
        books: Books,
        settings: Settings,
        faults: Faults,
        wire_clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._books, self._settings, self._faults = books, settings, faults
        self._wire_clock, self._new_id = wire_clock, new_id

    def publish(self, event: Obj) -> None:
        """Put an event on its way, unless no endpoint is set or a fault says otherwise."""
        if not self._settings.webhook_url:
            return
        fault = self._faults.for_event(event["type"])
        if fault and fault.kind == "drop":
            self._done(self._add(event), "dropped")
            return
        event["pending_webhooks"] = 1
        if fault and fault.kind == "reorder":
            self._hold(event, fault)
            return
        self._add(event, delay=fault.seconds if fault and fault.kind == "delay" else 0)
        if fault and fault.kind == "double":
            self._add(event)

    def _add(self, event: Obj, *, delay: float = 0, state: str = "pending", group: int | None = None) -> Obj:
        row = {
            "id": self._new_id(),
            "event": event["id"],
            "type": event["type"],
            "state": state,
            "due": self._wire_clock() + delay,
            "attempts": 0,
            "statuses": [],
            "group": group,
        }
        return self._books.add("delivery", row)

    def _hold(self, event: Obj, fault: Fault) -> None:
        """Keep events back until the fault has all it wants, then let them go, last first."""
        self._add(event, state="held", group=fault.id)
        if fault.spent():
            self._let_go([row for row in self._held() if row["group"] == fault.id])

    def _held(self) -> list[Obj]:
        return [row for row in self._books.oldest_first("delivery") if row["state"] == "held"]

    def _let_go(self, rows: list[Obj]) -> None:
        """Due at once, the last one first: deliveries due at the same time go in the order of the table."""
        for row in reversed(rows):
            self._books.remove("delivery", row["id"])
            self._books.add("delivery", row | {"state": "pending", "due": self._wire_clock()})

    def pause(self, paused: bool) -> None:
        self._books.set("webhooks_paused", paused)

    def flush(self) -> None:
        """Make everything due now: what is held, what is delayed, what waits for its next attempt."""
        self._let_go(self._held())
        for row in self._pending():
            row["due"] = min(row["due"], self._wire_clock())
            self._books.save("delivery", row)

    def resend(self, event: Obj) -> None:
        """Send an event once more, as the dashboard can."""
        event["pending_webhooks"] = 1
        self._books.save("event", event)
        self._add(event)

    def _pending(self) -> list[Obj]:
        return [row for row in self._books.oldest_first("delivery") if row["state"] == "pending"]

    def due(self) -> list[Delivery]:
        """What should be sent now, in order; the same rows come again until they are reported."""
        if self._books.setting("webhooks_paused", False) or not self._settings.webhook_url:
            return []
        now = self._wire_clock()
        rows = [row for row in self._pending() if row["due"] <= now]
        return [self._delivery(row) for row in sorted(rows, key=lambda row: float(row["due"]))]

    def until_next(self) -> float:
        """Seconds until the next attempt is due on the wire's clock; infinite when nothing waits."""
        if self._books.setting("webhooks_paused", False) or not self._settings.webhook_url:
            return math.inf
        return max(0.0, min((row["due"] for row in self._pending()), default=math.inf) - self._wire_clock())

    def _delivery(self, row: Obj) -> Delivery:
        event = self._books.get("event", row["event"])
        body = json.dumps(event, indent=2).encode()
        timestamp = int(self._wire_clock())
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(self._settings.webhook_secret, timestamp, body),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Cache-Control": "no-cache",
        }
        url = self._settings.webhook_url or ""
        return Delivery(row["id"], row["event"], row["type"], url, row["attempts"] + 1, headers, body)

    def report(self, delivery_id: str, status: int | None) -> None:
        """How an attempt went: the HTTP status, or None when nobody answered. Anything but 2xx is tried again."""
        row = self._books.get("delivery", delivery_id)
        if row is None:
            return
        row["attempts"] += 1
        row["statuses"].append(status)
        if status is not None and 200 <= status < 300:
            self._done(row, "delivered")
        elif row["attempts"] >= self._settings.webhook_attempts:
            self._done(row, "failed")
        else:
            delays = self._settings.retry_delays
            row["due"] = self._wire_clock() + delays[min(row["attempts"], len(delays)) - 1]
            self._books.save("delivery", row)
        self._count_pending(row["event"])

    def _done(self, row: Obj, state: str) -> None:
        """Out of the way, into the history."""
        self._books.remove("delivery", row["id"])
        self._books.add("delivery_history", row | {"state": state})

    def listed(self) -> list[Obj]:
        """Every delivery, done ones first."""
        return self._books.oldest_first("delivery_history") + self._books.oldest_first("delivery")

    def _count_pending(self, event_id: str) -> None:
        event = self._books.get("event", event_id)
        if event:
            rows = [row for row in self._books.oldest_first("delivery") if row["event"] == event_id]
            event["pending_webhooks"] = int(bool(rows))
            self._books.save("event", event)
