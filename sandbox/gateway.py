"""An inference gateway as seen by Purser: it asks what a key may do, serves, and reports what it served.

It knows nothing of Purser but the two doors, and holds itself to what is asked of gateways: answers are kept 10 seconds at
most, a batch whose fate is unknown is sent again unchanged, heartbeats go out while there is nothing to report.
"""

import http.client
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sandbox.traces import Served

ANSWER_KEPT = 10.0
HEARTBEAT_EVERY = 20.0
PATIENCE = 300.0
"""Seconds: a gateway that cannot post for five minutes must stop serving."""

TIMEOUT = 30.0
PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
AGAIN = (429, 500, 502, 503, 504)

Say = Callable[[str], object]


class Unreachable(Exception):
    """Purser could not be reached for longer than a gateway may go on."""


class Misunderstood(Exception):
    """Purser answered what no gateway can work with; sending the same again would not help."""


@dataclass
class Door:
    """Purser's address and this gateway's token, over one connection that is kept open."""

    url: str
    token: str
    say: Say
    _connection: http.client.HTTPConnection | None = None

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """Status and answer. No answer, or one that says "later": the same bytes again, with longer and longer pauses."""
        raw = json.dumps(body).encode()
        started = time.monotonic()
        attempt = 0
        while True:
            try:
                status, answer = self._once(path, raw)
                if status not in AGAIN:
                    return status, answer
                trouble = f"HTTP {status}"
            except (OSError, http.client.HTTPException, ValueError) as fault:
                self.close()
                trouble = str(fault) or type(fault).__name__
            if time.monotonic() - started > PATIENCE:
                raise Unreachable(f"{self.url} does not take usage: {trouble}")
            if attempt == len(PAUSES):
                self.say(f"{self.url}: {trouble}; trying again")
            time.sleep(PAUSES[min(attempt, len(PAUSES) - 1)])
            attempt += 1

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _once(self, path: str, raw: bytes) -> tuple[int, Any]:
        if self._connection is None:
            self._connection = self._connected()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        self._connection.request("POST", f"{urlsplit(self.url).path.rstrip('/')}{path}", raw, headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")

    def _connected(self) -> http.client.HTTPConnection:
        place = urlsplit(self.url)
        if place.scheme not in ("http", "https") or not place.hostname:
            raise Misunderstood(f"{self.url!r} is not an address: http://host:port is expected")
        kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
        return kind(place.hostname, place.port, timeout=TIMEOUT)


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a model is not served to a key now, with the remedy in words."""

    status: int
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"HTTP {self.status} {self.reason}: {self.remedy}"


@dataclass
class Caller:
    """A key as the gateway knows it: by the SHA-256 of its secret, and by what Purser last told about it."""

    key_sha256: str
    public_id: str = ""
    models: dict[str, Any] = field(default_factory=dict)
    refused: Stop | None = None
    asked_at: float = -ANSWER_KEPT

    def stop(self, model: str) -> Stop | None:
        """What stands in the way of serving this model."""
        if self.refused is not None:
            return self.refused
        told = self.models.get(model)
        if told is None:
            return Stop(403, "not_offered", f"nothing is said about {model}")
        if told["http_status"] == 200:
            return None
        return Stop(told["http_status"], told["reason"], told["remedy"] or "")


@dataclass
class Tally:
    """What became of the requests so far. `stopped` were not served, `refused` were served and not taken."""

    accepted: int = 0
    duplicate: int = 0
    refused: int = 0
    stopped: int = 0


class Gateway:
    """Serves callers by what Purser lets them do, and reports it."""

    def __init__(self, door: Door, callers: Sequence[str], say: Say) -> None:
        self.door, self.say = door, say
        self.callers = [Caller(key_sha256) for key_sha256 in callers]
        self.tally = Tally()
        self.posted_at = time.monotonic()
        self._said: dict[tuple[int, str], Stop | None] = {}
        self._refusals_said: set[str] = set()

    def may_serve(self, caller: int, model: str) -> Stop | None:
        """None when it may; asks again when the last answer is too old. Says once when that changes."""
        known = self.callers[caller]
        if time.monotonic() - known.asked_at >= ANSWER_KEPT:
            self._ask(known)
        stop = known.stop(model)
        if stop != self._said.get((caller, model)):
            self._said[caller, model] = stop
            self.say(f"{model}: {stop}" if stop else f"{model}: served again")
        return stop

    def report(self, served: Sequence[Served], complete_through: datetime | None) -> None:
        """Posts what may be served; what may not was never served, and is only counted."""
        events = []
        for one in served:
            if self.may_serve(one.caller, one.model) is None:
                events.append(_event(one, self.callers[one.caller].public_id))
            else:
                self.tally.stopped += 1
        body: dict[str, Any] = {"events": events}
        if complete_through is not None:
            body["complete_through"] = complete_through.isoformat()
        status, answer = self.door.post("/api/v1/usage", body)
        if status != 200:
            raise Misunderstood(f"HTTP {status}: {json.dumps(answer)[:500]}")
        self.posted_at = time.monotonic()
        self.tally.accepted += answer["accepted"]
        self.tally.duplicate += answer["duplicate"]
        self.tally.refused += len(answer["refused"])
        self._say_refusals(answer["refused"])

    def heartbeat_due(self) -> bool:
        return time.monotonic() - self.posted_at >= HEARTBEAT_EVERY

    def _ask(self, caller: Caller) -> None:
        status, answer = self.door.post("/api/v1/limits/resolve", {"key_sha256": caller.key_sha256})
        caller.asked_at = time.monotonic()
        if status == 200:
            caller.public_id = answer["key"]
            caller.models = {told["model"]: told for told in answer["models"]}
            caller.refused = None
        elif status == 401 and answer["error"]["code"] != "unauthorized":
            caller.refused = Stop(status, answer["error"]["code"], answer["error"]["detail"])
        else:
            raise Misunderstood(f"HTTP {status}: {json.dumps(answer)[:500]}")

    def _say_refusals(self, refused: Sequence[dict[str, Any]]) -> None:
        for refusal in refused:
            if refusal["reason"] not in self._refusals_said:
                self._refusals_said.add(refusal["reason"])
                self.say(f"refused, {refusal['reason']}: {refusal['detail']}")


def _event(served: Served, public_id: str) -> dict[str, Any]:
    return {
        "id": str(served.id),
        "key": public_id,
        "model": served.model,
        "input_tokens": served.input_tokens,
        "cached_input_tokens": served.cached_input_tokens,
        "output_tokens": served.output_tokens,
        "occurred_at": served.at.isoformat(),
    }


# --- Two ways to work: a trace to its end, or for ever ------------------------------------------------------------------


def replay(gateway: Gateway, served: Sequence[Served], *, end: datetime, speed: float | None, batch: int) -> None:
    """Reports these requests, in order of time. `speed` None: as fast as they are taken; 1: as fast as they came.

    With a speed, the last one is sent when `end` comes.
    """
    last = served[-1].at
    sent = 0
    while sent < len(served):
        due = len(served)
        if speed is not None:
            behind = timedelta(seconds=(end - _now()).total_seconds() * speed)
            due = sent + sum(one.at <= last - behind for one in served[sent : sent + batch])
        part = served[sent : min(due, sent + batch)]
        sent += len(part)
        complete = served[sent].at if sent < len(served) else last
        if part or gateway.heartbeat_due():
            gateway.report(part, min(complete, _now()))
        if speed is not None and sent < len(served):
            time.sleep(1.0)


def serve_forever(
    gateway: Gateway, due: Callable[[datetime, datetime], Sequence[Served]], *, every: float = 2.0
) -> None:
    """Reports what is due, again and again, until it is interrupted. While everything is stopped it keeps asking."""
    done = _now()
    while True:
        time.sleep(every)
        until = _now()
        part = due(done, until)
        if part or gateway.heartbeat_due():
            gateway.report(part, until)
        done = until


def _now() -> datetime:
    return datetime.now(UTC)
