"""How a call to Stripe is made, and everything that can go wrong with it in three words."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

import stripe
from django.conf import settings
from django.db import connection
from stripe import RequestsClient, StripeClient

CURRENCY = "usd"
INTENT = "purser_intent"
REFUND = "purser_refund"
CARD_SETUP = "purser_card_setup"
"""Under these names our ids travel in Stripe's metadata."""
CONNECT_SECONDS = 5.0
PAGE = 100

Row = TypeVar("Row", bound=stripe.StripeObject)
Ours = TypeVar("Ours")
Page = Any
"""What is asked of a list: each of Stripe's lists has a type of its own for it."""
Fetch = Callable[[StripeClient, Page], stripe.ListObject[Row]]


class Declined(Exception):
    """`code` is the bank's, or Stripe's where the bank gave none; `message` is Stripe's own, in English.

    `payment_id` is the PaymentIntent that was made all the same, if one was: it is open until it is cancelled.
    """

    def __init__(self, code: str, message: str, payment_id: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.payment_id = code, message, payment_id


class Refused(Exception):
    """Stripe did nothing. `code` is Stripe's; `param` the parameter it did not like, or empty."""

    def __init__(self, code: str, message: str, param: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.param = code, message, param


class Unknown(Exception):
    """It may have happened or not. `replayed`: Stripe gave the answer it remembers for this key, so what was first asked by
    it is over: a look tells now what came of it, and it will be no other tomorrow."""

    def __init__(self, message: str, *, replayed: bool = False) -> None:
        super().__init__(message)
        self.replayed = replayed


class CalledInsideTransaction(RuntimeError):
    """Stripe was about to be called while rows are locked: a rollback could not take the call back."""


@lru_cache(maxsize=4)
def _client(secret_key: str, base: str, timeout: float) -> StripeClient:
    return StripeClient(
        secret_key,
        base_addresses={"api": base},
        max_network_retries=0,
        http_client=RequestsClient(timeout=(min(CONNECT_SECONDS, timeout), timeout)),
    )


@contextmanager
def call() -> Iterator[StripeClient]:
    """A client, and everything that can go wrong with it in three words."""
    if connection.in_atomic_block:
        raise CalledInsideTransaction("Commit first: Stripe is never called inside a transaction.")
    try:
        yield _client(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE, settings.STRIPE_TIMEOUT_SECONDS)
    except stripe.CardError as error:
        decline = getattr(error.error, "decline_code", None)
        payment_id = id_of(getattr(error.error, "payment_intent", None))
        raise Declined(decline or error.code or "card_declined", error.user_message or "", payment_id) from error
    except stripe.IdempotencyError as error:
        raise Refused("idempotency", str(error.user_message)) from error
    except stripe.InvalidRequestError as error:
        raise Refused(error.code or "invalid_request", error.user_message or "", str(error.param or "")) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise Refused("not_allowed", error.user_message or str(error)) from error
    except stripe.StripeError as error:
        raise Unknown(f"{type(error).__name__} {error.http_status or ''}".strip(), replayed=_replayed(error)) from error
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        raise Unknown(f"an answer that cannot be read: {error}") from error


def _replayed(error: stripe.StripeError) -> bool:
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    return headers.get("idempotent-replayed") == "true"


def pages(
    fetch: Fetch[Row], read: Callable[[Row], Ours], *, since: datetime | None = None, charge_id: str = ""
) -> Iterator[Ours]:
    """All rows of one of Stripe's lists, newest first. Lazy: the next page is asked for when this one is used up."""
    wanted: Page = {"limit": PAGE}
    if since is not None:
        wanted["created"] = {"gte": int(since.timestamp())}
    if charge_id:
        wanted["charge"] = charge_id
    while True:
        with call() as client:
            page = fetch(client, wanted)
            rows = [read(row) for row in page.data]
            last = id_of(page.data[-1]) if rows else ""
        yield from rows
        if not page.has_more or not last:
            return
        wanted["starting_after"] = last


def id_of(named: Any) -> str:
    """The id of what an answer names, which may be there as a whole or be missing."""
    return str(getattr(named, "id", named) or "")


def text(value: Any) -> str:
    """An id as Stripe gives them. Raises TypeError for anything else."""
    if not isinstance(value, str) or not value:
        raise TypeError(f"{type(value).__name__} in place of an id")
    return value


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def ours(text: object) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
