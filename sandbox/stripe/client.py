"""The admin calls as methods, over HTTP or inside the process."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from .wire import Request, Response

Obj = dict[str, Any]


class Refused(Exception):
    """An admin call that was not carried out; the message says why."""


class Admin:
    """What is done to the sandbox from outside. Amounts are cents, times seconds."""

    def __init__(self, handle: Callable[[Request], Response]) -> None:
        self._handle = handle

    @classmethod
    def at(cls, base_url: str) -> Admin:
        """The admin of a sandbox that runs as a process."""
        return cls(lambda request: _over_http(base_url, request))

    def call(self, method: str, path: str, /, **given: Any) -> Any:
        body = json.dumps(given).encode() if method == "POST" else b""
        response = self._handle(Request(method, f"/_sandbox{path}", body=body))
        answer = json.loads(response.body)
        if response.status != 200:
            raise Refused(answer["error"]["message"])
        return answer

    # Faults.
    def fault(self, kind: str, **how: Any) -> int:
        """Add a fault; `how` are the other fields of `faults.Fault`, unknown ones are refused. The id of the rule."""
        return int(self.call("POST", "/faults", kind=kind, **how)["id"])

    def clear_faults(self) -> None:
        self.call("DELETE", "/faults")

    def requests(self, method: str = "", path: str = "") -> list[Obj]:
        """The API requests seen, oldest first: id, method, path, status, idempotency_key, fault."""
        seen: list[Obj] = self.call("GET", "/requests")["requests"]
        return [row for row in seen if method in ("", row["method"]) and path in ("", row["path"])]

    # Customers and their banks.
    def pay(
        self,
        session_id: str,
        card: str = "4242424242424242",
        *,
        authenticate: bool | None = None,
        save: bool = False,
        name: str | None = None,
    ) -> Obj:
        """Fill in the hosted page. `{"result": "paid"|"challenged"|"declined", "message", "code", "session"}`.

        `authenticate` None leaves a challenge open for `authenticate()`.
        """
        given = {"card": card, "authenticate": authenticate, "save": save, "name": name}
        paid: Obj = self.call("POST", f"/checkout/{session_id}/pay", **given)
        return paid

    def authenticate(self, id: str, *, complete: bool = True) -> Obj:
        """Answer the challenge of a payment intent, setup intent or session."""
        answer: Obj = self.call("POST", f"/authenticate/{id}", complete=complete)
        return answer

    def behave(self, card: str, outcome: str, *, count: int | None = None) -> None:
        """Make a payment method (its id) or a card number answer `succeed` or a decline code, `count` times or always."""
        self.call("POST", f"/cards/{card}/behaviour", outcome=outcome, count=count)

    def detach(self, payment_method_id: str) -> Obj:
        answer: Obj = self.call("POST", f"/payment_methods/{payment_method_id}/detach")
        return answer

    # Disputes and refunds.
    def dispute(
        self,
        charge_id: str,
        *,
        amount: int | None = None,
        reason: str = "fraudulent",
        inquiry: bool = False,
        withdraw: bool = True,
    ) -> Obj:
        given = {"amount": amount, "reason": reason, "inquiry": inquiry, "withdraw": withdraw}
        answer: Obj = self.call("POST", f"/charges/{charge_id}/dispute", **given)
        return answer

    def withdraw(self, dispute_id: str) -> Obj:
        return self._dispute(dispute_id, "withdraw")

    def reinstate(self, dispute_id: str) -> Obj:
        return self._dispute(dispute_id, "reinstate")

    def escalate(self, dispute_id: str, *, withdraw: bool = True) -> Obj:
        return self._dispute(dispute_id, "escalate", withdraw=withdraw)

    def win(self, dispute_id: str, *, reinstate: bool = True) -> Obj:
        return self._dispute(dispute_id, "win", reinstate=reinstate)

    def lose(self, dispute_id: str) -> Obj:
        return self._dispute(dispute_id, "lose")

    def drop_inquiry(self, dispute_id: str) -> Obj:
        return self._dispute(dispute_id, "drop")

    def _dispute(self, dispute_id: str, step: str, **given: Any) -> Obj:
        answer: Obj = self.call("POST", f"/disputes/{dispute_id}/{step}", **given)
        return answer

    def refund(self, charge_id: str, *, amount: int | None = None, reason: str = "requested_by_customer") -> Obj:
        """A refund made in the dashboard."""
        answer: Obj = self.call("POST", f"/charges/{charge_id}/refund", amount=amount, reason=reason)
        return answer

    def succeed_refund(self, refund_id: str) -> Obj:
        answer: Obj = self.call("POST", f"/refunds/{refund_id}/succeed")
        return answer

    def fail_refund(self, refund_id: str) -> Obj:
        answer: Obj = self.call("POST", f"/refunds/{refund_id}/fail")
        return answer

    # Books, clock, webhooks.
    def books(self) -> Obj:
        """What each card and customer really paid: `totals`, `cards`, `customers`, `charges`, in cents."""
        answer: Obj = self.call("GET", "/books")
        return answer

    def now(self) -> int:
        return int(self.call("GET", "/clock")["now"])

    def set_clock(self, now: int | str) -> int:
        return int(self.call("POST", "/clock", now=now)["now"])

    def advance(self, seconds: float) -> int:
        return int(self.call("POST", "/clock", advance=seconds)["now"])

    def webhooks(self) -> Obj:
        """`{"url", "paused", "deliveries": [{"event", "type", "state", "attempts", "statuses", ...}]}`"""
        answer: Obj = self.call("GET", "/webhooks")
        return answer

    def endpoint(self, url: str | None, secret: str | None = None) -> None:
        self.call("POST", "/webhooks/endpoint", url=url, **({"secret": secret} if secret else {}))

    def pause_webhooks(self) -> None:
        self.call("POST", "/webhooks/pause")

    def resume_webhooks(self) -> None:
        self.call("POST", "/webhooks/resume")

    def flush_webhooks(self) -> None:
        """Resume, and send now what is held, delayed or waiting for a retry."""
        self.call("POST", "/webhooks/flush")

    def resend(self, event_id: str) -> None:
        self.call("POST", f"/events/{event_id}/resend")

    def reset(self) -> None:
        self.call("POST", "/reset")


def _over_http(base_url: str, request: Request) -> Response:
    asked = urllib.request.Request(base_url + request.path, data=request.body or None, method=request.method)
    if request.body:
        asked.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return Response(answer.status, answer.read())
    except urllib.error.HTTPError as error:
        return Response(error.code, error.read())
