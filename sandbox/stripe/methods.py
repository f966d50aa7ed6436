"""Payment methods: cards, their attachment to a customer, and the tokens that stand for a fresh card each time."""

from __future__ import annotations

from datetime import UTC, datetime

from . import cards, errors, shapes
from .books import Obj
from .world import World, merged_metadata, snapshot

MODELLED_CREATE = frozenset({"type", "card", "billing_details", "metadata", "allow_redisplay", "expand"})
MODELLED_UPDATE = frozenset({"card", "billing_details", "metadata", "allow_redisplay", "expand"})
USED_UP = (
    "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a "
    "connected account without Customer attachment, or was detached from a Customer. It may not be used again. To use "
    "a PaymentMethod multiple times, you must attach it to a Customer first."
)


def create(world: World, params: Obj) -> Obj:
    if "type" not in params:
        raise errors.missing_param("type")
    if params["type"] != "card":
        raise errors.unsupported(f"payment methods of type {params['type']}")
    if "card" not in params:
        raise errors.missing_param("card")
    method = new(world, params["card"])
    _apply(method, params)
    return method


def new(world: World, given: Obj) -> Obj:
    """A payment method from `{"number", "exp_month", "exp_year", "cvc"}` or `{"token"}`.

    Raises `ApiError` of type card_error for what a form would point out: number, expiry, security code.
    """
    if "token" in given:
        card = cards.BY_TOKEN.get(given["token"])
        if card is None:
            raise errors.no_such("token", given["token"], param="card[token]")
        return _add(world, card, 12, _year(world) + 3)
    for key in ("number", "exp_month", "exp_year"):
        if key not in given:
            raise errors.missing_param(f"card[{key}]")
    number = "".join(character for character in given["number"] if character not in " -")
    card = _checked(world, number, given)
    return _add(world, card, given["exp_month"], _four_digits(given["exp_year"]))


def _add(world: World, card: cards.TestCard, exp_month: int, exp_year: int) -> Obj:
    method = shapes.payment_method(world.new_id("payment_method"), world.now(), card, exp_month, exp_year)
    world.books.add("payment_method", method)
    world.books.add("card_number", {"id": method["id"], "number": card.number, "set_up": False, "used_up": False})
    return method


def _checked(world: World, number: str, given: Obj) -> cards.TestCard:
    if not (number.isascii() and number.isdigit()) or not 12 <= len(number) <= 19 or not cards.passes_luhn(number):
        raise card_error("Your card number is incorrect.", "incorrect_number", "number")
    if not 1 <= given["exp_month"] <= 12:
        raise card_error("Your card's expiration month is invalid.", "invalid_expiry_month", "exp_month")
    if _four_digits(given["exp_year"]) < _year(world):
        raise card_error("Your card's expiration year is invalid.", "invalid_expiry_year", "exp_year")
    today = datetime.fromtimestamp(world.now(), UTC)
    if (_four_digits(given["exp_year"]), given["exp_month"]) < (today.year, today.month):
        raise card_error("Your card's expiration month is invalid.", "invalid_expiry_month", "exp_month")
    cvc = given.get("cvc", "000")
    if not (cvc.isascii() and cvc.isdigit() and 3 <= len(cvc) <= 4):
        raise card_error("Your card's security code is invalid.", "invalid_cvc", "cvc")
    card = cards.BY_NUMBER.get(number)
    if card is None:
        refusal = cards.DECLINES["test_mode_live_card"]
        raise errors.ApiError(
            refusal.message,
            status=402,
            type="card_error",
            code=refusal.code,
            extra={"decline_code": refusal.decline_code},
        )
    return card


def card_error(message: str, code: str, param: str) -> errors.ApiError:
    return errors.ApiError(message, status=402, type="card_error", code=code, param=param)


def _year(world: World) -> int:
    return datetime.fromtimestamp(world.now(), UTC).year


def _four_digits(year: int) -> int:
    return year + 2000 if year < 100 else year


def usable(world: World, method_id: str, *, param: str = "payment_method") -> Obj:
    """The payment method; a `pm_card_*` token stands for a new one each time."""
    card = cards.BY_TOKEN.get(method_id)
    if card is not None and method_id.startswith("pm_card_"):
        return _add(world, card, 12, _year(world) + 3)
    return world.find("payment_method", method_id, param=param)


def test_card(world: World, method: Obj) -> cards.TestCard:
    return cards.BY_NUMBER[secret(world, method)["number"]]


def secret(world: World, method: Obj) -> Obj:
    """What the object does not show: the number, whether it was set up with authentication, whether it is used up."""
    return world.find("card_number", method["id"])


def update(world: World, method_id: str, params: Obj) -> Obj:
    method = world.find("payment_method", method_id)
    before = snapshot(method)
    card = params.get("card")
    if isinstance(card, dict):
        unknown = set(card) - {"exp_month", "exp_year"}
        if unknown:
            raise errors.unsupported(f"card[{sorted(unknown)[0]}]")
        method["card"] |= card
    _apply(method, params)
    world.books.save("payment_method", method)
    changed: Obj = {key: before[key] for key in ("card", "billing_details", "metadata") if key in params}
    world.emit("payment_method.updated", method, changed)
    return method


def _apply(method: Obj, params: Obj) -> None:
    if "billing_details" in params:
        method["billing_details"] = shapes.billing_details(
            method["billing_details"] | (params["billing_details"] or {})
        )
    if "allow_redisplay" in params:
        method["allow_redisplay"] = params["allow_redisplay"]
    if "metadata" in params:
        method["metadata"] = merged_metadata(method["metadata"], params["metadata"])


def attach(world: World, method_id: str, params: Obj) -> Obj:
    customer = world.customer(_required(params, "customer"), param="customer")
    check_attachable(world, method_id)
    method = usable(world, method_id)
    return attach_to(world, method, customer)


def check_attachable(world: World, method_id: str) -> None:
    """Raises `ApiError` (402) for a card whose bank declines to save it, (400) for one that was used up."""
    card = cards.BY_TOKEN.get(method_id)
    if card is None:
        method = world.find("payment_method", method_id)
        hidden = secret(world, method)
        card = cards.BY_NUMBER[hidden["number"]]
        if hidden["used_up"]:
            raise errors.invalid(USED_UP, param="payment_method")
    if card.decline and not card.attachable:
        refusal = cards.DECLINES[card.decline]
        extra = {"decline_code": refusal.decline_code, "advice_code": refusal.advice}
        raise errors.ApiError(refusal.message, status=402, type="card_error", code=refusal.code, extra=extra)


def attach_to(world: World, method: Obj, customer: Obj) -> Obj:
    if method["customer"] == customer["id"]:
        return method
    if method["customer"] is not None:
        raise errors.invalid("The payment method you provided has already been attached to a customer.")
    method["customer"] = customer["id"]
    world.books.save("payment_method", method)
    world.emit("payment_method.attached", method)
    return method


def detach(world: World, method_id: str, params: Obj) -> Obj:
    method = world.find("payment_method", method_id)
    if method["customer"] is None:
        raise errors.invalid(
            "The payment method you provided is not attached to a customer so detachment is impossible."
        )
    return detach_from(world, method)


def detach_from(world: World, method: Obj) -> Obj:
    customer = world.books.get("customer", method["customer"])
    if customer and not customer.get("deleted"):
        settings = customer["invoice_settings"]
        if settings["default_payment_method"] == method["id"]:
            settings["default_payment_method"] = None
            world.books.save("customer", customer)
    before = {"customer": method["customer"]}
    method["customer"] = None
    world.books.save("payment_method", method)
    mark(world, method, used_up=True)
    world.emit("payment_method.detached", method, before)
    return method


def mark(world: World, method: Obj, **facts: bool) -> None:
    hidden = secret(world, method)
    hidden.update(facts)
    world.books.save("card_number", hidden)


def _required(params: Obj, key: str) -> str:
    if key not in params:
        raise errors.missing_param(key)
    return str(params[key])
