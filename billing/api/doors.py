"""The frame of every JSON door: who may come in, what a body may be, and how an error is told.

    @doors.door("POST")
    @doors.gateway
    def report(request: doors.GatewayRequest) -> HttpResponse:
        ask = doors.body(request, Ask)

Every answer is JSON. Errors are `{"error": {"code", "detail", "at"?}}`; a `doors.Problem` raised anywhere becomes one.
"""

import gzip
import hashlib
import io
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any, TypeVar

import msgspec
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.request import RawPostDataException, UnreadablePostError

from billing.api import strict
from billing.metering import gateways
from orgs import throttle

MOST_BYTES = 5 * 1024 * 1024
"""The largest body, after decompression."""

CHUNK = 64 * 1024
T = TypeVar("T")
View = Callable[..., HttpResponse]


class Problem(Exception):
    """An answer other than the wanted one: `{"error": {"code", "detail", **extra}}` with its HTTP status."""

    def __init__(
        self, status: int, code: str, detail: str, *, headers: dict[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.extra = status, code, detail, extra
        self.headers = headers or {}

    def answer(self) -> HttpResponse:
        return reply({"error": {"code": self.code, "detail": self.detail, **self.extra}}, self.status, self.headers)


class GatewayRequest(HttpRequest):
    """A request that came with a gateway's token."""

    gateway: gateways.Known


def reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """`value` as JSON, never to be cached by anybody between."""
    answer = HttpResponse(msgspec.json.encode(value), status=status, content_type="application/json", headers=headers)
    answer.headers.setdefault("Cache-Control", "no-store")
    return answer


def door(*methods: str) -> Callable[[View], View]:
    """The outermost frame of a JSON door: methods, problems as JSON, a database that is away as 503."""

    def frame(view: View) -> View:
        @wraps(view)
        def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                if request.method not in methods:
                    allowed = ", ".join(methods)
                    raise Problem(405, "method_not_allowed", f"this door takes {allowed}", headers={"Allow": allowed})
                return view(request, *args, **kwargs)
            except Problem as problem:
                return problem.answer()
            except (OperationalError, InterfaceError):
                return away().answer()

        # Machines bring a token of their own and no cookie, so there is nothing to forge.
        answered.csrf_exempt = True  # type: ignore[attr-defined]
        return answered

    return frame


def away() -> Problem:
    """Nothing was kept: the gateway sends the same again a little later."""
    detail = "Purser cannot keep this at the moment; nothing was stored, send the same again"
    return Problem(503, "unavailable", detail, headers={"Retry-After": "1"})


# --- Who may come in -----------------------------------------------------------------------------------------------------


def gateway(view: View) -> View:
    """Lets only gateways in, by their bearer token; `request.gateway` then says which one."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            request.gateway = _recognised(request)  # type: ignore[attr-defined]
            return view(request, *args, **kwargs)
        except Problem as problem:
            return problem.answer()

    guarded.csrf_exempt = True  # type: ignore[attr-defined]
    return guarded


def bearer(request: HttpRequest) -> str:
    """The bearer token of the request, or a 401."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _unknown("send the token as `Authorization: Bearer ...`")
    return token.strip()


def taken(what: str, who: str) -> None:
    """Count this call; beyond its rate it is a 429 that says when to come again. Nothing was read or stored."""
    try:
        throttle.take(what, who, now=datetime.now(UTC))
    except throttle.TooOften as refusal:
        detail = f"more calls than this door takes; nothing was stored, send the same again in {refusal.retry_after} s"
        raise Problem(429, "too_many_requests", detail, headers={"Retry-After": str(refusal.retry_after)}) from None


def _recognised(request: HttpRequest) -> gateways.Known:
    """The gateway whose token this is. Tokens that nobody knows are counted by the address they come from."""
    known = gateways.recognise(
        hashlib.sha256(bearer(request).encode("utf-8", "replace")).digest(),
        now=datetime.now(UTC),
        tick=time.monotonic(),
    )
    if known is None:
        taken(throttle.UNKNOWN_TOKEN, throttle.address(request))
        raise _unknown("this gateway token is unknown, expired or revoked")
    taken(throttle.GATEWAY, str(known.id))
    return known


def _unknown(detail: str) -> Problem:
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="Purser"'})


# --- What a body may be --------------------------------------------------------------------------------------------------


def body(request: HttpRequest, kind: type[T]) -> T:
    """The JSON body as `kind` (a msgspec struct with `forbid_unknown_fields`), or a 4xx with the place of the fault."""
    try:
        return strict.decode(read(request), kind)
    except strict.Unreadable as fault:
        raise unreadable(fault) from None


def unreadable(fault: strict.Unreadable) -> Problem:
    place: dict[str, Any] = {"at": fault.at} if fault.at else {}
    return Problem(400, "invalid_body", fault.detail, **place)


def read(request: HttpRequest) -> bytes:
    """The body's bytes, decompressed: JSON by its content type, not empty, at most 5 MB."""
    kind, _, parameters = request.headers.get("Content-Type", "").partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if kind.strip().lower() != "application/json" or charset not in ("", "utf-8"):
        raise Problem(415, "unsupported_media_type", "send application/json in UTF-8")
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise Problem(
            415, "unsupported_encoding", "Content-Encoding may be gzip or absent", headers={"Accept-Encoding": "gzip"}
        )
    raw = _received(request)
    return _inflated(raw) if encoding == "gzip" else raw


def _received(request: HttpRequest) -> bytes:
    try:
        if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BYTES:
            raise _too_large()
        raw = request.read(MOST_BYTES + 1)
    except (UnreadablePostError, RawPostDataException, ValueError) as cut:
        raise Problem(400, "invalid_body", "the body did not arrive whole") from cut
    if len(raw) > MOST_BYTES:
        raise _too_large()
    if not raw:
        raise Problem(400, "invalid_body", "the body is empty", at="$")
    return bytes(raw)


def _inflated(raw: bytes) -> bytes:
    """Decompressed piece by piece, so that a small bomb never becomes a large body."""
    pieces: list[bytes] = []
    size = 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
            while piece := stream.read(CHUNK):
                size += len(piece)
                if size > MOST_BYTES:
                    raise _too_large()
                pieces.append(piece)
    except (OSError, EOFError, zlib.error) as broken:
        raise Problem(400, "invalid_gzip", "the body is not whole gzip data") from broken
    if not size:
        raise Problem(400, "invalid_body", "the body is empty", at="$")
    return b"".join(pieces)


def _too_large() -> Problem:
    return Problem(413, "too_large", "a body has at most 5 MB after decompression: send smaller batches")
