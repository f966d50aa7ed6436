"""One API call on its way through: understood, answered, and what a fault makes of the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from . import errors, spoiling
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
            return as_page(self.refusal(broken(fault)), fault)
        if fault.kind == "spoil":
            return replace(response, status=200, body=spoiling.spoilt(response.body, fault.body or "page"))
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
        status=fault.error_status,
        type="api_error",
        stored=fault.remembered,
        headers={"Stripe-Should-Retry": "false"} if fault.remembered else {},
    )


def as_page(response: Response, fault: Fault) -> Response:
    """The same, said by a proxy that stands before Stripe, if the fault wants that."""
    if fault.body is None:
        return response
    return replace(response, body=spoiling.PAGE, headers={"Content-Type": "text/html"})


def before(fault: Fault | None, request_id: str) -> Response | None:
    """The response of a fault that strikes before the request reaches the API at all."""
    if fault is None or fault.moment != "before":
        return None
    if fault.kind == "timeout":
        return Response(504, fate=Fate(hang=fault.seconds))
    if fault.kind == "reset":
        return Response(502, fate=Fate(reset=True))
    if fault.kind == "rate_limit":
        wait = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        error = errors.ApiError(
            "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
            status=429,
            code="rate_limit",
            headers={"Stripe-Rate-Limited-Reason": "global-rate"} | wait,
        )
        return _said(error, request_id)
    if fault.kind == "refuse":
        return _said(spoiling.refusal(fault.refusal_status), request_id)
    if fault.kind == "spoil":
        return Response(200, spoiling.spoilt(b"", fault.body or "page"), {"Request-Id": request_id})
    if fault.kind == "error" and not fault.remembered:
        return as_page(_said(broken(fault), request_id), fault)
    return None


def _said(error: errors.ApiError, request_id: str) -> Response:
    return json_response(error.status, error.body(request_id), {"Request-Id": request_id, **error.headers})
