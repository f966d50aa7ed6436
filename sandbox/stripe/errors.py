"""Refusals in the shape Stripe gives them: `{"error": {"type", "code", "message", "param", ...}}`.

`stored` says whether an idempotency key remembers the refusal. Stripe remembers what happened after execution began
(a decline, a state that does not allow the step) and forgets what never began (an unknown parameter, a missing object).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DOC_URL = "https://stripe.com/docs/error-codes/{}"
LOG_URL = "https://dashboard.stripe.com/test/logs/{}"


class ApiError(Exception):
    """An answer of 4xx or 5xx. `extra` holds further fields of the error object (payment_intent, charge, decline_code)."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        stored: bool = True,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.type, self.code, self.param = message, status, type, code, param
        self.stored, self.extra, self.headers = stored, dict(extra or {}), dict(headers or {})

    def body(self, request_id: str) -> dict[str, Any]:
        """The JSON body, without the fields that are empty."""
        error: dict[str, Any] = dict(self.extra)
        if self.code:
            error |= {"code": self.code, "doc_url": DOC_URL.format(self.code.replace("_", "-"))}
        error["message"] = self.message
        if self.param:
            error["param"] = self.param
        error |= {"request_log_url": LOG_URL.format(request_id), "type": self.type}
        return {"error": dict(sorted(error.items()))}


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """A request refused before anything was carried out; no idempotency key remembers it."""
    return ApiError(message, param=param, code=code, stored=False)


def missing_param(param: str) -> ApiError:
    return invalid(f"Missing required param: {param}.", param=param, code="parameter_missing")


def no_such(noun: str, id: str, *, param: str | None = None) -> ApiError:
    """`param` is None when the id stands in the address (404), else the parameter that holds it (400)."""
    return ApiError(
        f"No such {noun}: '{id}'",
        status=404 if param in (None, "id") else 400,
        code="resource_missing",
        param=param or "id",
        stored=False,
    )


def unsupported(what: str) -> ApiError:
    """Stripe could do this, the sandbox does not: said aloud, never ignored."""
    return invalid(f"The sandbox does not model {what}.")


def wrong_state(message: str, code: str, **extra: Any) -> ApiError:
    return ApiError(message, code=code, extra=extra)
