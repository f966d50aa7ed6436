"""The sandbox over HTTP, on this machine only."""

from __future__ import annotations

import socket
import struct
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .client import Admin
from .core import Sandbox
from .courier import Courier
from .errors import ApiError
from .webhooks import is_loopback
from .wire import Fate, Request, Response, json_response
from .world import Settings

LARGEST_BODY = 1_000_000
# Linger on, zero seconds: close sends RST instead of FIN.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Server(ThreadingHTTPServer):
    """Answers until `stop`; a hanging fault ends early when the server does."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, sandbox: Sandbox, host: str, port: int) -> None:
        if not is_loopback(host):
            raise ValueError(f"The Stripe sandbox listens on this machine only, not on {host}.")
        self.sandbox = sandbox
        self.stopping = threading.Event()
        super().__init__((host, port), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away mid-answer is its own affair; nothing is printed."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server
    timeout = 60
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        if not is_loopback(self.client_address[0]):
            self.close_connection = True
            return
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit() and int(length) <= LARGEST_BODY):
            self.close_connection = True
            self._send(Response(413 if length.isdigit() else 400, b"", {"Connection": "close"}))
            return
        response = self._answer(self.rfile.read(int(length)))
        if response.fate:
            self._suffer(response.fate)
        else:
            self._send(response)

    def _answer(self, body: bytes) -> Response:
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            return self.server.sandbox.handle(Request(self.command, path, query, headers, body))
        except Exception:  # a mistake in the sandbox must be seen, not look like a lost connection
            traceback.print_exc()
            error = ApiError("The sandbox has a bug; its own error output says which.", status=500, type="api_error")
            return json_response(500, error.body(""))

    # The names BaseHTTPRequestHandler looks for.
    do_GET = do_POST = do_DELETE = _serve  # noqa: N815

    def _suffer(self, fate: Fate) -> None:
        """Silence, then a close; or a reset at once."""
        self.close_connection = True
        if fate.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            # The request object keeps a second handle of the socket open; without this no RST would go out.
            self.rfile.close()
            self.connection.close()
            return
        self.server.stopping.wait(fate.hang)

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the requests are in the books (`GET /_sandbox/requests`)."""

    def version_string(self) -> str:
        return "nginx"


class Running:
    """A sandbox with its server and its courier. `base_url` goes into the SDK's `base_addresses={"api": ...}`."""

    def __init__(self, sandbox: Sandbox, host: str = "127.0.0.1", port: int = 0) -> None:
        self.sandbox = sandbox
        self.server = Server(sandbox, host, port)
        self.base_url = f"http://{host}:{self.server.server_address[1]}"
        sandbox.settings.public_url = self.base_url
        self.admin = Admin.at(self.base_url)
        self._courier = Courier(sandbox)
        self._thread = threading.Thread(
            target=lambda: self.server.serve_forever(poll_interval=0.01), name="stripe-sandbox", daemon=True
        )

    def start(self) -> Running:
        self._thread.start()
        self._courier.start()
        return self

    def stop(self) -> None:
        """Stop answering, stop sending, keep what was committed."""
        self.server.stopping.set()
        self.server.shutdown()
        self.server.server_close()
        self._courier.stop()
        self._thread.join(5)
        self.sandbox.close()


@contextmanager
def running(
    *,
    webhook_url: str | None = None,
    webhook_secret: str = "whsec_sandbox",
    port: int = 0,
    state: Path | None = None,
    seed: int | None = None,
    retry_delays: tuple[float, ...] = (0.05, 0.1, 0.2),
    refund_delay: float = 0,
    patience: float | None = None,
) -> Iterator[Running]:
    """A sandbox in threads of this process, for tests. `patience`: see `Sandbox`."""
    settings = Settings(
        webhook_url=webhook_url, webhook_secret=webhook_secret, retry_delays=retry_delays, refund_delay=refund_delay
    )
    sandbox = Sandbox(settings=settings, state=state, seed=seed, wire_clock=time.time, patience=patience)
    served = Running(sandbox, port=port).start()
    try:
        yield served
    finally:
        served.stop()
