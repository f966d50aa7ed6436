"""Setup intents: a card saved for later, without a payment."""

from __future__ import annotations

from . import charging, errors, methods, shapes
from .books import Obj
from .cards import Decline
from .world import World, merged_metadata, snapshot

MODELLED_CONFIRM = frozenset({"payment_method", "return_url", "use_stripe_sdk", "expand"})
MODELLED_CREATE = MODELLED_CONFIRM | {
    "customer", "confirm", "usage", "metadata", "description", "automatic_payment_methods",
    "allowed_payment_method_types",
}  # fmt: skip
MODELLED_UPDATE = frozenset({"customer", "payment_method", "metadata", "description", "expand"})
AUTHENTICATION_FAILED = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod to "
    "attempt to fulfill this SetupIntent again."
)
CANCELLABLE = ("requires_payment_method", "requires_confirmation", "requires_action")


def create(world: World, params: Obj) -> Obj:
    intent = fresh(world, params)
    if "payment_method" in params:
        _choose(world, intent, params["payment_method"])
    world.books.add("setup_intent", intent)
    world.emit("setup_intent.created", intent)
    if params.get("confirm"):
        _confirm(world, intent, params)
    return intent


def fresh(world: World, params: Obj) -> Obj:
    """A new setup intent, checked, not yet in the books."""
    if "customer" in params:
        world.customer(params["customer"], param="customer")
    if params.get("allowed_payment_method_types", ["card"]) != ["card"]:
        raise errors.unsupported("payment method types other than card")
    intent = shapes.setup_intent(world.new_id("setup_intent"), world.now(), world.secret(25))
    _apply(intent, params)
    intent["usage"] = params.get("usage", "off_session")
    if "allowed_payment_method_types" in params:
        intent["allowed_payment_method_types"] = ["card"]
    else:
        chosen = params.get("automatic_payment_methods", {"enabled": True})
        intent["automatic_payment_methods"] = {"allow_redirects": "always"} | chosen
    return intent


def _apply(intent: Obj, params: Obj) -> None:
    for key in ("customer", "description"):
        if key in params:
            intent[key] = params[key] or None
    if "metadata" in params:
        intent["metadata"] = merged_metadata(intent["metadata"], params["metadata"])


def _choose(world: World, intent: Obj, method_id: str) -> None:
    method = methods.usable(world, method_id)
    if methods.secret(world, method)["used_up"] and method["customer"] is None:
        raise errors.invalid(methods.USED_UP, param="payment_method")
    if method["customer"] is not None and method["customer"] != intent["customer"]:
        raise errors.invalid(
            f"The customer for this SetupIntent does not match the customer of the PaymentMethod {method['id']}.",
            param="payment_method",
        )
    intent["payment_method"] = method["id"]
    if intent["status"] == "requires_payment_method":
        intent["status"] = "requires_confirmation"


def update(world: World, intent_id: str, params: Obj) -> Obj:
    intent = world.find("setup_intent", intent_id)
    if params.get("customer"):
        world.customer(params["customer"], param="customer")
    _apply(intent, params)
    if params.get("payment_method"):
        _choose(world, intent, params["payment_method"])
    world.books.save("setup_intent", intent)
    return intent


def confirm(world: World, intent_id: str, params: Obj) -> Obj:
    intent = world.find("setup_intent", intent_id)
    if intent["status"] not in CANCELLABLE:
        raise _unexpected(intent, f"You cannot confirm this SetupIntent because it has a status of {intent['status']}.")
    if "payment_method" in params:
        _choose(world, intent, params["payment_method"])
    _confirm(world, intent, params)
    return intent


def _confirm(world: World, intent: Obj, params: Obj) -> None:
    if intent["payment_method"] is None:
        raise _unexpected(intent, "You cannot confirm this SetupIntent because it's missing a payment method.")
    method = world.find("payment_method", intent["payment_method"])
    answer = charging.setup_verdict(world, method, authenticated=False)
    if answer.challenge:
        challenge(world, intent, params.get("return_url"))
    elif answer.decline:
        raise decline_error(world, intent, method, answer.decline)
    else:
        succeed(world, intent, method)


def challenge(world: World, intent: Obj, return_url: str | None, page: str | None = None) -> None:
    page = page or f"{world.settings.public_url}/c/authenticate/{intent['id']}"
    if return_url:
        action: Obj = {"redirect_to_url": {"return_url": return_url, "url": page}, "type": "redirect_to_url"}
    else:
        action = {"type": "use_stripe_sdk", "use_stripe_sdk": {"stripe_js": page, "type": "three_d_secure_redirect"}}
    intent |= {"status": "requires_action", "next_action": action, "last_setup_error": None}
    world.books.save("setup_intent", intent)
    world.emit("setup_intent.requires_action", intent)


def succeed(world: World, intent: Obj, method: Obj) -> None:
    """The card is saved, on the customer if there is one, and may be charged off-session from now on."""
    if intent["customer"]:
        methods.attach_to(world, method, world.customer(intent["customer"]))
    methods.mark(world, method, set_up=True)
    intent |= {"status": "succeeded", "next_action": None, "last_setup_error": None, "payment_method": method["id"]}
    intent["latest_attempt"] = world.new_id("setup_attempt")
    world.books.save("setup_intent", intent)
    world.emit("setup_intent.succeeded", intent)


def decline_error(world: World, intent: Obj, method: Obj, decline: Decline) -> errors.ApiError:
    """Record that the bank declines to save the card; the 402 to raise."""
    details: Obj = {"decline_code": decline.decline_code, "advice_code": decline.advice}
    error = errors.ApiError(decline.message, status=402, type="card_error", code=decline.code, extra=details)
    _failed(world, intent, method, error)
    return error


def _failed(world: World, intent: Obj, method: Obj, error: errors.ApiError) -> None:
    last = error.body("")["error"] | {"payment_method": snapshot(method)}
    del last["request_log_url"]
    intent |= {"status": "requires_payment_method", "payment_method": None, "next_action": None}
    intent |= {"last_setup_error": last, "latest_attempt": world.new_id("setup_attempt")}
    world.books.save("setup_intent", intent)
    world.emit("setup_intent.setup_failed", intent)
    error.extra |= {"setup_intent": snapshot(intent), "payment_method": snapshot(method)}


def authenticate(world: World, intent: Obj, *, complete: bool) -> None:
    """The customer's answer to a challenge."""
    if intent["status"] != "requires_action":
        raise _unexpected(intent, f"This SetupIntent is not waiting for authentication: it is {intent['status']}.")
    method = world.find("payment_method", intent["payment_method"])
    if not complete:
        _failed(
            world, intent, method, errors.ApiError(AUTHENTICATION_FAILED, code="setup_intent_authentication_failure")
        )
        return
    answer = charging.setup_verdict(world, method, authenticated=True)
    if answer.decline:
        decline_error(world, intent, method, answer.decline)
    else:
        succeed(world, intent, method)


def cancel(world: World, intent_id: str, params: Obj) -> Obj:
    intent = world.find("setup_intent", intent_id)
    if world.books.has("session_of", intent_id):
        raise _unexpected(intent, "You cannot cancel this SetupIntent because it was created by a Checkout Session.")
    if intent["status"] not in CANCELLABLE:
        raise _unexpected(intent, f"You cannot cancel this SetupIntent because it has a status of {intent['status']}.")
    return close(world, intent, params.get("cancellation_reason"))


def close(world: World, intent: Obj, reason: str | None) -> Obj:
    intent |= {"status": "canceled", "cancellation_reason": reason, "next_action": None}
    world.books.save("setup_intent", intent)
    world.emit("setup_intent.canceled", intent)
    return intent


def _unexpected(intent: Obj, message: str) -> errors.ApiError:
    return errors.ApiError(message, code="setup_intent_unexpected_state", extra={"setup_intent": snapshot(intent)})
