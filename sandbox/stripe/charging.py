"""One attempt to take money from a card, and one attempt to set a card up: what the bank answers.

The test card decides, unless the sandbox was told otherwise for this card (`behaviour`): that is how a saved card that
always worked runs out of funds twice and then pays.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import balance, cards, methods, shapes
from .books import Obj
from .world import World


@dataclass(frozen=True)
class Verdict:
    """`decline` is None and `challenge` False when the bank agrees."""

    decline: cards.Decline | None = None
    challenge: bool = False


AGREED = Verdict()
CHALLENGE = Verdict(challenge=True)


def behave(world: World, key: str, outcome: str, count: int | None) -> Obj:
    """Make a card (a payment method's id, or a card number) answer `outcome` the next `count` times, or from now on.

    `outcome`: succeed, or a decline code of `cards.DECLINES` (authentication_required asks its customer in the browser).
    """
    row = {"id": key, "outcome": outcome, "left": count}
    world.books.put("behaviour", row)
    return row


def told(world: World, method: Obj) -> str | None:
    """The outcome somebody asked for, used up by one."""
    for key in (method["id"], methods.secret(world, method)["number"]):
        row = world.books.get("behaviour", key)
        if row is None or row["left"] == 0:
            continue
        if row["left"] is not None:
            row["left"] -= 1
            world.books.save("behaviour", row)
        return str(row["outcome"])
    return None


def verdict(world: World, method: Obj, *, off_session: bool, authenticated: bool) -> Verdict:
    """What the bank says to a charge."""
    outcome = told(world, method)
    if outcome == "succeed" or (outcome == "authentication_required" and authenticated):
        return AGREED
    if outcome == "authentication_required" and not off_session:
        return CHALLENGE
    if outcome is not None:
        return Verdict(cards.DECLINES[outcome])
    card = methods.test_card(world, method)
    if _asks(card, set_up=methods.secret(world, method)["set_up"], off_session=off_session) and not authenticated:
        return Verdict(cards.DECLINES["authentication_required"]) if off_session else CHALLENGE
    return Verdict(cards.DECLINES[card.decline]) if card.decline else AGREED


def setup_verdict(world: World, method: Obj, *, authenticated: bool) -> Verdict:
    """What the bank says to saving the card for later."""
    outcome = told(world, method)
    if outcome == "succeed":
        return AGREED
    if outcome == "authentication_required":
        return AGREED if authenticated else CHALLENGE
    if outcome is not None:
        return Verdict(cards.DECLINES[outcome])
    card = methods.test_card(world, method)
    if card.authentication in ("always", "unless_set_up") and not authenticated:
        return CHALLENGE
    if card.decline and not card.attachable:
        return Verdict(cards.DECLINES[card.decline])
    return AGREED


def _asks(card: cards.TestCard, *, set_up: bool, off_session: bool) -> bool:
    if card.authentication == "never":
        return False
    if not off_session or card.authentication == "always":
        return True
    return card.authentication == "unless_set_up" and not set_up


def take(world: World, intent: Obj, method: Obj, decline: cards.Decline | None, *, authenticated: bool = False) -> Obj:
    """The charge of an attempt the bank has answered, with its events. The balance moves only when it agreed."""
    charge = shapes.charge(world.new_id("charge"), world.now(), intent, method)
    if authenticated:
        charge["payment_method_details"]["card"]["three_d_secure"] = dict(shapes.AUTHENTICATED)
    charge["outcome"] = shapes.outcome(decline)
    world.books.add("charge", charge)
    if decline:
        charge |= {"status": "failed", "failure_code": decline.code, "failure_message": decline.message}
        world.emit("charge.failed", charge)
        return charge
    charge |= {"status": "succeeded", "paid": True, "captured": True, "amount_captured": charge["amount"]}
    charge["receipt_url"] = f"{world.settings.public_url}/c/receipts/{charge['id']}"
    world.emit("charge.succeeded", charge)
    return charge


def settle(world: World, charge: Obj) -> None:
    """The balance transaction of a charge that succeeded; Stripe makes it a moment after the event of success."""
    charge["balance_transaction"] = balance.charged(world, charge)["id"]
    world.books.save("charge", charge)
    world.emit("charge.updated", charge, {"balance_transaction": None})
    card = cards.BY_NUMBER[methods.secret(world, {"id": charge["payment_method"]})["number"]]
    if card.dispute:
        world.later(world.settings.dispute_delay, "dispute", charge["id"])
