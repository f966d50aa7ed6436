"""Refunds: whole, in part, pending, failed, too much, from the dashboard."""

import pytest
import stripe

from sandbox.stripe import Running
from tests.sandbox.stripe.conftest import Inbox, charge_of


def test_the_whole_charge(client: stripe.StripeClient, sandbox: Running, heard: Inbox) -> None:
    charge_id = charge_of(client)
    refund = client.v1.refunds.create({"charge": charge_id, "metadata": {"refund": "9"}})
    assert (refund.amount, refund.status, refund.metadata and refund.metadata.to_dict()) == (
        5_000,
        "succeeded",
        {"refund": "9"},
    )
    charge = client.v1.charges.retrieve(charge_id)
    assert (charge.refunded, charge.amount_refunded) == (True, 5_000)
    assert sandbox.admin.books()["totals"]["net"] == 0
    came = heard.wait_for("charge.refunded")
    assert came.index("refund.created") < came.index("charge.refunded")


def test_in_parts_and_never_more_than_was_paid(client: stripe.StripeClient) -> None:
    charge = charge_of(client)
    client.v1.refunds.create({"charge": charge, "amount": 1_999})
    with pytest.raises(stripe.InvalidRequestError, match=r"\(\$30\.02\) is greater than .* \(\$30\.01\)"):
        client.v1.refunds.create({"charge": charge, "amount": 3_002})
    client.v1.refunds.create({"charge": charge, "amount": 3_001})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"charge": charge})
    assert refused.value.code == "charge_already_refunded"
    assert [refund.amount for refund in client.v1.refunds.list({"charge": charge}).data] == [3_001, 1_999]


def test_by_its_intent(client: stripe.StripeClient) -> None:
    charge = client.v1.charges.retrieve(charge_of(client))
    refund = client.v1.refunds.create({"payment_intent": str(charge.payment_intent)})
    assert refund.charge == charge.id
    unpaid = client.v1.payment_intents.create({"amount": 500, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        client.v1.refunds.create({"payment_intent": unpaid.id})


def test_pending_then_arrived(client: stripe.StripeClient, sandbox: Running, heard: Inbox) -> None:
    sandbox.sandbox.settings.refund_delay = 3_600
    refund = client.v1.refunds.create({"charge": charge_of(client, "pm_card_pendingRefund")})
    assert refund.status == "pending"
    sandbox.admin.advance(3_601)
    assert client.v1.refunds.retrieve(refund.id).status == "succeeded"
    assert "refund.updated" in heard.wait_for("refund.updated")


def test_failed_after_it_seemed_to_succeed(client: stripe.StripeClient, sandbox: Running, heard: Inbox) -> None:
    sandbox.sandbox.settings.refund_delay = 3_600
    refund = client.v1.refunds.create({"charge": charge_of(client, "pm_card_refundFail")})
    assert refund.status == "succeeded"
    sandbox.admin.advance(3_601)
    refund = client.v1.refunds.retrieve(refund.id)
    assert (refund.status, refund.failure_reason) == ("failed", "unknown")
    returned = client.v1.balance_transactions.retrieve(str(refund.failure_balance_transaction))
    assert (returned.amount, returned.type) == (5_000, "refund_failure")
    assert client.v1.charges.retrieve(str(refund.charge)).amount_refunded == 0
    assert sandbox.admin.books()["totals"] | {"charges": []} == {
        "charged": 5_000,
        "refunded": 0,
        "disputed": 0,
        "net": 5_000,
        "charges": [],
    }
    assert "refund.failed" in heard.wait_for("refund.failed")


def test_any_refund_can_be_made_to_fail(client: stripe.StripeClient, sandbox: Running) -> None:
    refund = client.v1.refunds.create({"charge": charge_of(client), "amount": 100})
    assert sandbox.admin.fail_refund(refund.id)["status"] == "failed"
    assert sandbox.admin.books()["totals"]["net"] == 5_000


def test_from_the_dashboard_as_fraudulent(client: stripe.StripeClient, sandbox: Running, heard: Inbox) -> None:
    charge = charge_of(client)
    refund = sandbox.admin.refund(charge, amount=1_000, reason="fraudulent")
    assert (refund["reason"], refund["metadata"]) == ("fraudulent", {})
    assert client.v1.charges.retrieve(charge).fraud_details is not None
    heard.wait_for("charge.refunded")
    assert sandbox.admin.books()["totals"]["net"] == 4_000


def test_a_failed_charge_has_nothing_to_give(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as refused:
        charge_of(client, "pm_card_chargeDeclined")
    assert refused.value.error is not None
    with pytest.raises(stripe.InvalidRequestError, match="has not succeeded"):
        client.v1.refunds.create({"charge": str(refused.value.error.charge)})
