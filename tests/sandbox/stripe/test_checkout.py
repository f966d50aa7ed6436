"""Checkout sessions through the API and the admin, without a browser."""

import time
from typing import Any

import pytest
import stripe

from sandbox.stripe import Running
from sandbox.stripe.client import Refused
from tests.sandbox.stripe.conftest import Inbox, a_session, a_setup, off_session

SAVING: Any = {"payment_intent_data": {"setup_future_usage": "off_session", "metadata": {"intent": "42"}}}


def test_an_open_session_has_an_address_and_no_intent_yet(client: stripe.StripeClient, sandbox: Running) -> None:
    session = client.v1.checkout.sessions.create(a_session(metadata={"a": "b"}, client_reference_id="org-1"))
    assert (session.status, session.payment_status, session.amount_total) == ("open", "unpaid", 10_000)
    assert session.url == f"{sandbox.base_url}/c/pay/{session.id}"
    assert session.payment_intent is None
    assert session.id.startswith("cs_test_")
    assert session.expires_at == pytest.approx(time.time() + 86_400, abs=5)


def test_paying_makes_the_intent_and_saves_the_card(
    client: stripe.StripeClient, sandbox: Running, alice: stripe.Customer, heard: Inbox
) -> None:
    session = client.v1.checkout.sessions.create(a_session(customer=alice.id, **SAVING))
    assert sandbox.admin.pay(session.id)["result"] == "paid"
    session = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent", "line_items"]})
    assert (session.status, session.payment_status, session.url) == ("complete", "paid", None)
    assert isinstance(session.payment_intent, stripe.PaymentIntent)
    assert session.payment_intent.metadata.to_dict() == {"intent": "42"}
    assert session.line_items is not None
    assert [line.description for line in session.line_items.data] == ["Credit"]
    (card,) = client.v1.payment_methods.list({"customer": alice.id, "type": "card"}).data
    assert client.v1.payment_intents.create(off_session(alice, card.id)).status == "succeeded"
    came = heard.wait_for("checkout.session.completed")
    order = ["payment_intent.created", "charge.succeeded", "payment_method.attached", "payment_intent.succeeded"]
    assert [type for type in came if type in order][:4] == order


def test_without_asking_the_card_is_not_saved(
    client: stripe.StripeClient, sandbox: Running, alice: stripe.Customer
) -> None:
    session = client.v1.checkout.sessions.create(a_session(customer=alice.id))
    sandbox.admin.pay(session.id)
    assert client.v1.customers.payment_methods.list(alice.id).data == []


def test_the_box_saves_the_card(client: stripe.StripeClient, sandbox: Running, alice: stripe.Customer) -> None:
    offered: Any = {"saved_payment_method_options": {"payment_method_save": "enabled"}}
    session = client.v1.checkout.sessions.create(a_session(customer=alice.id, **offered))
    sandbox.admin.pay(session.id, save=True)
    (card,) = client.v1.customers.payment_methods.list(alice.id).data
    assert card.allow_redisplay == "always"


def test_declined_then_paid_with_another_card(client: stripe.StripeClient, sandbox: Running) -> None:
    session = client.v1.checkout.sessions.create(a_session())
    first = sandbox.admin.pay(session.id, "4000000000009995")
    assert (first["result"], first["message"]) == ("declined", "Your card has insufficient funds.")
    assert first["session"]["status"] == "open"
    second = sandbox.admin.pay(session.id)
    assert second["result"] == "paid"
    assert first["session"]["payment_intent"] == second["session"]["payment_intent"]
    charges = client.v1.charges.list({"payment_intent": second["session"]["payment_intent"]}).data
    assert [charge.status for charge in charges] == ["succeeded", "failed"]


@pytest.mark.parametrize(("complete", "result"), [(True, "paid"), (False, "declined"), (None, "challenged")])
def test_three_d_secure(client: stripe.StripeClient, sandbox: Running, complete: bool | None, result: str) -> None:
    session = client.v1.checkout.sessions.create(a_session())
    assert sandbox.admin.pay(session.id, "4000002500003155", authenticate=complete)["result"] == result
    assert sandbox.admin.books()["totals"]["net"] == (10_000 if complete else 0)


def test_a_challenge_can_be_answered_later(client: stripe.StripeClient, sandbox: Running) -> None:
    session = client.v1.checkout.sessions.create(a_session())
    sandbox.admin.pay(session.id, "4000002760003184")
    assert sandbox.admin.authenticate(session.id)["status"] == "complete"


def test_saving_a_card_without_paying(client: stripe.StripeClient, sandbox: Running, alice: stripe.Customer) -> None:
    session = client.v1.checkout.sessions.create(a_setup(alice, setup_intent_data={"metadata": {"a": "b"}}))
    assert isinstance(session.setup_intent, str)
    assert sandbox.admin.pay(session.id, "4000002500003155", authenticate=True)["result"] == "paid"
    session = client.v1.checkout.sessions.retrieve(session.id)
    assert (session.status, session.payment_status) == ("complete", "no_payment_required")
    intent = client.v1.setup_intents.retrieve(str(session.setup_intent))
    assert (intent.status, intent.metadata and intent.metadata.to_dict()) == ("succeeded", {"a": "b"})
    assert client.v1.payment_intents.create(off_session(alice, str(intent.payment_method))).status == "succeeded"


def test_expiring_closes_the_page_and_the_intent(client: stripe.StripeClient, sandbox: Running, heard: Inbox) -> None:
    session = client.v1.checkout.sessions.create(a_session())
    sandbox.admin.pay(session.id, "4000000000000002")
    expired = client.v1.checkout.sessions.expire(session.id)
    assert (expired.status, expired.url) == ("expired", None)
    assert client.v1.payment_intents.retrieve(str(expired.payment_intent)).status == "canceled"
    assert sandbox.admin.pay(session.id)["result"] == "declined"
    with pytest.raises(stripe.InvalidRequestError, match="expired"):
        client.v1.checkout.sessions.expire(session.id)
    assert "checkout.session.expired" in heard.wait_for("checkout.session.expired")


def test_a_session_expires_by_the_clock(client: stripe.StripeClient, sandbox: Running, heard: Inbox) -> None:
    soon = sandbox.admin.now() + 30 * 60
    session = client.v1.checkout.sessions.create(a_session(expires_at=soon))
    sandbox.admin.advance(30 * 60 + 1)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "expired"
    assert "checkout.session.expired" in heard.wait_for("checkout.session.expired")


def test_its_intent_is_the_sessions_business(client: stripe.StripeClient, sandbox: Running) -> None:
    session = client.v1.checkout.sessions.create(a_session())
    intent = sandbox.admin.pay(session.id, "4000000000000002")["session"]["payment_intent"]
    for act in (client.v1.payment_intents.cancel, client.v1.payment_intents.confirm):
        with pytest.raises(stripe.InvalidRequestError, match="Checkout Session"):
            act(intent)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"line_items": []}, "line_items"),
        ({"success_url": "nowhere"}, "success_url"),
        ({"expires_at": 1_000_000_000}, "expires_at"),
        ({"setup_intent_data": {"description": "x"}}, "setup_intent_data"),
        ({"customer": "cus_nobody"}, "customer"),
    ],
)
def test_what_cannot_be_a_session(client: stripe.StripeClient, change: Any, param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.checkout.sessions.create(a_session(**change))
    assert refused.value.param == param


def test_an_unknown_session_cannot_be_paid(sandbox: Running) -> None:
    with pytest.raises(Refused, match="No such checkout"):
        sandbox.admin.pay("cs_test_unknown")
