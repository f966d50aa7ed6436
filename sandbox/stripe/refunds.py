"""Refunds: whole or in part, succeeding at once, later, or failing after they seemed to succeed."""

from __future__ import annotations

from . import balance, cards, errors, methods
from .books import Obj
from .shapes import dollars
from .world import World, merged_metadata

MODELLED_CREATE = frozenset({"amount", "charge", "payment_intent", "reason", "metadata", "expand"})
MODELLED_UPDATE = frozenset({"metadata", "expand"})


def create(world: World, params: Obj) -> Obj:
    charge = _charge(world, params)
    amount = checked_amount(world, charge, params.get("amount"))
    return make(world, charge, amount, params.get("reason"), params.get("metadata") or {})


def _charge(world: World, params: Obj) -> Obj:
    if "charge" in params:
        return world.find("charge", params["charge"], param="charge")
    if "payment_intent" not in params:
        raise errors.invalid(
            "One of the following params should be provided for this request: payment_intent or charge."
        )
    intent = world.find("payment_intent", params["payment_intent"], param="payment_intent")
    if intent["status"] != "succeeded":
        raise errors.ApiError(f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                              param="payment_intent")  # fmt: skip
    return world.find("charge", intent["latest_charge"])


def checked_amount(world: World, charge: Obj, amount: int | None) -> int:
    """The cents to refund, all that is left by default.

    Raises `ApiError` (400): nothing left, more than is left, a failed charge, a charge in dispute.
    """
    id = charge["id"]
    left: int = charge["amount"] - charge["amount_refunded"]
    if charge["status"] != "succeeded":
        raise errors.ApiError(f"This charge ({id}) has not succeeded and cannot be refunded.", param="charge")
    if charge["disputed"] and not _refundable(world, charge):
        raise errors.ApiError(f"Charge {id} has been charged back; cannot issue a refund.", code="charge_disputed")
    if left == 0:
        raise errors.ApiError(f"Charge {id} has already been refunded.", code="charge_already_refunded")
    if amount is None:
        return left
    if amount < 1:
        raise errors.invalid("This value must be greater than or equal to 1.", param="amount",
                             code="parameter_invalid_integer")  # fmt: skip
    if amount > left:
        what = "charge amount" if charge["amount_refunded"] == 0 else "unrefunded amount on charge"
        raise errors.ApiError(f"Refund amount ({dollars(amount)}) is greater than {what} ({dollars(left)})",
                              param="amount")  # fmt: skip
    return amount


def _refundable(world: World, charge: Obj) -> bool:
    disputes = world.books.oldest_first("dispute")
    return all(dispute["is_charge_refundable"] for dispute in disputes if dispute["charge"] == charge["id"])


def make(world: World, charge: Obj, amount: int, reason: str | None, metadata: dict[str, str]) -> Obj:
    """The refund of a charge that was checked; also how the dashboard makes one."""
    card = cards.BY_NUMBER[methods.secret(world, {"id": charge["payment_method"]})["number"]]
    refund = {
        "id": world.new_id("refund"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": world.now(),
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": {
            "card": {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"},
            "type": "card",
        },
        "metadata": merged_metadata({}, metadata),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if card.refund == "pends" else "succeeded",
        "transfer_reversal": None,
    }
    world.books.add("refund", refund)
    refund["balance_transaction"] = balance.refunded(world, charge, refund)["id"]
    _count(world, charge, amount)
    if reason == "fraudulent":
        charge["fraud_details"] = {"user_report": "fraudulent"}
    if card.refund != "succeeds":
        world.later(
            world.settings.refund_delay, "refund_succeeds" if card.refund == "pends" else "refund_fails", refund["id"]
        )
    world.emit("refund.created", refund)
    world.emit("charge.refunded", charge, {"amount_refunded": charge["amount_refunded"] - amount})
    return refund


def _count(world: World, charge: Obj, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    world.books.save("charge", charge)


def succeed(world: World, refund: Obj) -> Obj:
    """A pending refund arrives."""
    if refund["status"] != "pending":
        raise errors.ApiError(f"The refund {refund['id']} is {refund['status']}, not pending.")
    refund["status"] = "succeeded"
    world.books.save("refund", refund)
    _changed(world, refund, {"status": "pending"})
    return refund


def fail(world: World, refund: Obj) -> Obj:
    """The bank sends the money back: the refund fails, even one that had succeeded, and the balance gets it again."""
    if refund["status"] not in ("pending", "succeeded"):
        raise errors.ApiError(f"The refund {refund['id']} is {refund['status']} already.")
    charge = world.find("charge", refund["charge"])
    before = {"status": refund["status"]}
    returned = balance.refund_failed(world, charge, refund)
    refund |= {"status": "failed", "failure_balance_transaction": returned["id"], "failure_reason": "unknown"}
    world.books.save("refund", refund)
    _count(world, charge, -refund["amount"])
    world.emit("refund.failed", refund)
    _changed(world, refund, before)
    return refund


def _changed(world: World, refund: Obj, before: Obj) -> None:
    world.emit("refund.updated", refund, before)
    world.emit("charge.refund.updated", refund, before)


def update(world: World, refund_id: str, params: Obj) -> Obj:
    refund = world.find("refund", refund_id)
    before = {"metadata": refund["metadata"]}
    if "metadata" in params:
        refund["metadata"] = merged_metadata(refund["metadata"], params["metadata"])
    world.books.save("refund", refund)
    _changed(world, refund, before)
    return refund
