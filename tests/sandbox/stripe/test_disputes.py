"""Disputes: each phase, its money and its event."""

import pytest
import stripe

from sandbox.stripe import Running
from sandbox.stripe.client import Refused
from tests.sandbox.stripe.conftest import Inbox, charge_of


def only_dispute(client: stripe.StripeClient, charge: str) -> stripe.Dispute:
    (dispute,) = client.v1.disputes.list({"charge": charge}).data
    return dispute


def movements(dispute: stripe.Dispute) -> list[tuple[int, str, str]]:
    return [(row.amount, row.type, row.reporting_category) for row in dispute.balance_transactions]


def test_the_disputing_card(client: stripe.StripeClient, sandbox: Running, heard: Inbox) -> None:
    charge = charge_of(client, "pm_card_createDispute")
    dispute = only_dispute(client, charge)
    assert (dispute.status, dispute.reason, dispute.is_charge_refundable) == ("needs_response", "fraudulent", False)
    assert movements(dispute) == [(-5_000, "adjustment", "dispute")]
    assert dispute.balance_transactions[0].net == -6_500
    assert client.v1.charges.retrieve(charge).disputed is True
    assert sandbox.admin.books()["totals"]["net"] == 0
    came = heard.wait_for("charge.dispute.funds_withdrawn")
    assert came.index("charge.dispute.created") < came.index("charge.dispute.funds_withdrawn")


def test_won_gives_the_money_back(client: stripe.StripeClient, sandbox: Running, heard: Inbox) -> None:
    dispute = sandbox.admin.dispute(charge_of(client))
    sandbox.admin.win(dispute["id"])
    won = client.v1.disputes.retrieve(dispute["id"])
    assert won.status == "won"
    assert movements(won) == [(-5_000, "adjustment", "dispute"), (5_000, "adjustment", "dispute_reversal")]
    assert sandbox.admin.books()["totals"]["net"] == 5_000
    came = heard.wait_for("charge.dispute.funds_reinstated")
    assert "charge.dispute.closed" in came


def test_lost_moves_no_more_money(client: stripe.StripeClient, sandbox: Running, heard: Inbox) -> None:
    dispute = sandbox.admin.dispute(charge_of(client))
    sandbox.admin.lose(dispute["id"])
    lost = client.v1.disputes.retrieve(dispute["id"])
    assert (lost.status, len(lost.balance_transactions)) == ("lost", 1)
    assert "charge.dispute.closed" in heard.wait_for("charge.dispute.closed")
    with pytest.raises(Refused):
        sandbox.admin.win(dispute["id"])


def test_an_inquiry_moves_no_money(client: stripe.StripeClient, sandbox: Running, heard: Inbox) -> None:
    charge = charge_of(client, "pm_card_createDisputeInquiry")
    dispute = only_dispute(client, charge)
    assert (dispute.status, dispute.is_charge_refundable, movements(dispute)) == ("warning_needs_response", True, [])
    sandbox.admin.drop_inquiry(dispute.id)
    assert client.v1.disputes.retrieve(dispute.id).status == "warning_closed"
    assert sandbox.admin.books()["totals"]["net"] == 5_000
    assert "charge.dispute.funds_withdrawn" not in heard.wait_for("charge.dispute.closed")


def test_an_inquiry_can_become_a_chargeback(client: stripe.StripeClient, sandbox: Running) -> None:
    dispute = sandbox.admin.dispute(charge_of(client), inquiry=True)
    with pytest.raises(Refused, match="inquiry"):
        sandbox.admin.withdraw(dispute["id"])
    sandbox.admin.escalate(dispute["id"])
    escalated = client.v1.disputes.retrieve(dispute["id"])
    assert (escalated.status, movements(escalated)) == ("needs_response", [(-5_000, "adjustment", "dispute")])


def test_phase_by_phase(client: stripe.StripeClient, sandbox: Running, heard: Inbox) -> None:
    """Opened, withdrawn, closed, reinstated: each by itself, so that every order can be tried."""
    dispute = sandbox.admin.dispute(charge_of(client), withdraw=False)
    assert sandbox.admin.books()["totals"]["disputed"] == 0
    sandbox.admin.withdraw(dispute["id"])
    sandbox.admin.win(dispute["id"], reinstate=False)
    assert sandbox.admin.books()["totals"]["disputed"] == 5_000
    sandbox.admin.reinstate(dispute["id"])
    with pytest.raises(Refused):
        sandbox.admin.reinstate(dispute["id"])
    came = heard.wait_for("charge.dispute.funds_reinstated")
    assert [type for type in came if "dispute" in type] == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
    ]


def test_of_a_part(client: stripe.StripeClient, sandbox: Running) -> None:
    sandbox.admin.dispute(charge_of(client), amount=1_234, reason="product_not_received")
    assert sandbox.admin.books()["totals"]["disputed"] == 1_234


def test_a_disputed_charge_cannot_be_refunded_until_it_is_won(client: stripe.StripeClient, sandbox: Running) -> None:
    charge = charge_of(client)
    dispute = sandbox.admin.dispute(charge)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"charge": charge})
    assert refused.value.code == "charge_disputed"
    sandbox.admin.win(dispute["id"])
    assert client.v1.refunds.create({"charge": charge}).status == "succeeded"


def test_an_inquired_charge_can_be_refunded(client: stripe.StripeClient, sandbox: Running) -> None:
    charge = charge_of(client)
    sandbox.admin.dispute(charge, inquiry=True)
    assert client.v1.refunds.create({"charge": charge}).status == "succeeded"


@pytest.mark.parametrize(("text", "status"), [("winning_evidence", "won"), ("losing_evidence", "lost")])
def test_evidence_decides_as_in_test_mode(client: stripe.StripeClient, text: str, status: str) -> None:
    dispute = only_dispute(client, charge_of(client, "pm_card_createDispute"))
    answer = client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": text}, "submit": True})
    assert answer.status == status


def test_evidence_can_wait(client: stripe.StripeClient) -> None:
    dispute = only_dispute(client, charge_of(client, "pm_card_createDispute"))
    kept = client.v1.disputes.update(dispute.id, {"evidence": {"customer_name": "Alice"}, "submit": False})
    assert (kept.status, kept.evidence.customer_name) == ("needs_response", "Alice")
    assert client.v1.disputes.close(dispute.id).status == "lost"


def test_a_refunded_charge_cannot_be_disputed(client: stripe.StripeClient, sandbox: Running) -> None:
    charge = charge_of(client)
    client.v1.refunds.create({"charge": charge})
    with pytest.raises(Refused, match="holds no money"):
        sandbox.admin.dispute(charge)
