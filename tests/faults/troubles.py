"""Everything that can go wrong with one call to Stripe, by name, and how it is brought about at the sandbox."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

import pytest
from requests.adapters import HTTPAdapter

from sandbox.stripe import Running

REFUSED_LINE = "refused line"
PATIENCE = 0.5
"""Seconds that Purser waits for an answer in these tests."""
LATE = 0.8
"""Seconds a slow call takes; a time-out at the sandbox hangs as long."""


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
    if trouble.fault.get("kind") == REFUSED_LINE:
        with _nobody_listens(method, path, struck, skip):
            yield struck
        return
    number = stripe.admin.fault(**trouble.fault, method=method, path=path, count=count, skip=skip)
    try:
        yield struck
    finally:
        (rule,) = [rule for rule in stripe.admin.call("GET", "/faults")["faults"] if rule["id"] == number]
        struck.hits = rule["hits"]
        stripe.admin.clear_faults()
        if trouble.fault.get("kind") == "slow":
            _wait_for_late_calls(stripe, struck.hits)


def _wait_for_late_calls(stripe: Running, late: int) -> None:
    """What Purser gave up on is done before time goes on."""
    for _ in range(2000):
        if len([row for row in stripe.admin.requests() if row.get("fault") == "slow before"]) >= late:
            return
    raise AssertionError("a slow call never came to its end")


@contextmanager
def _nobody_listens(method: str, path: str, struck: Struck, skip: int) -> Iterator[None]:
    """These calls go to a port on which nobody listens: the real library meets a real refusal."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    send, left = HTTPAdapter.send, [skip]

    def misdirected(self: HTTPAdapter, request: Any, *args: Any, **options: Any) -> Any:
        parts = urlsplit(request.url)
        if request.method == method and fnmatchcase(parts.path, path) and struck.hits < struck.count:
            if left[0]:
                left[0] -= 1
            else:
                struck.hits += 1
                request.url = parts._replace(netloc=f"127.0.0.1:{port}").geturl()
        return send(self, request, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HTTPAdapter, "send", misdirected)
        yield
