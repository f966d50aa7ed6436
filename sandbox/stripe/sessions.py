"""A new Checkout session: what Stripe checks of it, what it costs, and all its fields."""

from __future__ import annotations

from urllib.parse import urlsplit

from . import errors, intents
from .books import Obj
from .world import World

SHORTEST, LONGEST = 30 * 60, 24 * 60 * 60


def fresh(world: World, params: Obj) -> Obj:
    """The session as it is first answered; its lines go into the books beside it."""
    mode = params.get("mode")
    if mode is None:
        raise errors.missing_param("mode")
    if mode == "subscription":
        raise errors.unsupported("mode=subscription")
    if params.get("ui_mode", "hosted_page") != "hosted_page":
        raise errors.unsupported(f"ui_mode={params['ui_mode']}")
    if "success_url" not in params:
        raise errors.missing_param("success_url")
    for key in ("success_url", "cancel_url"):
        _check_url(params, key)
    _check_saving(params, mode)
    if "customer" in params:
        world.customer(params["customer"], param="customer")
    session = _blank(world.new_id("checkout.session"), world.now(), mode)
    session["expires_at"] = _expiry(world, params)
    lines = _lines(world, params, mode)
    world.books.add("session_items", {"id": session["id"], "items": lines})
    if mode == "payment":
        total = sum(line["amount_total"] for line in lines)
        intents.check_amount(total, "usd")
        session |= {"amount_subtotal": total, "amount_total": total, "currency": "usd", "payment_status": "unpaid"}
        session["total_details"] = {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0}
    _fill(session, params)
    session["url"] = f"{world.settings.public_url}/c/pay/{session['id']}"
    return session


def _check_url(params: Obj, key: str) -> None:
    parts = urlsplit(params.get(key, "http://unset.example"))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise errors.invalid("Not a valid URL", param=key, code="url_invalid")


def _check_saving(params: Obj, mode: str) -> None:
    if params.get("allowed_payment_method_types", ["card"]) != ["card"]:
        raise errors.unsupported("payment method types other than card")
    for key, other in (("payment_intent_data", "payment"), ("setup_intent_data", "setup")):
        if key in params and mode != other:
            raise errors.invalid(f"You can not pass `{key}` in `{mode}` mode.", param=key)
    unknown = set(params.get("payment_intent_data", {})) - {
        "description", "metadata", "receipt_email", "setup_future_usage", "statement_descriptor_suffix", "capture_method"
    }  # fmt: skip
    if unknown:
        raise errors.unsupported(f"payment_intent_data[{sorted(unknown)[0]}]")
    if "customer" in params and ("customer_email" in params or "customer_creation" in params):
        second = "customer_email" if "customer_email" in params else "customer_creation"
        raise errors.invalid(f"You may only specify one of these parameters: customer, {second}.", param="customer")
    if mode == "setup" and "currency" not in params and "allowed_payment_method_types" not in params:
        raise errors.missing_param("currency")


def _expiry(world: World, params: Obj) -> int:
    expires_at = int(params.get("expires_at", world.now() + LONGEST))
    # A minute of grace on either side: clocks differ and requests take time.
    if expires_at < world.now() + SHORTEST - 60:
        raise errors.invalid("The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.",
                             param="expires_at")  # fmt: skip
    if expires_at > world.now() + LONGEST + 60:
        raise errors.invalid("The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
                             param="expires_at")  # fmt: skip
    return expires_at


def _lines(world: World, params: Obj, mode: str) -> list[Obj]:
    given = params.get("line_items", [])
    if mode == "setup":
        if given:
            raise errors.invalid("You can not pass `line_items` in `setup` mode.", param="line_items")
        return []
    if not given:
        raise errors.missing_param("line_items")
    return [_line(world, item, f"line_items[{place}]") for place, item in enumerate(given)]


def _line(world: World, item: Obj, path: str) -> Obj:
    if set(item) - {"price_data", "quantity"}:
        raise errors.unsupported(f"{path}[{sorted(set(item) - {'price_data', 'quantity'})[0]}]")
    price_data = item.get("price_data")
    if price_data is None:
        raise errors.missing_param(f"{path}[price_data]")
    if set(price_data) - {"currency", "unit_amount", "product_data"}:
        unknown = sorted(set(price_data) - {"currency", "unit_amount", "product_data"})[0]
        raise errors.unsupported(f"{path}[price_data][{unknown}]")
    for key in ("unit_amount", "product_data"):
        if key not in price_data:
            raise errors.missing_param(f"{path}[price_data][{key}]")
    if price_data["currency"].lower() != "usd":
        raise errors.unsupported(f"the currency {price_data['currency']}: only usd")
    if "quantity" not in item:
        raise errors.missing_param(f"{path}[quantity]")
    if item["quantity"] < 1 or price_data["unit_amount"] < 0:
        raise errors.invalid("This value must be greater than or equal to 1.", param=f"{path}[quantity]",
                             code="parameter_invalid_integer")  # fmt: skip
    return _line_item(world, price_data, item["quantity"])


def _line_item(world: World, price_data: Obj, quantity: int) -> Obj:
    total = price_data["unit_amount"] * quantity
    return {
        "id": world.new_id("line_item"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": "usd",
        "description": price_data["product_data"]["name"],
        "price": {
            "id": world.new_id("price"),
            "object": "price",
            "active": False,
            "billing_scheme": "per_unit",
            "created": world.now(),
            "currency": "usd",
            "livemode": False,
            "lookup_key": None,
            "metadata": {},
            "nickname": None,
            "product": world.new_id("product"),
            "recurring": None,
            "type": "one_time",
            "unit_amount": price_data["unit_amount"],
            "unit_amount_decimal": str(price_data["unit_amount"]),
        },
        "quantity": quantity,
    }


def _fill(session: Obj, params: Obj) -> None:
    for key in (
        "customer",
        "customer_email",
        "client_reference_id",
        "success_url",
        "cancel_url",
        "submit_type",
        "locale",
    ):
        if key in params:
            session[key] = params[key]
    session["metadata"] = {key: value for key, value in (params.get("metadata") or {}).items() if value != ""}
    session["custom_text"] |= params.get("custom_text", {})
    if session["mode"] == "payment" and not session["customer"]:
        session["customer_creation"] = params.get("customer_creation", "if_required")
    elif "customer_creation" in params:
        session["customer_creation"] = params["customer_creation"]
    saving = {"allow_redisplay_filters": ["always"], "payment_method_remove": "disabled", "payment_method_save": None}
    if session["customer"]:
        session["saved_payment_method_options"] = saving | params.get("saved_payment_method_options", {})
    if "allowed_payment_method_types" in params:
        session["allowed_payment_method_types"] = params["allowed_payment_method_types"]


def _blank(id: str, created: int, mode: str) -> Obj:
    nothing = ("after_expiration", "allow_promotion_codes", "allowed_payment_method_types", "amount_subtotal",
               "amount_total", "billing_address_collection", "branding_settings", "cancel_url", "client_reference_id",
               "client_secret", "collected_information", "consent", "consent_collection", "currency",
               "currency_conversion", "customer", "customer_account", "customer_creation", "customer_details",
               "customer_email", "excluded_payment_method_types", "integration_identifier", "invoice", "locale",
               "managed_payments", "origin_context", "payment_intent", "payment_link",
               "payment_method_configuration_details", "permissions", "recovered_from", "saved_payment_method_options",
               "setup_intent", "shipping_address_collection", "shipping_cost", "submit_type", "subscription",
               "success_url", "total_details", "url", "wallet_options")  # fmt: skip
    known = {
        "adaptive_pricing": {"enabled": False},
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "created": created,
        "custom_fields": [],
        "custom_text": {"after_submit": None, "shipping_address": None, "submit": None,
                        "terms_of_service_acceptance": None},
        "discounts": [],
        "expires_at": created + LONGEST,
        "invoice_creation": {"enabled": False, "invoice_data": dict.fromkeys(
            ("account_tax_ids", "custom_fields", "description", "footer", "issuer", "metadata", "rendering_options"))},
        "livemode": False,
        "metadata": {},
        "mode": mode,
        "payment_method_collection": "always" if mode == "setup" else "if_required",
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "payment_status": "no_payment_required",
        "phone_number_collection": {"enabled": False},
        "shipping_options": [],
        "status": "open",
        "ui_mode": "hosted_page",
    }  # fmt: skip
    if mode == "setup":
        known["invoice_creation"] = None
    return {"id": id, "object": "checkout.session"} | dict(sorted((dict.fromkeys(nothing) | known).items()))
