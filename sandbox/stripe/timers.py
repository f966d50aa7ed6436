"""What comes due on the sandbox's clock: sessions expire, slow refunds are decided, disputing cards dispute."""

from __future__ import annotations

from . import cards, checkout, disputes, methods, refunds
from .world import World


def run_due(world: World) -> None:
    """Do what has come due, oldest first."""
    now = world.exact_now()
    due = [timer for timer in world.books.oldest_first("timer") if timer["due"] <= now]
    for timer in sorted(due, key=lambda timer: float(timer["due"])):
        world.books.remove("timer", timer["id"])
        _do(world, timer["what"], timer["object"])


def _do(world: World, what: str, id: str) -> None:
    if what == "expire":
        session = world.books.get("checkout.session", id)
        if session and session["status"] == "open":
            checkout.expire(world, id)
    elif what == "dispute":
        charge = world.find("charge", id)
        card = cards.BY_NUMBER[methods.secret(world, {"id": charge["payment_method"]})["number"]]
        if charge["amount_refunded"] < charge["amount"] and card.dispute:
            disputes.open(world, charge, reason=card.dispute, inquiry=card.inquiry)
    elif what in ("refund_succeeds", "refund_fails"):
        refund = world.find("refund", id)
        if what == "refund_succeeds" and refund["status"] == "pending":
            refunds.succeed(world, refund)
        elif what == "refund_fails" and refund["status"] != "failed":
            refunds.fail(world, refund)
