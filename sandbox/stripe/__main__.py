"""`python -m sandbox.stripe --port 12111 --state .local/stripe.sqlite3 --webhook-url ... --webhook-secret ...`"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from pathlib import Path

from .core import Sandbox
from .errors import ApiError
from .server import Running
from .world import Settings


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.stripe", description="A Stripe sandbox on this machine.")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=12111)
    parser.add_argument("--state", type=Path, help="the file in which everything survives a restart")
    parser.add_argument("--webhook-url", help="where events go: an http address on this machine")
    parser.add_argument("--webhook-secret", default="whsec_sandbox")
    parser.add_argument("--seed", type=int, help="makes ids and chance repeatable")
    parser.add_argument("--refund-delay", type=float, default=5.0, help="seconds until a pending refund is decided")
    return parser.parse_args()


def main() -> int:
    """Serve until SIGTERM or Ctrl-C. Prints one line when it is ready."""
    given = _arguments()
    settings = Settings(
        webhook_url=given.webhook_url, webhook_secret=given.webhook_secret, refund_delay=given.refund_delay
    )
    try:
        sandbox = Sandbox(settings=settings, state=given.state, seed=given.seed, wire_clock=time.time)
        served = Running(sandbox, given.host, given.port).start()
    except (ApiError, ValueError, OSError) as error:
        print(f"The Stripe sandbox did not start: {error}", file=sys.stderr)
        return 1
    stopped = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopped.set())
    print(f"Stripe sandbox ready on {served.base_url}", flush=True)
    stopped.wait()
    served.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
