"""What each card really paid, held against Stripe's own balance transactions."""

import random
from typing import Any

import pytest
import stripe

from sandbox.stripe import InProcessClient, Running, Sandbox
from sandbox.stripe.balance import processing_fee
from sandbox.stripe.client import Refused
from tests.sandbox.stripe.conftest import charge_of, in_browser, off_session, saved


def test_one_card_one_line(client: stripe.StripeClient, sandbox: Running, alice: stripe.Customer) -> None:
    client.v1.payment_intents.create(off_session(alice, saved(client, alice), 5_000))
    charge_of(client, "pm_card_visa", 700)
    charge_of(client, "pm_card_mastercard", 900)
    with pytest.raises(stripe.CardError):
        charge_of(client, "pm_card_chargeDeclined")
    books = sandbox.admin.books()
    assert {row["number"]: row["net"] for row in books["cards"]} == {"4242424242424242": 5_700, "5555555555554444": 900}
    assert [(row["customer"], row["net"]) for row in books["customers"]] == [(alice.id, 5_000)]
    assert [(row["status"], row["charged"]) for row in books["charges"]] == [
        ("succeeded", 5_000),
        ("succeeded", 700),
        ("succeeded", 900),
        ("failed", 0),
    ]
    assert books["totals"]["charged"] == 6_600


@pytest.mark.parametrize(("amount", "fee"), [(50, 31), (10_000, 320), (1_234, 66)])
def test_fees_are_apart(client: stripe.StripeClient, amount: int, fee: int) -> None:
    charge_of(client, amount=amount)
    (row,) = client.v1.balance_transactions.list().data
    assert (row.amount, row.fee, row.net, row.type, row.reporting_category) == (
        amount,
        fee,
        amount - fee,
        "charge",
        "charge",
    )
    assert processing_fee(amount) == fee


def act(rng: random.Random, client: stripe.StripeClient, sandbox: Sandbox) -> None:
    """One thing that can happen, sensible or not."""
    charges = sandbox.books.oldest_first("charge")
    disputes = sandbox.books.oldest_first("dispute")
    refunds = sandbox.books.oldest_first("refund")
    what = rng.choice(["charge", "charge", "refund", "dispute", "step", "fail", "clock"])
    if what == "charge":
        token = rng.choice(["visa", "mastercard", "createDispute", "chargeDeclined", "refundFail", "pendingRefund"])
        client.v1.payment_intents.create(in_browser(f"pm_card_{token}", rng.randrange(50, 20_000)))
    elif what == "refund" and charges:
        client.v1.refunds.create({"charge": rng.choice(charges)["id"], "amount": rng.randrange(1, 9_000)})
    elif what == "dispute" and charges:
        sandbox.admin.dispute(rng.choice(charges)["id"], inquiry=rng.random() < 0.3, withdraw=rng.random() < 0.7)
    elif what == "step" and disputes:
        step: Any = getattr(
            sandbox.admin, rng.choice(["withdraw", "reinstate", "escalate", "win", "lose", "drop_inquiry"])
        )
        step(rng.choice(disputes)["id"])
    elif what == "fail" and refunds:
        sandbox.admin.fail_refund(rng.choice(refunds)["id"])
    elif what == "clock":
        sandbox.admin.advance(3_600)


@pytest.mark.parametrize("seed", range(5))
def test_the_books_equal_the_balance_whatever_happens(seed: int) -> None:
    sandbox = Sandbox(seed=seed, clock=lambda: 1_800_000_000)
    sandbox.settings.refund_delay = 600
    client = stripe.StripeClient("sk_test_x", http_client=InProcessClient(sandbox), max_network_retries=0)
    rng = random.Random(seed)
    for _ in range(150):
        try:
            act(rng, client, sandbox)
        except (stripe.StripeError, Refused):
            continue
    rows = sandbox.books.oldest_first("balance_transaction")
    totals = sandbox.admin.books()["totals"]
    by_category = {
        name: sum(row["amount"] for row in rows if row["reporting_category"] == name)
        for name in ("charge", "refund", "refund_failure", "dispute", "dispute_reversal")
    }
    assert totals["charged"] == by_category["charge"] > 0
    assert totals["refunded"] == -by_category["refund"] - by_category["refund_failure"]
    assert totals["disputed"] == -by_category["dispute"] - by_category["dispute_reversal"]
    assert totals["net"] == sum(row["amount"] for row in rows)
    for charge in sandbox.books.oldest_first("charge"):
        assert 0 <= charge["amount_refunded"] <= charge["amount"]
    for row in rows:
        assert row["net"] == row["amount"] - row["fee"]
