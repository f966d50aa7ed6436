"""The thread that carries webhooks: sends what is due, in order, and reports how it went."""

from __future__ import annotations

import http.client
import threading
from urllib.parse import urlsplit

from .core import Sandbox
from .webhooks import Delivery

PATIENCE = 10.0
LONGEST_NAP = 0.5


class Courier:
    """Delivers over real sockets until it is stopped. Retries are scheduled on the sandbox's wire clock."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stripe-sandbox-webhooks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        with self._sandbox.lock:
            self._sandbox.changed.notify_all()
        self._thread.join(PATIENCE + 1)

    def _run(self) -> None:
        while not self._stopped.is_set():
            due = self._sandbox.deliveries()
            if due:
                # One at a time: what is due may change with each report.
                self._sandbox.delivered(due[0], send(due[0]))
                continue
            with self._sandbox.lock:
                if not self._sandbox.outbox.due() and not self._stopped.is_set():
                    self._sandbox.changed.wait(min(LONGEST_NAP, self._sandbox.outbox.until_next()))


def send(delivery: Delivery) -> int | None:
    """One attempt: the status, or None when nobody answered in time. Redirects are not followed."""
    parts = urlsplit(delivery.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=PATIENCE)
    try:
        connection.request("POST", parts.path or "/", delivery.body, delivery.headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
