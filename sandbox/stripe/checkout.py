"""Checkout sessions: made, paid (or a card saved) on the hosted page, expired.

A session is open until it is complete or expired, at most 24 hours. Its payment intent comes into being with the first
attempt to pay, as at Stripe; its setup intent with the session.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import charging, errors, intents, methods, sessions, setups, shapes
from .books import Obj
from .world import World, merged_metadata

# `locale` and `submit_type` are echoed and change nothing on the page.
MODELLED_CREATE = frozenset(
    {"mode", "line_items", "customer", "customer_email", "customer_creation", "client_reference_id", "success_url",
     "cancel_url", "currency", "expires_at", "metadata", "payment_intent_data", "setup_intent_data", "ui_mode", "expand",
     "saved_payment_method_options", "allowed_payment_method_types", "submit_type", "locale", "custom_text"}
)  # fmt: skip
MODELLED_UPDATE = frozenset({"metadata", "expand"})


@dataclass(frozen=True)
class Paid:
    """The session is complete."""


@dataclass(frozen=True)
class Challenged:
    """The bank asks its customer; the session goes on at the authentication page."""


@dataclass(frozen=True)
class Refused:
    """Nothing was charged; the customer may try again. `message` is for the customer."""

    message: str
    field: str | None = None
    code: str | None = None


Result = Paid | Challenged | Refused


def create(world: World, params: Obj) -> Obj:
    session = sessions.fresh(world, params)
    world.books.add("checkout.session", session)
    world.later(session["expires_at"] - world.exact_now(), "expire", session["id"])
    if session["mode"] == "setup":
        data = params.get("setup_intent_data", {})
        asked = {"metadata": data.get("metadata", {}), "description": data.get("description")}
        if session["customer"]:
            asked["customer"] = session["customer"]
        intent = setups.fresh(world, asked | {"allowed_payment_method_types": ["card"]})
        world.books.add("setup_intent", intent)
        _link(world, session, intent)
        session["setup_intent"] = intent["id"]
        world.emit("setup_intent.created", intent)
    world.books.add("session_plan", {"id": session["id"], "intent_data": params.get("payment_intent_data", {})})
    return session


def update(world: World, session_id: str, params: Obj) -> Obj:
    session = world.find("checkout.session", session_id)
    if "metadata" in params:
        session["metadata"] = merged_metadata(session["metadata"], params["metadata"])
    world.books.save("checkout.session", session)
    return session


def line_items(world: World, session_id: str) -> list[Obj]:
    world.find("checkout.session", session_id)
    held = world.books.get("session_items", session_id)
    return list(held["items"]) if held else []


def _link(world: World, session: Obj, intent: Obj) -> None:
    world.books.add("session_of", {"id": intent["id"], "session": session["id"]})


def expire(world: World, session_id: str, params: Obj | None = None) -> Obj:
    session = world.find("checkout.session", session_id)
    if session["status"] != "open":
        raise errors.ApiError(
            f"Only Checkout Sessions with a status in [\"open\"] can be expired. This Session has a status of "
            f"{session['status']}."
        )  # fmt: skip
    session |= {"status": "expired", "url": None}
    world.books.save("checkout.session", session)
    if session["payment_intent"]:
        intents.close(world, world.find("payment_intent", session["payment_intent"]), None)
    if session["setup_intent"]:
        setups.close(world, world.find("setup_intent", session["setup_intent"]), None)
    world.emit("checkout.session.expired", session)
    return session


def pay(world: World, session_id: str, card: Obj, *, save: bool = False, name: str | None = None) -> Result:
    """One press of the button on the hosted page, in either mode.

    `card` is `{"number", "exp_month", "exp_year", "cvc"}`; `save` is the box "Save this card", where it is offered.
    """
    session = world.find("checkout.session", session_id)
    if session["status"] != "open":
        return Refused("This page has expired." if session["status"] == "expired" else "This was paid already.")
    try:
        method = methods.new(world, card)
    except errors.ApiError as error:
        return Refused(error.message, error.param, error.code)
    method["billing_details"] |= {"name": name, "email": session["customer_email"]}
    if save and _offers_saving(session):
        world.books.put("session_save", {"id": session["id"]})
    return _save_card(world, session, method) if session["mode"] == "setup" else _take_payment(world, session, method)


def _offers_saving(session: Obj) -> bool:
    return (session["saved_payment_method_options"] or {}).get("payment_method_save") == "enabled"


def _take_payment(world: World, session: Obj, method: Obj) -> Result:
    intent = _payment_intent(world, session)
    intent["payment_method"] = method["id"]
    if world.books.has("session_save", session["id"]):
        intent["setup_future_usage"] = intent["setup_future_usage"] or "on_session"
        method["allow_redisplay"] = "always"
    elif intent["setup_future_usage"]:
        method["allow_redisplay"] = "limited"
    answer = charging.verdict(world, method, off_session=False, authenticated=False)
    if answer.challenge:
        intents.challenge(world, intent, None, page=authentication_page(world, session))
        return Challenged()
    if answer.decline:
        error = intents.decline_error(world, intent, method, answer.decline)
        return Refused(error.message, None, error.code)
    intents.succeed(world, intent, method, authenticated=False)
    return _completed(world, session, method)


def _payment_intent(world: World, session: Obj) -> Obj:
    if session["payment_intent"]:
        return world.find("payment_intent", session["payment_intent"])
    plan = world.find("session_plan", session["id"])["intent_data"]
    asked = {"amount": session["amount_total"], "currency": session["currency"]} | plan
    if session["customer"]:
        asked["customer"] = session["customer"]
    intent = intents.fresh(world, asked | {"allowed_payment_method_types": ["card"]})
    world.books.add("payment_intent", intent)
    _link(world, session, intent)
    session["payment_intent"] = intent["id"]
    world.books.save("checkout.session", session)
    world.emit("payment_intent.created", intent)
    return intent


def _save_card(world: World, session: Obj, method: Obj) -> Result:
    intent = world.find("setup_intent", session["setup_intent"])
    intent["payment_method"] = method["id"]
    answer = charging.setup_verdict(world, method, authenticated=False)
    if answer.challenge:
        setups.challenge(world, intent, None, page=authentication_page(world, session))
        return Challenged()
    if answer.decline:
        error = setups.decline_error(world, intent, method, answer.decline)
        return Refused(error.message, None, error.code)
    _with_customer(world, session, intent, "setup_intent")
    setups.succeed(world, intent, method)
    return _completed(world, session, method)


def authentication_page(world: World, session: Obj) -> str:
    return f"{world.settings.public_url}/c/pay/{session['id']}/authenticate"


def authenticate(world: World, session_id: str, *, complete: bool) -> Result:
    """The answer on the 3-D Secure page of a session."""
    session = world.find("checkout.session", session_id)
    kind = "setup_intent" if session["mode"] == "setup" else "payment_intent"
    intent = world.find(kind, session[kind]) if session[kind] else None
    if session["status"] != "open" or intent is None or intent["status"] != "requires_action":
        return Refused("Nothing is waiting for authentication.")
    method = world.find("payment_method", intent["payment_method"])
    if kind == "setup_intent":
        _with_customer(world, session, intent, kind)
        setups.authenticate(world, intent, complete=complete)
        failure = intent["last_setup_error"]
    else:
        intents.authenticate(world, intent, complete=complete)
        failure = intent["last_payment_error"]
    if intent["status"] != "succeeded":
        words = "We are unable to authenticate your payment method. Choose a different payment method and try again."
        return Refused(failure["message"] if failure["type"] == "card_error" else words, None, failure["code"])
    return _completed(world, session, method)


def _with_customer(world: World, session: Obj, intent: Obj, kind: str) -> None:
    """A session that always makes a customer makes it in time for the card to be saved on it."""
    if session["customer"] is None and session["customer_creation"] == "always":
        customer = shapes.customer(world.new_id("customer"), world.now(), world.secret(8).upper())
        customer["email"] = session["customer_email"]
        world.books.add("customer", customer)
        world.emit("customer.created", customer)
        session["customer"] = intent["customer"] = customer["id"]
        world.books.save(kind, intent)


def _completed(world: World, session: Obj, method: Obj) -> Paid:
    customer = world.books.get("customer", session["customer"]) if session["customer"] else None
    email = session["customer_email"] or (customer or {}).get("email")
    session |= {"status": "complete", "url": None}
    session["payment_status"] = "paid" if session["mode"] == "payment" else "no_payment_required"
    session["customer_details"] = {
        "address": method["billing_details"]["address"],
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": method["billing_details"]["name"],
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }
    world.books.save("checkout.session", session)
    world.emit("checkout.session.completed", session)
    return Paid()
