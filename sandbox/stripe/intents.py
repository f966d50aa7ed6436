"""Payment intents: created, confirmed on- and off-session, challenged, cancelled.

Only automatic confirmation and immediate capture of one card are modelled; everything else is refused aloud.
"""

from __future__ import annotations

from typing import Any

from . import charging, errors, methods, shapes
from .books import Obj
from .cards import DECLINES, Decline
from .world import World, merged_metadata, snapshot

PLAIN = ("description", "receipt_email", "statement_descriptor_suffix", "setup_future_usage")
CONFIRMING = {"payment_method", "off_session", "return_url", "setup_future_usage", "receipt_email",
              "error_on_requires_action", "use_stripe_sdk", "allowed_payment_method_types", "expand"}  # fmt: skip
MODELLED_CONFIRM = frozenset(CONFIRMING)
MODELLED_CREATE = frozenset(
    {*CONFIRMING, *PLAIN, "amount", "currency", "customer", "metadata", "confirm", "automatic_payment_methods",
     "capture_method", "confirmation_method"}
)  # fmt: skip
MODELLED_UPDATE = frozenset({*PLAIN, "amount", "currency", "customer", "metadata", "payment_method", "expand"})
CANCELLABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
MINIMUM, MAXIMUM = 50, 99_999_999
NO_RETURN_URL = (
    "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these payment "
    "methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want to accept "
    "redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and "
    "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents."
)
AUTHENTICATION_FAILED = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod to "
    "attempt to fulfill this PaymentIntent again."
)


def create(world: World, params: Obj) -> Obj:
    intent = fresh(world, params)
    if params.get("confirm"):
        _check_return(intent, params)
    if "payment_method" in params:
        _choose(world, intent, params["payment_method"])
    world.books.add("payment_intent", intent)
    world.emit("payment_intent.created", intent)
    if params.get("confirm"):
        _confirm(world, intent, params)
    return intent


def fresh(world: World, params: Obj) -> Obj:
    """A new intent, checked, not yet in the books."""
    check_amount(params["amount"], params["currency"])
    for key, only in (("capture_method", ("automatic", "automatic_async")), ("confirmation_method", ("automatic",))):
        if params.get(key, only[0]) not in only:
            raise errors.unsupported(f"{key}={params[key]}")
    for key in ("off_session", "error_on_requires_action", "return_url", "use_stripe_sdk"):
        if key in params and not params.get("confirm"):
            raise errors.invalid(f"The parameter `{key}` cannot be passed when creating a PaymentIntent unless `confirm`"
                                 " is set to true.", param=key)  # fmt: skip
    if "customer" in params:
        world.customer(params["customer"], param="customer")
    intent = shapes.payment_intent(world.new_id("payment_intent"), world.now(), world.secret(25))
    _apply(intent, params)
    intent["capture_method"] = params.get("capture_method", "automatic_async")
    automatic = params.get("automatic_payment_methods")
    if automatic or "allowed_payment_method_types" not in params:
        chosen = automatic or {"enabled": True}
        intent["automatic_payment_methods"] = {"allow_redirects": chosen.get("allow_redirects", "always"),
                                               "enabled": chosen["enabled"]}  # fmt: skip
    else:
        _only_cards(params["allowed_payment_method_types"])
        intent["allowed_payment_method_types"] = params["allowed_payment_method_types"]
    return intent


def check_amount(amount: int, currency: str) -> None:
    """Raises `ApiError` (400): whole cents of USD between 0.50 and 999,999.99."""
    if currency.lower() != "usd":
        raise errors.unsupported(f"the currency {currency}: only usd")
    if amount < 1:
        raise errors.invalid("This value must be greater than or equal to 1.", param="amount",
                             code="parameter_invalid_integer")  # fmt: skip
    if amount < MINIMUM:
        raise errors.invalid("Amount must be at least $0.50 usd", param="amount", code="amount_too_small")
    if amount > MAXIMUM:
        raise errors.invalid("Amount must be no more than $999,999.99", param="amount", code="amount_too_large")


def _only_cards(types: list[str]) -> None:
    if types != ["card"]:
        raise errors.unsupported(f"payment method types {', '.join(types)}: only card")


def _apply(intent: Obj, params: Obj) -> None:
    for key in (*PLAIN, "amount", "customer"):
        if key in params:
            intent[key] = params[key] or None
    intent["currency"] = str(params.get("currency", intent["currency"])).lower()
    if "metadata" in params:
        intent["metadata"] = merged_metadata(intent["metadata"], params["metadata"])


def _choose(world: World, intent: Obj, method_id: str) -> Obj:
    """Put a payment method on the intent if this customer may use it."""
    method = methods.usable(world, method_id)
    owner = method["customer"]
    if methods.secret(world, method)["used_up"] and owner is None:
        raise errors.invalid(methods.USED_UP, param="payment_method")
    if owner is not None and intent["customer"] is None:
        raise errors.invalid(
            f"The PaymentMethod {method['id']} belongs to the Customer {owner}. Please include the Customer in the "
            "`customer` parameter on the PaymentIntent.",
            param="payment_method",
        )
    if owner is not None and owner != intent["customer"]:
        raise errors.invalid(
            f"The customer for this PaymentIntent does not match the customer of the PaymentMethod {method['id']}.",
            param="payment_method",
        )
    intent["payment_method"] = method["id"]
    if intent["status"] == "requires_payment_method":
        intent["status"] = "requires_confirmation"
    return method


def update(world: World, intent_id: str, params: Obj) -> Obj:
    intent = world.find("payment_intent", intent_id)
    if intent["status"] in ("succeeded", "canceled") and set(params) - {"metadata", "description", "expand"}:
        raise _unexpected(intent, f"This PaymentIntent's {sorted(params)[0]} could not be updated because it has a status"
                                  f" of {intent['status']}.")  # fmt: skip
    if "amount" in params:
        check_amount(params["amount"], intent["currency"])
    if params.get("customer"):
        world.customer(params["customer"], param="customer")
    _apply(intent, params)
    if params.get("payment_method"):
        _choose(world, intent, params["payment_method"])
    world.books.save("payment_intent", intent)
    return intent


def confirm(world: World, intent_id: str, params: Obj) -> Obj:
    intent = world.find("payment_intent", intent_id)
    _not_checkouts(world, intent, "confirm")
    if intent["status"] not in CANCELLABLE:
        done = "it has already succeeded after being previously confirmed" if intent["status"] == "succeeded" else (
            f"it has a status of {intent['status']}"
        )  # fmt: skip
        raise _unexpected(intent, f"You cannot confirm this PaymentIntent because {done}.")
    if "payment_method" in params:
        _choose(world, intent, params["payment_method"])
    for key in ("setup_future_usage", "receipt_email"):
        if key in params:
            intent[key] = params[key] or None
    _confirm(world, intent, params)
    return intent


def _confirm(world: World, intent: Obj, params: Obj) -> None:
    if intent["payment_method"] is None:
        raise _unexpected(
            intent,
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
            "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment "
            "method or ConfirmationToken.",
        )
    _check_return(intent, params)
    method = world.find("payment_method", intent["payment_method"])
    answer = charging.verdict(world, method, off_session=_off_session(params), authenticated=False)
    if answer.challenge and params.get("error_on_requires_action"):
        fail(world, intent, method, DECLINES["authentication_required"], charged=False)
    elif answer.challenge:
        challenge(world, intent, params.get("return_url"))
    elif answer.decline:
        fail(world, intent, method, answer.decline)
    else:
        succeed(world, intent, method, authenticated=False)


def _off_session(params: Obj) -> bool:
    return params.get("off_session", False) not in (False, "")


def _check_return(intent: Obj, params: Obj) -> None:
    automatic = intent["automatic_payment_methods"]
    redirects = automatic and automatic["enabled"] and automatic["allow_redirects"] != "never"
    if redirects and not _off_session(params) and "return_url" not in params:
        raise errors.invalid(NO_RETURN_URL, param="return_url")


def challenge(world: World, intent: Obj, return_url: str | None, page: str | None = None) -> None:
    """Wait for the bank's customer to authenticate, on the page of the next action."""
    page = page or f"{world.settings.public_url}/c/authenticate/{intent['id']}"
    if return_url:
        action: Obj = {"redirect_to_url": {"return_url": return_url, "url": page}, "type": "redirect_to_url"}
    else:
        action = {"type": "use_stripe_sdk", "use_stripe_sdk": {"stripe_js": page, "type": "three_d_secure_redirect"}}
    intent |= {"status": "requires_action", "next_action": action, "last_payment_error": None}
    world.books.save("payment_intent", intent)
    world.emit("payment_intent.requires_action", intent)


def succeed(world: World, intent: Obj, method: Obj, *, authenticated: bool) -> Obj:
    """Take the money. Saves the card on the customer when the intent says that it will be used again."""
    charge = charging.take(world, intent, method, None, authenticated=authenticated)
    intent |= {"status": "succeeded", "next_action": None, "last_payment_error": None, "latest_charge": charge["id"],
               "amount_received": intent["amount"], "payment_method": method["id"]}  # fmt: skip
    world.books.save("payment_intent", intent)
    if intent["setup_future_usage"] and intent["customer"]:
        methods.attach_to(world, method, world.customer(intent["customer"]))
        if intent["setup_future_usage"] == "off_session":
            methods.mark(world, method, set_up=True)
    elif method["customer"] is None:
        methods.mark(world, method, used_up=True)
    world.emit("payment_intent.succeeded", intent)
    charging.settle(world, charge)
    return charge


def fail(world: World, intent: Obj, method: Obj, decline: Decline, *, charged: bool = True) -> None:
    """Record a decline and raise it as the 402 that Stripe answers with."""
    error = decline_error(world, intent, method, decline, charged=charged)
    raise error


def decline_error(world: World, intent: Obj, method: Obj, decline: Decline, *, charged: bool = True) -> errors.ApiError:
    details: Obj = {"advice_code": decline.advice, "decline_code": decline.decline_code}
    if charged:
        charge = charging.take(world, intent, method, decline)
        intent["latest_charge"] = charge["id"]
        details |= {"charge": charge["id"], "network_decline_code": "01"}
    error = errors.ApiError(decline.message, status=402, type="card_error", code=decline.code, extra=details)
    _failed(world, intent, method, error)
    return error


def fail_authentication(world: World, intent: Obj, method: Obj) -> None:
    """The bank's customer did not authenticate: the intent wants another payment method."""
    error = errors.ApiError(AUTHENTICATION_FAILED, code="payment_intent_authentication_failure")
    _failed(world, intent, method, error)


def _failed(world: World, intent: Obj, method: Obj, error: errors.ApiError) -> None:
    last = error.body("")["error"] | {"payment_method": snapshot(method)}
    del last["request_log_url"]
    intent |= {"status": "requires_payment_method", "payment_method": None, "next_action": None,
               "last_payment_error": last}  # fmt: skip
    world.books.save("payment_intent", intent)
    world.emit("payment_intent.payment_failed", intent)
    error.extra |= {"payment_intent": snapshot(intent), "payment_method": snapshot(method)}


def authenticate(world: World, intent: Obj, *, complete: bool) -> None:
    """The customer's answer to a challenge; afterwards the intent has succeeded or wants another payment method."""
    if intent["status"] != "requires_action":
        raise _unexpected(intent, f"This PaymentIntent is not waiting for authentication: it is {intent['status']}.")
    method = world.find("payment_method", intent["payment_method"])
    if not complete:
        fail_authentication(world, intent, method)
        return
    answer = charging.verdict(world, method, off_session=False, authenticated=True)
    if answer.decline:
        decline_error(world, intent, method, answer.decline)
    else:
        succeed(world, intent, method, authenticated=True)


def cancel(world: World, intent_id: str, params: Obj) -> Obj:
    intent = world.find("payment_intent", intent_id)
    _not_checkouts(world, intent, "cancel")
    if intent["status"] not in CANCELLABLE:
        raise _unexpected(
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a PaymentIntent "
            "with one of the following statuses may be canceled: requires_payment_method, requires_capture, "
            "requires_reauthorization, requires_confirmation, requires_action, processing.",
        )
    return close(world, intent, params.get("cancellation_reason"))


def close(world: World, intent: Obj, reason: str | None) -> Obj:
    intent |= {"status": "canceled", "canceled_at": world.now(), "cancellation_reason": reason, "next_action": None}
    world.books.save("payment_intent", intent)
    world.emit("payment_intent.canceled", intent)
    return intent


def _not_checkouts(world: World, intent: Obj, verb: str) -> None:
    if world.books.has("session_of", intent["id"]):
        raise _unexpected(
            intent,
            f"You cannot {verb} this PaymentIntent because it was created by a Checkout Session. To cancel it, expire "
            "the Checkout Session.",
        )


def _unexpected(intent: Obj, message: str) -> errors.ApiError:
    extra: dict[str, Any] = {"payment_intent": snapshot(intent)}
    return errors.ApiError(message, code="payment_intent_unexpected_state", extra=extra)
