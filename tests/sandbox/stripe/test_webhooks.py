"""Events on their way: signed, in order, retried, and lost, doubled, late or out of order on demand."""

import json
from typing import Any

import pytest
import stripe

from sandbox.stripe import Running
from sandbox.stripe.client import Refused
from sandbox.stripe.webhooks import signature
from tests.sandbox.stripe.conftest import SECRET, Inbox, eventually, in_browser

PAID = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded", "charge.updated"]


def pay(client: stripe.StripeClient) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create(in_browser())


def test_signed_so_that_the_sdk_accepts_it(client: stripe.StripeClient, heard: Inbox) -> None:
    """The inbox verifies each with `construct_event`; nothing would be in it otherwise."""
    intent = pay(client)
    assert heard.wait_for("charge.updated") == PAID
    event = heard.events[2]
    assert event.data.object["id"] == intent.id
    assert (event.livemode, event.api_version) == (False, stripe.api_version)
    assert event.request is not None
    assert event.request.id is not None
    with pytest.raises(stripe.SignatureVerificationError):
        header = heard.headers[0]["Stripe-Signature"]
        stripe.Webhook.construct_event(heard.bodies[0] + b" ", header, SECRET)


def test_a_wrong_secret_is_noticed(client: stripe.StripeClient, heard: Inbox) -> None:
    pay(client)
    heard.wait_for("charge.updated")
    forged = signature("whsec_other", 4_000_000_000, heard.bodies[0])
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(heard.bodies[0], forged, SECRET)


def test_events_are_snapshots(client: stripe.StripeClient, heard: Inbox) -> None:
    """A charge has no balance transaction yet when it succeeds; the next event brings it."""
    pay(client)
    heard.wait_for("charge.updated")
    succeeded, updated = (json.loads(heard.bodies[place])["data"] for place in (1, 3))
    assert succeeded["object"]["balance_transaction"] is None
    assert updated["object"]["balance_transaction"].startswith("txn_")
    assert updated["previous_attributes"] == {"balance_transaction": None}


@pytest.mark.parametrize("answer", [500, 404, 302])
def test_tried_again_until_it_is_taken(client: stripe.StripeClient, heard: Inbox, answer: int) -> None:
    heard.answers = [answer, answer]
    client.v1.customers.create({})
    assert heard.wait(lambda came: len(came) == 3) == ["customer.created"] * 3
    assert len({event.id for event in heard.events}) == 1


def test_given_up_in_the_end(sandbox: Running, client: stripe.StripeClient, heard: Inbox) -> None:
    sandbox.sandbox.settings.webhook_attempts = 2
    heard.answers = [500, 500]
    client.v1.customers.create({})
    heard.wait(lambda came: len(came) == 2)
    eventually(lambda: sandbox.admin.webhooks()["deliveries"][0]["state"] != "pending")
    (delivery,) = sandbox.admin.webhooks()["deliveries"]
    assert (delivery["state"], delivery["statuses"]) == ("failed", [500, 500])


def test_an_endpoint_that_is_away_gets_it_when_it_is_back(
    sandbox: Running, client: stripe.StripeClient, inbox: Inbox
) -> None:
    sandbox.admin.endpoint("http://127.0.0.1:9/webhooks", SECRET)
    client.v1.customers.create({})
    sandbox.admin.endpoint(inbox.url)
    assert inbox.wait_for("customer.created") == ["customer.created"]


def test_dropped(sandbox: Running, client: stripe.StripeClient, heard: Inbox) -> None:
    sandbox.admin.fault("drop", event="payment_intent.succeeded")
    pay(client)
    assert heard.wait_for("charge.updated") == [type for type in PAID if type != "payment_intent.succeeded"]
    assert "payment_intent.succeeded" in [event.type for event in client.v1.events.list().data]


def test_doubled(sandbox: Running, client: stripe.StripeClient, heard: Inbox) -> None:
    sandbox.admin.fault("double", event="payment_intent.succeeded")
    pay(client)
    came = heard.wait_for("charge.updated")
    assert came.count("payment_intent.succeeded") == 2
    assert len({event.id for event in heard.events}) == 4


def test_delayed(sandbox: Running, client: stripe.StripeClient, heard: Inbox) -> None:
    sandbox.admin.fault("delay", event="charge.succeeded", seconds=3600)
    pay(client)
    assert "charge.succeeded" not in heard.wait_for("charge.updated")
    sandbox.admin.flush_webhooks()
    assert heard.wait_for("charge.succeeded")[-1] == "charge.succeeded"


def test_out_of_order(sandbox: Running, client: stripe.StripeClient, heard: Inbox) -> None:
    sandbox.admin.fault("reorder", count=4)
    pay(client)
    assert heard.wait(lambda came: len(came) == 4) == list(reversed(PAID))


def test_held_events_can_be_let_go(sandbox: Running, client: stripe.StripeClient, heard: Inbox) -> None:
    sandbox.admin.fault("reorder", count=9)
    pay(client)
    sandbox.admin.flush_webhooks()
    assert heard.wait(lambda came: len(came) == 4) == list(reversed(PAID))


def test_paused_and_resumed(sandbox: Running, client: stripe.StripeClient, heard: Inbox) -> None:
    sandbox.admin.pause_webhooks()
    pay(client)
    assert [row["state"] for row in sandbox.admin.webhooks()["deliveries"]] == ["pending"] * 4
    assert heard.types() == []
    sandbox.admin.resume_webhooks()
    assert heard.wait_for("charge.updated") == PAID


def test_sent_once_more(sandbox: Running, client: stripe.StripeClient, heard: Inbox) -> None:
    client.v1.customers.create({})
    heard.wait_for("customer.created")
    sandbox.admin.resend(heard.events[0].id)
    assert heard.wait(lambda came: len(came) == 2) == ["customer.created"] * 2


def test_pending_until_delivered(sandbox: Running, client: stripe.StripeClient, heard: Inbox) -> None:
    sandbox.admin.pause_webhooks()
    client.v1.customers.create({})
    undelivered: Any = {"delivery_success": False}
    assert [event.pending_webhooks for event in client.v1.events.list(undelivered).data] == [1]
    sandbox.admin.resume_webhooks()
    heard.wait_for("customer.created")
    eventually(lambda: not client.v1.events.list(undelivered).data)
    assert client.v1.events.list({"delivery_success": True}).data[0].pending_webhooks == 0


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook",
        "http://192.0.2.1/hook",
        "http://127.0.0.1.example.com/",
        "ftp://127.0.0.1/",
        "nonsense",
    ],
)
def test_nothing_is_sent_to_another_machine(sandbox: Running, url: str) -> None:
    with pytest.raises(Refused, match="this machine only"):
        sandbox.admin.endpoint(url)
