"""A Stripe of one's own: what Purser uses of Stripe, answered on this machine, with no money in it.

Start with `core.py` (one request in, one response out), then `routes.py` (the API on one page). `README.md` says how to
use it: as a process, in a test, inside a process. It never talks to Stripe, takes no live key, and neither listens on
nor sends to another machine.
"""

from .client import Admin
from .core import Sandbox
from .inprocess import InProcessClient
from .server import Running, running
from .webhooks import Delivery
from .wire import Request, Response
from .world import Settings

__all__ = ["Admin", "Delivery", "InProcessClient", "Request", "Response", "Running", "Sandbox", "Settings", "running"]
