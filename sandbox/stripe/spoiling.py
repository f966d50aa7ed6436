"""Answers as they should not be: refusals nobody expected, a proxy's page in place of Stripe's words, JSON that is none.

What is spoilt is only what is said; whether the request had its effect is for the fault to say.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from . import errors

PAGE = b"<html><head><title>Bad Gateway</title></head><body><h1>nginx</h1></body></html>"


def _mistyped(value: Any) -> Any:
    """Each number a text and each text a number, all the way down."""
    if isinstance(value, dict):
        return {key: _mistyped(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_mistyped(inner) for inner in value]
    if isinstance(value, bool) or value is None:
        return value
    return len(value) if isinstance(value, str) else str(value)


def _numbers_as_texts(value: Any) -> Any:
    """What a careless proxy in between makes of figures: 10000 becomes "10000"."""
    if isinstance(value, dict):
        return {key: _numbers_as_texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_numbers_as_texts(inner) for inner in value]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _nulls(value: Any) -> Any:
    return {key: inner if key == "object" else None for key, inner in value.items()}


WITHOUT_AN_ANSWER: dict[str, bytes] = {
    "nothing": b"",
    "page": PAGE,
    "list": b"[]",
    "null": b"null",
    "text": b'"ok"',
    "empty": b"{}",
}
"""What may stand in place of an answer, whatever that is."""
OF_AN_ANSWER: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda body: body[: len(body) // 2],
    "nulls": lambda body: json.dumps(_nulls(json.loads(body))).encode(),
    "mistyped": lambda body: json.dumps(_mistyped(json.loads(body))).encode(),
    "figures as texts": lambda body: json.dumps(_numbers_as_texts(json.loads(body))).encode(),
}
"""What may become of an answer on the way."""
WAYS = (*WITHOUT_AN_ANSWER, *OF_AN_ANSWER)


def check(kind: str, body: str | None, moment: str) -> None:
    """Raises `ApiError` (400) for a body that makes no sense."""
    if kind not in ("spoil", "error") or (kind == "error" and body != "page"):
        raise errors.invalid("Only a spoil has a body, and an error that is a page.", param="body")
    if body not in WAYS:
        raise errors.invalid(f"A spoil has a body: {', '.join(WAYS)}.", param="body")
    if moment == "before" and body in OF_AN_ANSWER:
        raise errors.invalid(f"There is no answer yet that could be {body}.", param="body")


def spoilt(body: bytes, how: str) -> bytes:
    return WITHOUT_AN_ANSWER[how] if how in WITHOUT_AN_ANSWER else OF_AN_ANSWER[how](body)


REFUSALS: dict[int, dict[str, Any]] = {
    400: {"message": "Received unknown parameter: colour", "code": "parameter_unknown", "param": "colour"},
    401: {"message": "Expired API Key provided: sk_test_********", "code": "api_key_expired"},
    402: {
        "message": "Your card was declined.",
        "type": "card_error",
        "code": "card_declined",
        "extra": {"decline_code": "generic_decline"},
    },
    403: {"message": "The provided key does not have the required permissions for this endpoint.", "code": "forbidden"},
    404: {"message": "No such object: 'it'", "code": "resource_missing", "param": "id"},
    409: {
        "message": "There is currently another in-progress request using this Idempotent Key. Please try again later.",
        "type": "idempotency_error",
        "code": "idempotency_key_in_use",
        "headers": {"Stripe-Should-Retry": "true"},
    },
}


def refusal(status: int) -> errors.ApiError:
    """What Stripe says with this status. Nothing happened, and no idempotency key remembers it."""
    return errors.ApiError(status=status, stored=False, **REFUSALS[status])
