"""Everything that can go wrong with one call to Stripe, by name, and how it is brought about at the sandbox."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from requests import RequestException
from requests.adapters import HTTPAdapter

from sandbox.stripe import Running

Send = Callable[..., Any]

REFUSED_LINE = "refused line"
PATIENCE = 30.0
"""Seconds that Purser waits for an answer in these tests: a call that no trouble meets is never given up."""
SOON = 0.05
"""Seconds that it waits for one that no answer will come to."""
LATE = 60.0
"""Seconds that a call hangs which is given up: more than anything else here takes."""
NEVER = 0.0
"""Seconds that the sandbox itself waits with a slow call: it is done when `with_call` ends."""


@dataclass(frozen=True)
class Trouble:
    """`fault` is what the sandbox is told. `final`: Stripe said no, so a first call of this kind had no effect for sure."""

    name: str
    fault: dict[str, Any] = field(default_factory=dict)
    final: bool = False

    @property
    def had_effect(self) -> bool:
        """Whether Stripe did what was asked all the same."""
        return self.fault.get("moment") == "after" or self.fault.get("kind") == "slow"

    def __str__(self) -> str:
        return self.name


def _both(name: str, **fault: Any) -> tuple[Trouble, Trouble]:
    return (
        Trouble(f"{name} before", {**fault, "moment": "before"}),
        Trouble(f"{name} after", {**fault, "moment": "after"}),
    )


TROUBLES: tuple[Trouble, ...] = (
    Trouble("connection refused", {"kind": REFUSED_LINE}),
    *_both("connection reset", kind="reset"),
    *_both("time-out", kind="timeout", seconds=LATE),
    Trouble("done after we gave up", {"kind": "slow", "seconds": LATE}),
    Trouble("400 invalid request", {"kind": "refuse", "status": 400}, final=True),
    Trouble("401 key expired", {"kind": "refuse", "status": 401}, final=True),
    Trouble("402 card error", {"kind": "refuse", "status": 402}, final=True),
    Trouble("403 not permitted", {"kind": "refuse", "status": 403}, final=True),
    Trouble("404 no such object", {"kind": "refuse", "status": 404}, final=True),
    Trouble("409 key in use", {"kind": "refuse", "status": 409}),
    Trouble("429", {"kind": "rate_limit"}),
    Trouble("429 with Retry-After", {"kind": "rate_limit", "retry_after": 30}),
    *_both("500", kind="error", status=500),
    Trouble("500 after, key forgot", {"kind": "error", "status": 500, "moment": "after", "stored": False}),
    *_both("502 page", kind="error", status=502, body="page", stored=False),
    Trouble("503 page", {"kind": "error", "status": 503, "body": "page"}),
    *_both("200 page", kind="spoil", body="page"),
    Trouble("200 nothing", {"kind": "spoil", "body": "nothing", "moment": "after"}),
    Trouble("200 cut short", {"kind": "spoil", "body": "cut", "moment": "after"}),
    Trouble("200 empty object", {"kind": "spoil", "body": "empty", "moment": "after"}),
    Trouble("200 list", {"kind": "spoil", "body": "list", "moment": "after"}),
    Trouble("200 null", {"kind": "spoil", "body": "null", "moment": "after"}),
    Trouble("200 text", {"kind": "spoil", "body": "text", "moment": "after"}),
    Trouble("200 all null", {"kind": "spoil", "body": "nulls", "moment": "after"}),
    Trouble("200 wrong types", {"kind": "spoil", "body": "mistyped", "moment": "after"}),
    Trouble("200 figures as texts", {"kind": "spoil", "body": "figures as texts", "moment": "after"}),
)
BY_NAME = {trouble.name: trouble for trouble in TROUBLES}


@dataclass
class Struck:
    """How often a trouble struck so far; its first `count` matching calls go wrong."""

    count: int
    hits: int = 0


@contextmanager
def with_call(
    stripe: Running, method: str, path: str, trouble: Trouble, *, count: int = 1, skip: int = 0
) -> Iterator[Struck]:
    """Within, the next calls of this method and path (a pattern) get into this trouble; afterwards all is well again."""
    struck = Struck(count)
    kind = trouble.fault.get("kind")
    if kind == REFUSED_LINE:
        with _nobody_listens(method, path, struck, skip):
            yield struck
        return
    number = stripe.admin.fault(**trouble.fault, method=method, path=path, count=count, skip=skip)
    try:
        if kind in ("timeout", "slow"):
            with _given_up(stripe, method, path, count, skip):
                yield struck
        else:
            yield struck
    finally:
        (rule,) = [rule for rule in stripe.admin.call("GET", "/faults")["faults"] if rule["id"] == number]
        struck.hits = rule["hits"]
        stripe.admin.clear_faults()
        stripe.sandbox.run_late()


@contextmanager
def _sending(method: str, path: str, struck: Struck, skip: int, otherwise: Send) -> Iterator[None]:
    """The calls that a trouble is for are sent `otherwise`: the real library meets it."""
    send, left = HTTPAdapter.send, [skip]

    def sent(self: HTTPAdapter, request: Any, *args: Any, **options: Any) -> Any:
        path_ = urlsplit(request.url).path
        if request.method == method and fnmatchcase(path_, path) and struck.hits < struck.count:
            if not left[0]:
                struck.hits += 1
                return otherwise(partial(send, self), request, *args, **options)
            left[0] -= 1
        return send(self, request, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HTTPAdapter, "send", sent)
        yield


@contextmanager
def _nobody_listens(method: str, path: str, struck: Struck, skip: int) -> Iterator[None]:
    """These calls go to a port on which nobody listens: they are really refused."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def misdirected(send: Send, request: Any, *args: Any, **options: Any) -> Any:
        request.url = urlsplit(request.url)._replace(netloc=f"127.0.0.1:{port}").geturl()
        return send(request, *args, **options)

    with _sending(method, path, struck, skip, misdirected):
        yield


@contextmanager
def _given_up(stripe: Running, method: str, path: str, count: int, skip: int) -> Iterator[None]:
    """These calls are never answered: they really time out, and soon, but not before Stripe has done its part."""

    def impatient(send: Send, request: Any, *args: Any, **options: Any) -> Any:
        done = _gone_wrong(stripe)
        try:
            return send(request, *args, **{**options, "timeout": SOON})
        except RequestException:
            for _ in range(10_000):
                if _gone_wrong(stripe) > done:
                    break
                time.sleep(0.001)
            raise

    with _sending(method, path, Struck(count), skip, impatient):
        yield


def _gone_wrong(stripe: Running) -> int:
    """How many calls the sandbox is done with that a fault has struck."""
    with stripe.sandbox.lock:
        return len([row for row in stripe.sandbox.requests if "fault" in row])
