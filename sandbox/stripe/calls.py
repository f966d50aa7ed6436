"""One API call on its way through: understood, answered, and what a fault makes of the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from . import errors
from .books import Obj
from .faults import Fault
from .idempotency import Stored
from .wire import Fate, Request, Response, json_response
from .world import Settings


@dataclass(frozen=True)
class Call:
    """A request that was understood: its parameters typed, its handler found."""

    request: Request
    request_id: str
    form: str
    fault: Fault | None
    answer: Callable[[Obj], Obj]
    params: Obj

    @property
    def key(self) -> str | None:
        return self.request.headers.get("idempotency-key") if self.request.method == "POST" else None

    def headers(self) -> dict[str, str]:
        headers = headers_of(self.request, self.request_id)
        if self.key:
            headers |= {"Idempotency-Key": self.key, "Original-Request": self.request_id}
        return headers

    def refusal(self, error: errors.ApiError) -> Response:
        return json_response(error.status, error.body(self.request_id), self.headers() | error.headers)

    def sent(self, response: Response) -> Response:
        """The response as it leaves: it may hang, be cut off or be replaced by a 5xx on the way."""
        fault = self.fault
        if fault is None or fault.moment != "after":
            return response
        if fault.kind == "error":
            return self.refusal(broken(fault))
        return replace(response, fate=Fate(reset=True) if fault.kind == "reset" else Fate(hang=fault.seconds))


def headers_of(request: Request, request_id: str) -> dict[str, str]:
    return {"Request-Id": request_id, "Stripe-Version": request.headers.get("stripe-version", Settings.api_version)}


def replayed(stored: Stored, request: Request, request_id: str) -> Response:
    headers = headers_of(request, request_id) | {"Idempotent-Replayed": "true", "Original-Request": stored.request_id}
    if stored.status >= 500:
        headers["Stripe-Should-Retry"] = "false"
    return Response(stored.status, stored.body.encode(), {"Content-Type": "application/json", **headers})


def broken(fault: Fault) -> errors.ApiError:
    return errors.ApiError(
        "An unknown error occurred",
        status=fault.status,
        type="api_error",
        stored=fault.remembered,
        headers={"Stripe-Should-Retry": "false"} if fault.remembered else {},
    )


def before(fault: Fault | None, request_id: str) -> Response | None:
    """The response of a fault that strikes before the request reaches the API at all."""
    if fault is None or fault.moment != "before":
        return None
    if fault.kind == "timeout":
        return Response(504, fate=Fate(hang=fault.seconds))
    if fault.kind == "reset":
        return Response(502, fate=Fate(reset=True))
    if fault.kind == "rate_limit":
        error = errors.ApiError(
            "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
            status=429,
            code="rate_limit",
            headers={"Stripe-Rate-Limited-Reason": "global-rate"},
        )
        return json_response(429, error.body(request_id), {"Request-Id": request_id, **error.headers})
    if fault.kind == "error" and not fault.remembered:
        error = broken(fault)
        return json_response(error.status, error.body(request_id), {"Request-Id": request_id})
    return None
