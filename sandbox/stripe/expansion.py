"""`expand[]`: ids in an answer replaced by the objects they name, up to four levels deep.

What can be expanded is known beforehand and checked before a request is carried out: a request with a path that cannot
be expanded has no effect.
"""

from __future__ import annotations

from . import errors, shapes
from .books import Obj
from .world import World, snapshot

ANYTHING = "*"
# Of each object the fields that can be expanded, and what they become.
EXPANDABLE: dict[str, dict[str, str]] = {
    "customer": {"invoice_settings": "customer.invoice_settings"},
    "customer.invoice_settings": {"default_payment_method": "payment_method"},
    "payment_method": {"customer": "customer"},
    "payment_intent": {"customer": "customer", "payment_method": "payment_method", "latest_charge": "charge"},
    "setup_intent": {"customer": "customer", "payment_method": "payment_method"},
    "checkout.session": {
        "customer": "customer",
        "payment_intent": "payment_intent",
        "setup_intent": "setup_intent",
        "line_items": "list:line_item",
    },
    "charge": {
        "customer": "customer",
        "payment_intent": "payment_intent",
        "balance_transaction": "balance_transaction",
        "failure_balance_transaction": "balance_transaction",
        "refunds": "list:refund",
        "dispute": "dispute",
    },
    "refund": {
        "charge": "charge",
        "payment_intent": "payment_intent",
        "balance_transaction": "balance_transaction",
        "failure_balance_transaction": "balance_transaction",
    },
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    "balance_transaction": {"source": ANYTHING},
}
KIND_OF = {
    "cus_": "customer",
    "pm_": "payment_method",
    "pi_": "payment_intent",
    "seti_": "setup_intent",
    "ch_": "charge",
    "re_": "refund",
    "dp_": "dispute",
    "txn_": "balance_transaction",
}


def check(kind: str, paths: list[str]) -> None:
    """Raises `ApiError` (400) for a path that leads nowhere. `kind` is the answer's: an object, or `list:` and objects."""
    for path in paths:
        parts = path.split(".")
        if len(parts) - (parts[0] == "data") > 4:
            raise errors.invalid(f"You cannot expand more than 4 levels of a property ({path[:100]}).", param="expand")
        here = kind
        for part in parts:
            here = _below(here, part, path)


def _below(kind: str, part: str, path: str) -> str:
    if kind == ANYTHING:
        return ANYTHING
    if kind.startswith("list:") and part == "data":
        return kind.removeprefix("list:")
    fields = EXPANDABLE.get(kind, {})
    if part not in fields:
        raise errors.invalid(f"This property cannot be expanded ({path[:100]}).", param="expand")
    return fields[part]


def expanded(world: World, answer: Obj, paths: list[str]) -> Obj:
    """A copy of the answer with the named fields, which were checked, expanded."""
    if not paths:
        return answer
    answer = snapshot(answer)
    for path in paths:
        _expand(world, answer, path.split("."))
    return answer


def _expand(world: World, obj: Obj, parts: list[str]) -> None:
    name, rest = parts[0], parts[1:]
    if name == "data" and obj.get("object") == "list":
        for row in obj["data"]:
            if rest:
                _expand(world, row, rest)
        return
    _include(world, obj, name)
    value = obj.get(name)
    if isinstance(value, str):
        value = snapshot(_object(world, value))
        obj[name] = obj[name] if value is None else value
    if rest and isinstance(value, dict):
        _expand(world, value, rest)


def _object(world: World, id: str) -> Obj | None:
    for prefix, kind in KIND_OF.items():
        if id.startswith(prefix):
            return world.books.get(kind, id)
    return None


def _include(world: World, obj: Obj, name: str) -> None:
    """Fields Stripe leaves out until asked: the lines of a session, the refunds and the dispute of a charge."""
    what = (obj.get("object"), name)
    if what == ("checkout.session", "line_items"):
        held = world.books.get("session_items", obj["id"])
        lines = snapshot(held["items"]) if held else []
        obj[name] = shapes.listing(f"/v1/checkout/sessions/{obj['id']}/line_items", lines)
    elif what == ("charge", "refunds"):
        rows = [row for row in world.books.newest_first("refund") if row["charge"] == obj["id"]]
        obj[name] = shapes.listing(f"/v1/charges/{obj['id']}/refunds", snapshot(rows[:10]), len(rows) > 10)
    elif what == ("charge", "dispute"):
        ids = [row["id"] for row in world.books.newest_first("dispute") if row["charge"] == obj["id"]]
        obj[name] = ids[0] if ids else None
