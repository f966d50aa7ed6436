"""What every handler is given: the books, the clock, new ids, and the way to tell the outside what happened."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .books import Books, Obj
from .errors import no_such

ALPHABET = string.ascii_letters + string.digits
# Prefix and number of random characters, as Stripe's own ids look.
IDS = {
    "customer": ("cus_", 14),
    "payment_method": ("pm_1", 23),
    "payment_intent": ("pi_3", 23),
    "setup_intent": ("seti_1", 23),
    "setup_attempt": ("setatt_1", 23),
    "checkout.session": ("cs_test_a1", 56),
    "charge": ("ch_3", 23),
    "refund": ("re_3", 23),
    "dispute": ("dp_1", 23),
    "balance_transaction": ("txn_3", 23),
    "event": ("evt_1", 23),
    "line_item": ("li_1", 23),
    "price": ("price_1", 23),
    "product": ("prod_", 14),
    "request": ("req_", 14),
    "webhook_endpoint": ("we_1", 23),
    "delivery": ("dlv_", 16),
    "card_entry": ("ce_", 16),
    "timer": ("tmr_", 16),
}
NOUNS = {"payment_method": "PaymentMethod", "checkout.session": "checkout.session", "setup_intent": "setupintent"}


@dataclass
class Settings:
    """How this sandbox is set up. Delays are seconds of the sandbox's own clock."""

    public_url: str = "http://127.0.0.1:12111"
    webhook_url: str | None = None
    webhook_secret: str = "whsec_sandbox"
    api_version: str = "2026-10-28.endive"
    dispute_delay: float = 0
    refund_delay: float = 0
    # Seconds on the wire's clock after a failed attempt; the last one repeats until `webhook_attempts` are used up.
    retry_delays: tuple[float, ...] = (0.5, 1, 2, 4, 8, 15, 30)
    webhook_attempts: int = 40


@dataclass
class Asked:
    """The request under way; events say which one caused them."""

    id: str | None = None
    idempotency_key: str | None = None


@dataclass
class World:
    books: Books
    rng: random.Random
    clock: Callable[[], float]
    settings: Settings
    publish: Callable[[Obj], None]
    asked: Asked = field(default_factory=Asked)

    def now(self) -> int:
        """Unix seconds, with whatever offset was set."""
        return int(self.exact_now())

    def exact_now(self) -> float:
        return self.clock() + float(self.books.setting("clock_offset", 0))

    def new_id(self, kind: str) -> str:
        prefix, length = IDS[kind]
        while True:
            id = prefix + self.secret(length)
            if kind == "request" or not self.books.has(kind, id):
                return id

    def secret(self, length: int) -> str:
        return "".join(self.rng.choices(ALPHABET, k=length))

    def find(self, kind: str, id: str, *, param: str | None = None) -> Obj:
        """The object, or the refusal Stripe gives for an id it does not know."""
        found = self.books.get(kind, id)
        if found is None:
            raise no_such(NOUNS.get(kind, kind), id, param=param)
        return found

    def customer(self, id: str, *, param: str | None = None) -> Obj:
        """A customer who is still there: a deleted one is refused like one who never was."""
        customer = self.find("customer", id, param=param)
        if customer.get("deleted"):
            raise no_such("customer", id, param=param)
        return customer

    def emit(self, type: str, obj: Obj, previous: Obj | None = None) -> None:
        """Record an event with a snapshot of `obj` and hand it to the webhooks."""
        data: Obj = {"object": snapshot(obj)}
        if previous is not None:
            data["previous_attributes"] = snapshot(previous)
        event = {
            "id": self.new_id("event"),
            "object": "event",
            "api_version": self.settings.api_version,
            "created": self.now(),
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {"id": self.asked.id, "idempotency_key": self.asked.idempotency_key},
            "type": type,
        }
        self.books.add("event", event)
        self.publish(event)

    def later(self, seconds: float, what: str, id: str) -> None:
        """Do `what` to the object `id` once the sandbox's clock has moved on by `seconds`."""
        timer = {"id": self.new_id("timer"), "due": self.exact_now() + seconds, "what": what, "object": id}
        self.books.add("timer", timer)


def snapshot(obj: Any) -> Any:
    """A copy that later changes of the object do not reach."""
    if isinstance(obj, dict):
        return {key: snapshot(value) for key, value in obj.items()}
    if isinstance(obj, list):
        return [snapshot(value) for value in obj]
    return obj


def merged_metadata(old: dict[str, str], new: dict[str, str] | str) -> dict[str, str]:
    """Metadata after an update: an empty value takes one key away, an empty string takes all."""
    if isinstance(new, str):
        return {}
    return {key: value for key, value in (old | new).items() if value != ""}
