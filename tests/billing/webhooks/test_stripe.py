"""Stories of what Stripe tells: five times over, before and after the return page, out of order, or not at all."""

import itertools
import random
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing import flows
from billing.ledger import balances
from billing.ledger.models import CreditGrant, Transfer
from billing.payments import gateway, polling
from billing.payments.models import Intent, PaymentMethod, State
from billing.webhooks import inbox
from billing.webhooks.models import InboxEvent, InboxState
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.factories.orgs import signed_in
from tests.factories.paying import ASKS, DECLINES, PAYS, SECRET, begin, events, post, tell

pytestmark = pytest.mark.django_db(transaction=True)


def work() -> None:
    inbox.process(now=timezone.now())


def assert_one_grant(acme: Organization, intent: Intent) -> None:
    intent.refresh_from_db()
    assert intent.state == State.SUCCEEDED
    assert balances.of(acme.pk, now=timezone.now()).available == 100
    assert CreditGrant.objects.get().payment_id == intent.pk
    assert Transfer.objects.count() == PaymentMethod.objects.count() == 1


def return_page(acme: Organization, alice: User, intent: Intent) -> None:
    checked = signed_in(alice).post(f"/o/acme/billing/purchases/{intent.pk}/check", headers={"HX-Request": "true"})
    assert checked.status_code == 200


# --- Five times over, before the return page, after it, or not at all: one grant, once --------------------------------


def test_every_webhook_five_times_before_the_return_page(stripe: Running, acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    told = tell(stripe, times=5)
    work()
    assert told == 5 * InboxEvent.objects.count() >= 25
    assert not InboxEvent.objects.filter(state__in=[InboxState.NEW, InboxState.FAILED]).exists()
    assert_one_grant(acme, intent)
    page = signed_in(alice).get(f"/o/acme/billing/purchases/{intent.pk}?returned=1")
    assert ">Paid<" in page.content.decode()
    assert_one_grant(acme, intent)


def test_every_webhook_five_times_after_the_return_page(stripe: Running, acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    return_page(acme, alice, intent)
    assert_one_grant(acme, intent)
    tell(stripe, times=5)
    work()
    assert_one_grant(acme, intent)


def test_every_webhook_dropped_and_the_customer_gone(stripe: Running, acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    for minutes in range(1, 6):
        polling.poll(flows.payment_outcome, now=timezone.now() + timedelta(minutes=minutes))
    assert_one_grant(acme, intent)
    tell(stripe)
    work()
    assert_one_grant(acme, intent)


def test_the_same_event_worked_on_again_by_staff(stripe: Running, acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    tell(stripe)
    work()
    for event in InboxEvent.objects.all():
        inbox.replay(event, now=timezone.now())
    work()
    assert_one_grant(acme, intent)


def test_in_whatever_order_five_events_come_they_end_alike(stripe: Running, acme: Organization, alice: User) -> None:
    """A card is declined, another one pays: five events in six of their 120 orders, each time another purchase."""
    orders = random.Random(120).sample(list(itertools.permutations(range(5))), 6)
    for number, places in enumerate(orders, start=1):
        intent = begin(acme, alice)
        before = {event["id"] for event in events(stripe)}
        stripe.admin.pay(intent.checkout_id or "", DECLINES)
        stripe.admin.pay(intent.checkout_id or "", PAYS)
        kinds = ("payment_intent.created", "payment_intent.payment_failed", "payment_intent.succeeded",
                 "checkout.session.completed", "charge.succeeded")  # fmt: skip
        told = [event for event in events(stripe) if event["id"] not in before and event["type"] in kinds]
        assert len(told) == 5
        for place in places:
            post(told[place])
            work()
        intent.refresh_from_db()
        assert (intent.state, intent.failure_code) == (State.SUCCEEDED, ""), places
        assert CreditGrant.objects.count() == number
    assert balances.of(acme.pk, now=timezone.now()).available == 100 * 6


# --- Other stories ----------------------------------------------------------------------------------------------------


def test_a_decline_is_told_and_gives_nothing(stripe: Running, acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", DECLINES)
    tell(stripe)
    work()
    intent.refresh_from_db()
    assert (intent.state, intent.failure_code) == (State.WAITING, "generic_decline")
    assert not Transfer.objects.exists()


def test_3d_secure_is_credited_after_the_challenge(stripe: Running, acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", ASKS)
    tell(stripe)
    work()
    intent.refresh_from_db()
    assert (intent.state, Transfer.objects.count()) == (State.WAITING, 0)
    stripe.admin.authenticate(intent.checkout_id or "")
    tell(stripe)
    work()
    assert_one_grant(acme, intent)


def test_a_page_that_closed_is_told(stripe: Running, acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    gateway.expire_checkout(intent.checkout_id or "")
    tell(stripe, "checkout.session.expired")
    work()
    intent.refresh_from_db()
    assert intent.state == State.CANCELED


def test_success_after_we_gave_up_is_credited(stripe: Running, acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    Intent.objects.filter(pk=intent.pk).update(state=State.CANCELED, failure_code="expired")
    tell(stripe, "payment_intent.succeeded")
    work()
    assert_one_grant(acme, intent)


def test_news_of_a_page_we_never_heard_of_finds_its_purchase(stripe: Running, acme: Organization, alice: User) -> None:
    """The answer to opening the page was lost, and the page paid all the same."""
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    fresh = Intent.objects.get(pk=intent.pk)
    lost = Intent.objects.filter(pk=fresh.pk)
    lost.update(checkout_id=None, checkout_url="")
    tell(stripe, "checkout.session.completed")
    work()
    assert_one_grant(acme, intent)


def test_what_an_event_claims_is_not_believed_but_looked_up(stripe: Running, acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", DECLINES)
    failed = events(stripe, "payment_intent.payment_failed")[0]
    claims = failed["data"]["object"] | {"status": "succeeded", "amount_received": 999_999_00}
    post(failed | {"id": "evt_lie", "type": "payment_intent.succeeded", "data": {"object": claims}})
    work()
    intent.refresh_from_db()
    assert intent.state == State.WAITING
    assert not Transfer.objects.exists()


def test_events_that_mean_nothing_to_us_are_marked(stripe: Running, acme: Organization, alice: User) -> None:
    begin(acme, alice)
    tell(stripe, "customer.created")
    post({"id": "evt_n", "object": "event", "type": "some.new_thing", "livemode": False, "data": {"object": {}}})
    foreign = {"id": "pi_theirs", "object": "payment_intent", "metadata": {}}
    for number, told in enumerate(
        (foreign, foreign | {"metadata": {"purser_intent": "not a uuid"}}, {"metadata": None})
    ):
        post({"id": f"evt_{number}", "object": "event", "type": "payment_intent.succeeded", "livemode": False,
              "data": {"object": told}})  # fmt: skip
    work()
    assert set(InboxEvent.objects.values_list("state", flat=True)) == {InboxState.IGNORED}


@pytest.mark.parametrize("fault", ["timeout", "reset", "error", "rate_limit"])
def test_an_event_is_tried_again_when_stripe_cannot_be_asked(
    stripe: Running, settings: Any, acme: Organization, alice: User, fault: str
) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.3
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    stripe.admin.fault(fault, method="GET", path="/v1/checkout/*", seconds=1)
    tell(stripe, "checkout.session.completed")
    work()
    assert InboxEvent.objects.get().state == InboxState.NEW
    inbox.process(now=timezone.now() + timedelta(seconds=16))
    assert InboxEvent.objects.get().state == InboxState.DONE
    assert_one_grant(acme, intent)


def test_through_real_wires(stripe: Running, acme: Organization, alice: User, live_server: Any) -> None:
    """Stripe's own courier, signing and sending over HTTP to the running portal, doubling what it sends."""
    stripe.admin.fault("double", event="*", count=None)
    stripe.admin.endpoint(f"{live_server.url}/webhooks/stripe", SECRET)
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    stripe.admin.flush_webhooks()
    for _ in range(2000):
        states = {delivery["state"] for delivery in stripe.admin.webhooks()["deliveries"]}
        if states == {"delivered"}:
            break
    assert states == {"delivered"}
    work()
    assert_one_grant(acme, intent)
