"""The admin calls under `/_sandbox/`: what a test, a demo or a curious developer does that Stripe's API does not offer.

JSON in, JSON out. A path is matched literally but for its ids. Everything here happens under the sandbox's lock.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from . import balance, cards, charging, checkout, disputes, errors, faults, intents, methods, refunds, setups, webhooks
from .books import Obj
from .wire import Request, Response, json_response
from .world import World

if TYPE_CHECKING:
    from .core import Sandbox

Given = dict[str, Any]
Handler = Callable[["Sandbox", str, Given], Any]


def answer(sandbox: Sandbox, request: Request) -> Response:
    """The response to one admin call; refusals have the same shape as Stripe's."""
    path = request.path.removeprefix("/_sandbox")
    try:
        for method, pattern, handler in CALLS:
            found = pattern.fullmatch(path)
            if found and method == request.method:
                id = found.groupdict().get("id", "")
                return json_response(200, handler(sandbox, id, request.json() if method == "POST" else {}))
    except errors.ApiError as error:
        return json_response(error.status, error.body("admin"))
    except (ValueError, TypeError, KeyError) as error:
        return json_response(400, errors.ApiError(f"Not understood: {error!r}").body("admin"))
    return json_response(404, errors.ApiError(f"No admin call {request.method} {request.path}.").body("admin"))


def _pay(sandbox: Sandbox, id: str, given: Given) -> Obj:
    """Complete a Checkout session as a customer at the page would; `authenticate` answers a challenge."""
    world = sandbox.world
    year = datetime.fromtimestamp(world.now(), UTC).year + 3
    card = {"number": str(given.get("card", "4242424242424242")), "exp_month": 12, "exp_year": year, "cvc": "123"}
    result = checkout.pay(world, id, card, save=bool(given.get("save")), name=given.get("name"))
    if isinstance(result, checkout.Challenged) and given.get("authenticate") is not None:
        result = checkout.authenticate(world, id, complete=bool(given["authenticate"]))
    words = {checkout.Paid: "paid", checkout.Challenged: "challenged", checkout.Refused: "declined"}
    refused = result if isinstance(result, checkout.Refused) else None
    return {
        "result": words[type(result)],
        "message": refused.message if refused else None,
        "code": refused.code if refused else None,
        "session": world.find("checkout.session", id),
    }


def _authenticate(sandbox: Sandbox, id: str, given: Given) -> Obj:
    """Answer the challenge of an intent or a Checkout session."""
    world, complete = sandbox.world, bool(given.get("complete", True))
    held = world.books.get("session_of", id)
    if id.startswith("cs_") or held:
        session_id = held["session"] if held else id
        checkout.authenticate(world, session_id, complete=complete)
        return world.find("checkout.session", session_id)
    kind = "setup_intent" if id.startswith("seti_") else "payment_intent"
    intent = world.find(kind, id)
    (setups if kind == "setup_intent" else intents).authenticate(world, intent, complete=complete)
    return intent


def _behave(sandbox: Sandbox, id: str, given: Given) -> Obj:
    outcome = given["outcome"]
    if outcome != "succeed" and outcome not in cards.DECLINES:
        raise errors.invalid(f"Unknown outcome {outcome}: succeed, or one of {', '.join(cards.DECLINES)}.")
    if id.startswith("pm_"):
        sandbox.world.find("payment_method", id)
    elif id not in cards.BY_NUMBER:
        raise errors.invalid(f"{id} is neither a payment method nor a test card.")
    return charging.behave(sandbox.world, id, outcome, given.get("count"))


def _dispute(sandbox: Sandbox, id: str, given: Given) -> Obj:
    return disputes.open(sandbox.world, sandbox.world.find("charge", id), **given)


def _dispute_step(step: str) -> Handler:
    steps: dict[str, Callable[..., Obj]] = {
        "withdraw": disputes.take,
        "reinstate": disputes.give_back,
        "escalate": disputes.escalate,
        "win": disputes.win,
        "lose": disputes.lose,
        "drop": disputes.drop,
    }
    return lambda sandbox, id, given: steps[step](sandbox.world, sandbox.world.find("dispute", id), **given)


def _refund(sandbox: Sandbox, id: str, given: Given) -> Obj:
    """A refund made in the dashboard: no metadata of ours, no idempotency key, any reason."""
    charge = sandbox.world.find("charge", id)
    amount = refunds.checked_amount(sandbox.world, charge, given.get("amount"))
    return refunds.make(sandbox.world, charge, amount, given.get("reason", "requested_by_customer"), {})


def _refund_step(step: Callable[[World, Obj], Obj]) -> Handler:
    return lambda sandbox, id, given: step(sandbox.world, sandbox.world.find("refund", id))


def _detach(sandbox: Sandbox, id: str, given: Given) -> Obj:
    return methods.detach(sandbox.world, id, {})


def _clock(sandbox: Sandbox, id: str, given: Given) -> Obj:
    """Move the sandbox's time: `{"advance": seconds}`, `{"now": unix seconds or ISO}` or `{"reset": true}`."""
    world = sandbox.world
    offset = float(world.books.setting("clock_offset", 0))
    if given.get("reset"):
        offset = 0.0
    elif "advance" in given:
        offset += float(given["advance"])
    elif "now" in given:
        now = given["now"]
        wanted = datetime.fromisoformat(now).timestamp() if isinstance(now, str) else float(now)
        offset = wanted - world.clock()
    world.books.set("clock_offset", offset)
    return {"now": world.now(), "offset": offset}


def _webhooks(sandbox: Sandbox, id: str, given: Given) -> Obj:
    paused = sandbox.books.setting("webhooks_paused", False)
    return {"url": sandbox.settings.webhook_url, "paused": paused, "deliveries": sandbox.outbox.listed()}


def _endpoint(sandbox: Sandbox, id: str, given: Given) -> Obj:
    """Where webhooks go from now on, this machine only; `secret` stays unless it is given."""
    webhooks.check_endpoint(given["url"])
    sandbox.settings.webhook_url = given["url"]
    sandbox.settings.webhook_secret = given.get("secret", sandbox.settings.webhook_secret)
    return _webhooks(sandbox, id, given)


def _pause(paused: bool) -> Handler:
    def handler(sandbox: Sandbox, id: str, given: Given) -> Obj:
        sandbox.outbox.pause(paused)
        return _webhooks(sandbox, id, given)

    return handler


def _flush(sandbox: Sandbox, id: str, given: Given) -> Obj:
    sandbox.outbox.pause(False)
    sandbox.outbox.flush()
    return _webhooks(sandbox, id, given)


def _resend(sandbox: Sandbox, id: str, given: Given) -> Obj:
    sandbox.outbox.resend(sandbox.world.find("event", id))
    return _webhooks(sandbox, id, given)


def _add_fault(sandbox: Sandbox, id: str, given: Given) -> Obj:
    return {"id": sandbox.faults.add(faults.from_json(given)).id}


def _clear_faults(sandbox: Sandbox, id: str, given: Given) -> Obj:
    sandbox.faults.clear()
    return {}


def _reset(sandbox: Sandbox, id: str, given: Given) -> Obj:
    sandbox.reset()
    return {}


def _call(method: str, path: str, handler: Handler) -> tuple[str, re.Pattern[str], Handler]:
    return method, re.compile(path.replace("{id}", r"(?P<id>[^/]+)")), handler


CALLS = (
    _call("GET", "/health", lambda sandbox, id, given: {"status": "ok", "now": sandbox.world.now()}),
    _call("GET", "/books", lambda sandbox, id, given: balance.report(sandbox.books)),
    _call("GET", "/requests", lambda sandbox, id, given: {"requests": list(sandbox.requests)}),
    _call("GET", "/faults", lambda sandbox, id, given: {"faults": sandbox.faults.listed()}),
    _call("POST", "/faults", _add_fault),
    _call("DELETE", "/faults", _clear_faults),
    _call("GET", "/clock", lambda sandbox, id, given: _clock(sandbox, id, {})),
    _call("POST", "/clock", _clock),
    _call("POST", "/reset", _reset),
    _call("POST", "/checkout/{id}/pay", _pay),
    _call("POST", "/authenticate/{id}", _authenticate),
    _call("POST", "/cards/{id}/behaviour", _behave),
    _call("POST", "/payment_methods/{id}/detach", _detach),
    _call("POST", "/charges/{id}/dispute", _dispute),
    _call("POST", "/charges/{id}/refund", _refund),
    _call("POST", "/refunds/{id}/succeed", _refund_step(refunds.succeed)),
    _call("POST", "/refunds/{id}/fail", _refund_step(refunds.fail)),
    *(
        _call("POST", f"/disputes/{{id}}/{step}", _dispute_step(step))
        for step in ("withdraw", "reinstate", "escalate", "win", "lose", "drop")
    ),
    _call("GET", "/webhooks", _webhooks),
    _call("POST", "/webhooks/endpoint", _endpoint),
    _call("POST", "/webhooks/pause", _pause(True)),
    _call("POST", "/webhooks/resume", _pause(False)),
    _call("POST", "/webhooks/flush", _flush),
    _call("POST", "/events/{id}/resend", _resend),
)
