"""A request and a response without a socket, so that the same sandbox answers over HTTP and inside a process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Request:
    """`path` without the query; header names in lower case; `body` as sent."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def form(self) -> dict[str, str]:
        """The fields of a plain HTML form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def args(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def json(self) -> dict[str, Any]:
        """The JSON object in the body, empty when there is no body. Raises ValueError when it is something else."""
        value = json.loads(self.body or b"{}")
        if not isinstance(value, dict):
            raise ValueError("The body must be a JSON object.")
        return value


@dataclass(frozen=True)
class Fate:
    """What happens to a response on the way: `hang` seconds of silence, then a close, or at once a `reset`."""

    hang: float = 0
    reset: bool = False


@dataclass(frozen=True)
class Response:
    """`fate` is None for a response that arrives."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    fate: Fate | None = None

    def json(self) -> Any:
        return json.loads(self.body)


def json_response(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps(value, indent=2).encode()
    return Response(status, body, {"Content-Type": "application/json", **(headers or {})})
