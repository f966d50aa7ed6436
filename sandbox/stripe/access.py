"""Who may ask: this machine only, with a test key only."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import urlsplit

from . import errors
from .webhooks import is_loopback
from .wire import Request, Response, json_response

NO_KEY = (
    "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth "
    "(e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, or we "
    "can help at https://support.stripe.com/."
)
LIVE_KEY = (
    "This is the sandbox and you sent a live key. It was not used, but treat it as exposed: roll it, and give the sandbox "
    "a key that starts with sk_test_."
)


def check_host(request: Request) -> Response | None:
    """A refusal (403) of requests that name another host than this machine: pages elsewhere must not reach in."""
    host = request.headers.get("host")
    if host is None:
        return None
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        name = None
    if is_loopback(name):
        return None
    error = errors.ApiError("The sandbox answers requests to this machine only.", status=403)
    return json_response(403, error.body(""))


def check_key(request: Request) -> None:
    """Raises `ApiError` (401) without a test key."""
    key = _key(request.headers.get("authorization", ""))
    if not key:
        raise _unauthorized(NO_KEY)
    if key.startswith(("sk_live_", "rk_live_", "pk_live_")):
        raise _unauthorized(LIVE_KEY, "livemode_mismatch")
    if key.startswith("pk_test_"):
        raise _unauthorized("This API call cannot be made with a publishable API key. Please use a secret API key. You can "
                            "find a list of your API keys at https://dashboard.stripe.com/account/apikeys.",
                            "secret_key_required")  # fmt: skip
    if not key.startswith(("sk_test_", "rk_test_")):
        raise _unauthorized(f"Invalid API Key provided: {key[:8]}{'*' * 8}")


def _unauthorized(message: str, code: str | None = None) -> errors.ApiError:
    return errors.ApiError(
        message, status=401, code=code, stored=False, headers={"WWW-Authenticate": 'Basic realm="Stripe"'}
    )


def _key(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
