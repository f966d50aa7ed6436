"""Money as it moves: Stripe's balance transactions, and beside them what the cardholder really paid.

The two are written apart on purpose: the balance is what Stripe tells the merchant, the card entries are what the bank
tells its customer. That they agree is a check, not a definition. Amounts are whole cents.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from .books import Books, Obj
from .world import World

DISPUTE_FEE = 1500


def processing_fee(amount: int) -> int:
    """2.9 % and 30 cents, half a cent rounded up."""
    return (amount * 29 + 500) // 1000 + 30


def charged(world: World, charge: Obj) -> Obj:
    fee = processing_fee(charge["amount"])
    _card_entry(world, charge, "charge", charge["amount"])
    return _record(world, charge["amount"], fee, "charge", "charge", charge["id"], charge["description"])


def refunded(world: World, charge: Obj, refund: Obj) -> Obj:
    _card_entry(world, charge, "refund", -refund["amount"])
    return _record(world, -refund["amount"], 0, "refund", "refund", refund["id"], "REFUND FOR CHARGE")


def refund_failed(world: World, charge: Obj, refund: Obj) -> Obj:
    _card_entry(world, charge, "refund_failure", refund["amount"])
    return _record(world, refund["amount"], 0, "refund_failure", "refund_failure", refund["id"], "REFUND FAILURE")


def dispute_withdrawn(world: World, charge: Obj, dispute: Obj) -> Obj:
    _card_entry(world, charge, "dispute", -dispute["amount"])
    words = f"Chargeback withdrawal for {charge['id']}"
    return _record(world, -dispute["amount"], DISPUTE_FEE, "adjustment", "dispute", dispute["id"], words)


def dispute_reinstated(world: World, charge: Obj, dispute: Obj) -> Obj:
    _card_entry(world, charge, "dispute_reversal", dispute["amount"])
    words = f"Chargeback reversal for {charge['id']}"
    return _record(world, dispute["amount"], 0, "adjustment", "dispute_reversal", dispute["id"], words)


def _blank(id: str, created: int) -> Obj:
    return {
        "id": id,
        "object": "balance_transaction",
        "amount": 0,
        "available_on": created,
        "balance_type": "payments",
        "created": created,
        "currency": "usd",
        "description": None,
        "exchange_rate": None,
        "fee": 0,
        "fee_details": [],
        "net": 0,
        "reporting_category": "charge",
        "source": None,
        "status": "pending",
        "type": "charge",
    }


def _record(world: World, amount: int, fee: int, type: str, category: str, source: str, words: str | None) -> Obj:
    details = {"amount": fee, "application": None, "currency": "usd", "description": "Stripe processing fees",
               "type": "stripe_fee"}  # fmt: skip
    if category == "dispute":
        details["description"] = "Dispute fee"
    moved = {
        "amount": amount,
        "fee": fee,
        "fee_details": [details] if fee else [],
        "net": amount - fee,
        "type": type,
        "reporting_category": category,
        "source": source,
        "description": words,
    }
    transaction = _blank(world.new_id("balance_transaction"), world.now()) | moved
    return world.books.add("balance_transaction", transaction)


def _card_entry(world: World, charge: Obj, kind: str, amount: int) -> None:
    secret = world.books.get("card_number", charge["payment_method"])
    entry = {
        "id": world.new_id("card_entry"),
        "at": world.now(),
        "kind": kind,
        "amount": amount,
        "number": secret["number"] if secret else None,
        "fingerprint": charge["payment_method_details"]["card"]["fingerprint"],
        "customer": charge["customer"],
        "charge": charge["id"],
    }
    world.books.add("card_entry", entry)


def _sums(entries: list[Obj]) -> Obj:
    def total(*kinds: str) -> int:
        return sum(entry["amount"] for entry in entries if entry["kind"] in kinds)

    return {
        "charged": total("charge"),
        "refunded": -total("refund", "refund_failure"),
        "disputed": -total("dispute", "dispute_reversal"),
        "net": sum(entry["amount"] for entry in entries),
        "charges": sorted({entry["charge"] for entry in entries}),
    }


def report(books: Books) -> Obj:
    """What each card and each customer really paid, in cents, and every charge that was tried, oldest first."""
    entries = books.oldest_first("card_entry")
    by_card: dict[str, list[Obj]] = defaultdict(list)
    by_customer: dict[str, list[Obj]] = defaultdict(list)
    by_charge: dict[str, list[Obj]] = defaultdict(list)
    for entry in entries:
        by_card[entry["fingerprint"]].append(entry)
        by_charge[entry["charge"]].append(entry)
        if entry["customer"]:
            by_customer[entry["customer"]].append(entry)
    cards = [
        {"fingerprint": fingerprint, "number": rows[0]["number"]} | _sums(rows) for fingerprint, rows in by_card.items()
    ]
    return {
        "totals": _sums(entries),
        "cards": cards,
        "customers": [{"customer": customer} | _sums(rows) for customer, rows in by_customer.items()],
        "charges": [_charge_line(charge, by_charge[charge["id"]]) for charge in books.oldest_first("charge")],
    }


def _charge_line(charge: Obj, entries: list[Obj]) -> dict[str, Any]:
    kept = ("id", "status", "amount", "created", "customer", "payment_intent", "payment_method", "metadata")
    sums = _sums(entries)
    del sums["charges"]
    card = charge["payment_method_details"]["card"]
    return {key: charge[key] for key in kept} | sums | {"fingerprint": card["fingerprint"], "last4": card["last4"]}
