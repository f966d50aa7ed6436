"""Customers: created, changed, deleted."""

from __future__ import annotations

from . import errors, methods, shapes
from .books import Obj
from .world import World, merged_metadata

PLAIN = ("description", "email", "name", "phone", "preferred_locales", "tax_exempt", "address", "shipping")
MODELLED = frozenset({*PLAIN, "metadata", "payment_method", "invoice_settings", "expand"})


def create(world: World, params: Obj) -> Obj:
    customer = shapes.customer(world.new_id("customer"), world.now(), world.secret(8).upper())
    if "payment_method" in params:
        methods.check_attachable(world, params["payment_method"])
    _apply(customer, params)
    world.books.add("customer", customer)
    if "payment_method" in params:
        methods.attach_to(world, methods.usable(world, params["payment_method"]), customer)
    _apply_invoice_settings(world, customer, params)
    world.emit("customer.created", customer)
    return customer


def update(world: World, customer_id: str, params: Obj) -> Obj:
    customer = world.customer(customer_id)
    before = {key: customer[key] for key in (*PLAIN, "metadata") if key in params}
    _apply(customer, params)
    _apply_invoice_settings(world, customer, params)
    world.books.save("customer", customer)
    world.emit("customer.updated", customer, before)
    return customer


def delete(world: World, customer_id: str, params: Obj) -> Obj:
    customer = world.customer(customer_id)
    for method in list(world.books.oldest_first("payment_method")):
        if method["customer"] == customer_id:
            methods.detach_from(world, method)
    world.emit("customer.deleted", customer)
    gone = {"id": customer_id, "object": "customer", "deleted": True}
    world.books.put("customer", gone)
    return gone


def _apply(customer: Obj, params: Obj) -> None:
    for key in PLAIN:
        if key in params:
            empty: list[str] | None = [] if key == "preferred_locales" else None
            customer[key] = empty if params[key] == "" else params[key]
    if "metadata" in params:
        customer["metadata"] = merged_metadata(customer["metadata"], params["metadata"])
    if isinstance(customer["address"], dict):
        customer["address"] = shapes.NO_ADDRESS | customer["address"]


def _apply_invoice_settings(world: World, customer: Obj, params: Obj) -> None:
    settings = params.get("invoice_settings")
    if not settings:
        return
    unknown = set(settings) - {"default_payment_method"}
    if unknown:
        raise errors.unsupported(f"invoice_settings[{sorted(unknown)[0]}]")
    method_id = settings["default_payment_method"] or None
    name = "invoice_settings[default_payment_method]"
    if method_id:
        method = world.find("payment_method", method_id, param=name)
        if method["customer"] != customer["id"]:
            raise errors.invalid(
                "The customer does not have a payment method with the ID "
                f"{method_id}. The payment method must be attached to the customer.",
                param=name,
                code="resource_missing",
            )
    customer["invoice_settings"]["default_payment_method"] = method_id
    world.books.save("customer", customer)
