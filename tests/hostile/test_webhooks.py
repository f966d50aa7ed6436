"""Hostile bodies with a genuine signature, at the webhook door and in the inbox.

Each is stored as it came or refused, none is a 5xx, none moves money, and none stops the events after it.
"""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.ledger import balances
from billing.ledger.models import Transfer
from billing.payments.models import Dispute, Intent, Refund, State
from billing.webhooks import inbox
from billing.webhooks import stripe as webhooks
from billing.webhooks.models import InboxEvent, InboxState
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests import figures as counted
from tests.factories import orgs as people
from tests.factories.paying import PAYS, begin, events, post, sandboxed

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

OBJECTS: dict[str, Any] = {
    "null": None,
    "a list": [],
    "a list of lists": [[[]]],
    "a text": "pi_1",
    "a number": 1,
    "true": True,
    "nothing": {},
    "no id": {"metadata": {"purser_intent": "{intent}"}},
    **{
        f"id {name}": {"id": id, "metadata": {"purser_intent": "{intent}"}}
        for name, id in {
            "null": None,
            "a number": 10**30,
            "a list": ["pi_1"],
            "an object": {"id": "pi_1"},
            "empty": "",
            "of 100,000 letters": "pi_" + "x" * 100_000,
            "with a null byte": "pi_\x00",
            "with half a character": "pi_\ud800",
            "another address": "../customers/cus_1",
            "a query": "pi_1?expand[]=customer",
            "a line break": "pi_1\r\nX: y",
            "of another kind": "cus_1",
            "in full-width letters": "ｐｉ_1",
        }.items()
    },
    **{
        f"intent {name}": {"id": "{payment}", "metadata": metadata}
        for name, metadata in {
            "null": {"purser_intent": None},
            "a number": {"purser_intent": 1},
            "a list": {"purser_intent": []},
            "nobody's": {"purser_intent": "0196340c-8b1e-7c3a-9f00-5a1b2c3d4e5f"},
            "with a null byte": {"purser_intent": "\x00" * 36},
            "another organization's": {"purser_intent": "{foreign}"},
            "in a list": [{"purser_intent": "{intent}"}],
            "a text": "{intent}",
        }.items()
    },
    "claims": {
        "id": "{payment}", "object": "payment_intent", "status": "succeeded", "amount": 10**12, "amount_received": 10**12,
        "currency": "jpy", "metadata": {"purser_intent": "{intent}"}, "latest_charge": {"id": "ch_1", "amount": -1},
        "balance_transactions": [{"amount": -(10**12), "id": "txn_1"}], "charge": "ch_1", "livemode": True,
    },
}  # fmt: skip
"""What may stand where an event has its object. Names in braces are those of a purchase that is not paid."""

TYPES = (
    "checkout.session.completed",
    "payment_intent.succeeded",
    "charge.refunded",
    "refund.updated",
    "charge.dispute.created",
    "customer.deleted",
)
ENVELOPES: dict[str, str] = {
    "no data": '{"id": "%s", "object": "event", "type": "refund.created", "livemode": false}',
    "data is null": '{"id": "%s", "object": "event", "type": "refund.created", "livemode": false, "data": null}',
    "data is a list": '{"id": "%s", "object": "event", "type": "refund.created", "livemode": false, "data": [1]}',
    "data twice": '{"id": "%s", "object": "event", "type": "refund.created", "livemode": false, "data": {}, "data": 1}',
    "NaN inside": '{"id": "%s", "object": "event", "type": "refund.created", "livemode": false, "data": NaN}',
    "an endless number": '{"id": "%s", "object": "event", "type": "refund.created", "livemode": false, "n": 1' + "0" * 4_000 + "}",
    "lists 10,000 deep": '{"id": "%s", "object": "event", "type": "refund.created", "livemode": false, "data": '
    + "[" * 10_000 + "]" * 10_000 + "}",
    "objects 900 deep": '{"id": "%s", "object": "event", "type": "refund.created", "livemode": false, "data": '
    + '{"object":' * 900 + "1" + "}" * 901,
    "half a character": '{"id": "%s", "object": "event", "type": "refund.created", "livemode": false, "x": "\\ud800"}',
    "a null byte inside": '{"id": "%s", "object": "event", "type": "refund.created", "livemode": false, "x": "\\u0000"}',
    "a megabyte": '{"id": "%s", "object": "event", "type": "refund.created", "livemode": false, "x": "' + "x" * 1_000_000 + '"}',
}  # fmt: skip


def bodies(names: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """(name, body), each with an event id of its own."""
    number = 0
    for type in TYPES:
        for name, object in OBJECTS.items():
            number += 1
            text = json.dumps(
                {"id": f"evt_{number}", "object": "event", "type": type, "livemode": False, "data": {"object": object}}
            )
            for known, id in names.items():
                text = text.replace("{" + known + "}", id)
            yield f"{type}, {name}", text.encode()
    for name, text in ENVELOPES.items():
        number += 1
        yield name, (text % f"evt_{number}").encode()


@pytest.fixture
def stripe(settings: Any) -> Iterator[Running]:
    logging.disable(logging.CRITICAL)
    with sandboxed(settings) as running:
        settings.STRIPE_TIMEOUT_SECONDS = 10
        yield running
    logging.disable(logging.NOTSET)


@pytest.fixture
def names(stripe: Running, acme: Organization, alice: User, charlie: User) -> dict[str, str]:
    """A purchase of Acme's and one of Charlie's, both tried with a card that was declined."""
    mine, theirs = begin(acme, alice), begin(people.personal(charlie), charlie)
    for intent in (mine, theirs):
        stripe.admin.pay(intent.checkout_id or "", "4000000000000002")
    payment = stripe.sandbox.books.oldest_first("payment_intent")[0]["id"]
    return {"intent": str(mine.pk), "foreign": str(theirs.pk), "payment": payment}


def test_signed_nonsense_moves_nothing_and_stops_nobody(
    stripe: Running, acme: Organization, alice: User, names: dict[str, str], figures: counted.Record
) -> None:
    machine = Client(raise_request_exception=False)
    sent, wrong = dict(bodies(names)), {}
    every = counted.of(2, full=1)
    chosen = dict(list(sent.items())[::every]) | dict(list(sent.items())[-len(ENVELOPES) :])
    for name, body in chosen.items():
        answer = post(body, client=machine)
        kept = InboxEvent.objects.filter(body=body.decode()).count()
        if (answer.status_code, kept) not in ((200, 1), (400, 0)):
            wrong[name] = (answer.status_code, kept)
    assert wrong == {}

    good = begin(acme, alice, 50_00)
    stripe.admin.pay(good.checkout_id or "", PAYS)
    genuine = events(stripe, "checkout.session.completed")[-1]
    assert post(genuine, client=machine).status_code == 200
    inbox.process(now=timezone.now())

    done = InboxEvent.objects.get(provider_event_id=genuine["id"])
    assert (done.state, Intent.objects.get(pk=good.pk).state) == (InboxState.DONE, State.SUCCEEDED)
    assert balances.of(acme.pk, now=timezone.now()).available == 50
    assert (Transfer.objects.count(), Refund.objects.count(), Dispute.objects.count()) == (1, 0, 0)
    assert set(Intent.objects.exclude(pk=good.pk).values_list("state", flat=True)) == {State.WAITING}
    assert not InboxEvent.objects.filter(state=InboxState.NEW, tries=0).exists(), "all were looked at"
    figures("hostile", inputs=len(chosen), server_errors=0, coerced=0)


def test_an_error_that_cannot_be_written_down_stops_nobody_either(
    stripe: Running, names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unspeakable(told: dict[str, Any], now: datetime) -> bool:
        raise RuntimeError("no such refund: \x00\ud800")

    monkeypatch.setitem(webhooks.MEANS, "refund.updated", unspeakable)
    for number, type in enumerate(("refund.updated", "customer.deleted")):
        told = {"id": f"evt_{number}", "object": "event", "type": type, "livemode": False, "data": {"object": {}}}
        assert post(told).status_code == 200
    inbox.process(now=timezone.now())
    states = dict(InboxEvent.objects.values_list("type", "state"))
    assert states == {"refund.updated": InboxState.NEW, "customer.deleted": InboxState.IGNORED}


def test_they_end_with_staff_and_stay_there(stripe: Running, names: dict[str, str]) -> None:
    """After a day of trying, what cannot be worked on waits for staff; it does not come back by itself."""
    for _, body in list(bodies(names))[:30]:
        post(body)
    now = datetime.now(UTC)
    for step in (timedelta(0), *inbox.PAUSES):
        now += step
        inbox.process(now=now)
    assert not InboxEvent.objects.filter(state=InboxState.NEW).exists()
    assert inbox.process(now=now + timedelta(days=30)) == 0


def test_an_event_that_does_move_money_is_found_by_the_comparison(
    stripe: Running, names: dict[str, str], acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: a handler that believes what an event claims does move money."""
    from billing import flows
    from billing.payments import outcomes

    def trusting(told: dict[str, Any], now: datetime) -> bool:
        paid = outcomes.Paid(told["amount_received"] // 10**8, "usd", told["id"], told["latest_charge"]["id"], now)
        return flows.payment_outcome(Intent.objects.get(pk=names["intent"]).pk, paid, now=now) is not None

    monkeypatch.setitem(webhooks.MEANS, "payment_intent.succeeded", trusting)
    for name, body in bodies(names):
        if name == "payment_intent.succeeded, claims":
            post(body)
    inbox.process(now=timezone.now())
    assert Transfer.objects.exists()


def test_there_are_enough_of_them() -> None:
    assert len(list(bodies({}))) >= 150
