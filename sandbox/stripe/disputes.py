"""Disputes: an inquiry moves no money; a chargeback takes the money when it opens and a won one gives it back.

Each step tells its own event, so a test can take them in any order: opened, funds withdrawn, funds reinstated, closed.
"""

from __future__ import annotations

from . import balance, errors
from .books import Obj
from .world import World, merged_metadata

MODELLED_UPDATE = frozenset({"evidence", "submit", "metadata", "expand"})
EVIDENCE = ("access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
            "cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
            "customer_purchase_ip", "customer_signature", "duplicate_charge_documentation",
            "duplicate_charge_explanation", "duplicate_charge_id", "product_description", "receipt", "refund_policy",
            "refund_policy_disclosure", "refund_refusal_explanation", "service_date", "service_documentation",
            "shipping_address", "shipping_carrier", "shipping_date", "shipping_documentation",
            "shipping_tracking_number", "uncategorized_file", "uncategorized_text")  # fmt: skip
DAY = 86_400
CLOSED = ("won", "lost", "warning_closed")


def open(
    world: World,
    charge: Obj,
    *,
    amount: int | None = None,
    reason: str = "fraudulent",
    inquiry: bool = False,
    withdraw: bool = True,
) -> Obj:
    """A dispute of a charge. `withdraw=False` leaves the money where it is until `withdraw` is called."""
    left = charge["amount"] - charge["amount_refunded"]
    if charge["status"] != "succeeded" or left == 0:
        raise errors.ApiError(f"The charge {charge['id']} holds no money that could be disputed.")
    amount = left if amount is None else amount
    if not 0 < amount <= charge["amount"]:
        raise errors.invalid("The disputed amount must be between 1 and the amount of the charge.", param="amount")
    dispute = _fresh(world, charge, amount, reason, inquiry)
    world.books.add("dispute", dispute)
    charge["disputed"] = True
    world.books.save("charge", charge)
    world.emit("charge.dispute.created", dispute)
    if withdraw and not inquiry:
        take(world, dispute)
    return dispute


def _fresh(world: World, charge: Obj, amount: int, reason: str, inquiry: bool) -> Obj:
    brand = charge["payment_method_details"]["card"]["brand"]
    return {
        "id": world.new_id("dispute"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": world.now(),
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(EVIDENCE) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": world.now() + 9 * DAY,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": brand,
                "case_type": "inquiry" if inquiry else "chargeback",
                "network": brand,
                "network_reason_code": "10" if inquiry else "10.4",
            },
            "type": "card",
        },
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }


def take(world: World, dispute: Obj) -> Obj:
    """The disputed amount leaves the balance, once."""
    if dispute["balance_transactions"]:
        raise errors.ApiError(f"The funds of {dispute['id']} were withdrawn already.")
    if dispute["status"].startswith("warning"):
        raise errors.ApiError(f"{dispute['id']} is an inquiry: it moves no money until it is escalated.")
    charge = world.find("charge", dispute["charge"])
    dispute["balance_transactions"].append(dict(balance.dispute_withdrawn(world, charge, dispute)))
    world.books.save("dispute", dispute)
    world.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def give_back(world: World, dispute: Obj) -> Obj:
    """The amount comes back into the balance, once, after it was withdrawn."""
    if len(dispute["balance_transactions"]) != 1:
        raise errors.ApiError(f"There is nothing to reinstate on {dispute['id']}.")
    charge = world.find("charge", dispute["charge"])
    dispute["balance_transactions"].append(dict(balance.dispute_reinstated(world, charge, dispute)))
    world.books.save("dispute", dispute)
    world.emit("charge.dispute.funds_reinstated", dispute)
    return dispute


def escalate(world: World, dispute: Obj, *, withdraw: bool = True) -> Obj:
    """An inquiry becomes a chargeback."""
    if not dispute["status"].startswith("warning") or dispute["status"] == "warning_closed":
        raise errors.ApiError(f"{dispute['id']} is {dispute['status']}: only an open inquiry can be escalated.")
    before = {"status": dispute["status"], "is_charge_refundable": True}
    dispute |= {"status": "needs_response", "is_charge_refundable": False}
    dispute["payment_method_details"]["card"] |= {"case_type": "chargeback", "network_reason_code": "10.4"}
    world.books.save("dispute", dispute)
    world.emit("charge.dispute.updated", dispute, before)
    return take(world, dispute) if withdraw else dispute


def win(world: World, dispute: Obj, *, reinstate: bool = True) -> Obj:
    _open_chargeback(dispute)
    dispute["is_charge_refundable"] = True
    _close(world, dispute, "won")
    if reinstate and len(dispute["balance_transactions"]) == 1:
        give_back(world, dispute)
    return dispute


def lose(world: World, dispute: Obj) -> Obj:
    _open_chargeback(dispute)
    return _close(world, dispute, "lost")


def drop(world: World, dispute: Obj) -> Obj:
    """The bank lets an inquiry go; no money ever moved."""
    if not dispute["status"].startswith("warning") or dispute["status"] in CLOSED:
        raise errors.ApiError(f"{dispute['id']} is {dispute['status']}, not an open inquiry.")
    return _close(world, dispute, "warning_closed")


def _open_chargeback(dispute: Obj) -> None:
    if dispute["status"] not in ("needs_response", "under_review"):
        raise errors.ApiError(f"{dispute['id']} is {dispute['status']}, not an open chargeback.")


def _close(world: World, dispute: Obj, status: str) -> Obj:
    dispute["status"] = status
    world.books.save("dispute", dispute)
    world.emit("charge.dispute.closed", dispute)
    return dispute


def update(world: World, dispute_id: str, params: Obj) -> Obj:
    """Evidence. The texts `winning_evidence` and `losing_evidence` decide the dispute, as in Stripe's test mode."""
    dispute = world.find("dispute", dispute_id)
    if dispute["status"] in CLOSED and set(params) & {"evidence", "submit"}:
        raise errors.ApiError("This dispute is already closed.", code="dispute_closed", param="evidence")
    before = {"status": dispute["status"]}
    evidence = params.get("evidence") or {}
    dispute["evidence"] |= {key: value or None for key, value in evidence.items()}
    if evidence:
        dispute["evidence_details"]["has_evidence"] = True
    if "metadata" in params:
        dispute["metadata"] = merged_metadata(dispute["metadata"], params["metadata"])
    if evidence and params.get("submit", True):
        _submit(world, dispute)
    world.books.save("dispute", dispute)
    world.emit("charge.dispute.updated", dispute, before)
    text = evidence.get("uncategorized_text")
    if text in ("winning_evidence", "losing_evidence") and dispute["status"] == "under_review":
        return win(world, dispute) if text == "winning_evidence" else lose(world, dispute)
    return dispute


def _submit(world: World, dispute: Obj) -> None:
    inquiry = dispute["status"].startswith("warning")
    dispute["status"] = "warning_under_review" if inquiry else "under_review"
    dispute["evidence_details"]["submission_count"] += 1


def close(world: World, dispute_id: str, params: Obj) -> Obj:
    """The merchant gives in: lost."""
    dispute = world.find("dispute", dispute_id)
    if dispute["status"] in CLOSED:
        raise errors.ApiError("This dispute is already closed.", code="dispute_closed")
    return _close(world, dispute, "lost")
