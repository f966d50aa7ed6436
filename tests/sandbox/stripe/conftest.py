"""A sandbox over HTTP, the real SDK in front of it, and a listener for its webhooks."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import stripe

from sandbox.stripe import Running, running

SECRET = "whsec_test"
LINE = {"quantity": 1, "price_data": {"currency": "usd", "unit_amount": 10_000, "product_data": {"name": "Credit"}}}
PAGES = {
    "success_url": "http://127.0.0.1:8000/done?session={CHECKOUT_SESSION_ID}",
    "cancel_url": "http://127.0.0.1:8000/back",
}


class Inbox:
    """A webhook endpoint: keeps what came, verified, and answers what it is told to."""

    def __init__(self) -> None:
        self.events: list[stripe.Event] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.answers: list[int] = []
        self._arrived = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/webhooks/stripe"
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(poll_interval=0.05), daemon=True)
        self._thread.start()

    def _handler(inbox) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(inbox.receive(body, dict(self.headers.items())))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        return Handler

    def receive(self, body: bytes, headers: dict[str, str]) -> int:
        event = stripe.Webhook.construct_event(body, headers["Stripe-Signature"], SECRET)
        with self._arrived:
            self.events.append(event)
            self.bodies.append(body)
            self.headers.append(headers)
            self._arrived.notify_all()
            return self.answers.pop(0) if self.answers else 200

    def types(self) -> list[str]:
        with self._arrived:
            return [event.type for event in self.events]

    def wait(self, enough: Callable[[list[str]], bool], seconds: float = 10) -> list[str]:
        """The types that came, as soon as they are `enough`; whatever came after `seconds` otherwise."""
        with self._arrived:
            self._arrived.wait_for(lambda: enough([event.type for event in self.events]), seconds)
        return self.types()

    def wait_for(self, *types: str) -> list[str]:
        return self.wait(lambda came: all(type in came for type in types))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def eventually(true: Callable[[], bool], seconds: float = 10) -> None:
    """Ask again until it is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "It never became true."


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    inbox = Inbox()
    yield inbox
    inbox.close()


@pytest.fixture
def sandbox() -> Iterator[Running]:
    with running(webhook_secret=SECRET) as sandbox:
        yield sandbox


@pytest.fixture
def heard(sandbox: Running, inbox: Inbox) -> Inbox:
    """The inbox, told of everything the sandbox does."""
    sandbox.admin.endpoint(inbox.url)
    return inbox


@pytest.fixture
def client(sandbox: Running) -> stripe.StripeClient:
    return client_of(sandbox)


def client_of(sandbox: Running, key: str = "sk_test_purser", timeout: float = 10) -> stripe.StripeClient:
    return stripe.StripeClient(
        key,
        base_addresses={"api": sandbox.base_url},
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=timeout),
    )


@pytest.fixture
def alice(client: stripe.StripeClient) -> stripe.Customer:
    return client.v1.customers.create({"email": "alice@example.com"})


def saved(client: stripe.StripeClient, customer: stripe.Customer, token: str = "pm_card_visa") -> str:
    """A card attached to the customer: the payment method's id."""
    return client.v1.payment_methods.attach(token, {"customer": customer.id}).id


def off_session(customer: stripe.Customer, method: str, amount: int = 5_000) -> Any:
    return {
        "amount": amount,
        "currency": "usd",
        "customer": customer.id,
        "payment_method": method,
        "off_session": True,
        "confirm": True,
    }


def in_browser(method: str = "pm_card_visa", amount: int = 5_000, **more: Any) -> Any:
    return {
        "amount": amount,
        "currency": "usd",
        "payment_method": method,
        "allowed_payment_method_types": ["card"],
        "confirm": True,
        **more,
    }


def a_session(**more: Any) -> Any:
    return {"mode": "payment", "line_items": [LINE], **PAGES, **more}


def a_setup(customer: stripe.Customer, **more: Any) -> Any:
    return {"mode": "setup", "currency": "usd", "customer": customer.id, **PAGES, **more}


def charge_of(client: stripe.StripeClient, method: str = "pm_card_visa", amount: int = 5_000) -> str:
    """A paid charge: its id."""
    intent = client.v1.payment_intents.create(in_browser(method, amount))
    assert isinstance(intent.latest_charge, str)
    return intent.latest_charge
