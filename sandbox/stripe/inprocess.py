"""The SDK's transport without a network: requests go straight into a `Sandbox`, faults included.

Nothing sleeps: a time-out or a reset is raised at once. For requests that arrive after their sender gave up, see
`Sandbox(patience=...)` and `Sandbox.run_late`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import stripe

from .core import Sandbox
from .wire import Request


class InProcessClient(stripe.HTTPClient):
    """`stripe.StripeClient("sk_test_x", http_client=InProcessClient(sandbox), max_network_retries=0)`."""

    name = "in-process"

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self._sandbox = sandbox

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """The SDK's own contract: body, status, headers. Raises `APIConnectionError` when no answer arrives."""
        parts = urlsplit(url)
        names = {name.lower(): value for name, value in (headers or {}).items() if name.lower() != "host"}
        body = post_data.encode() if isinstance(post_data, str) else bytes(post_data or b"")
        response = self._sandbox.handle(Request(method.upper(), parts.path, parts.query, names, body))
        if response.fate:
            message = "Connection reset by peer." if response.fate.reset else "Request timed out."
            raise stripe.APIConnectionError(message, should_retry=True)  # type: ignore[no-untyped-call]
        return response.body.decode(), response.status, {name.lower(): text for name, text in response.headers.items()}

    def close(self) -> None:
        """Nothing is open."""
