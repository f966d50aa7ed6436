"""What Stripe tells, and what people click, several times at the same instant, against Stripe's sandbox over HTTP."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from billing import flows
from billing.ledger.models import CreditGrant
from billing.payments import collecting, polling
from billing.payments.models import Intent, State
from billing.webhooks import inbox
from billing.webhooks.models import InboxEvent, InboxState
from sandbox.stripe import Running
from tests.factories.orgs import signed_in
from tests.factories.paying import PAYS, begin, events, order, post
from tests.races.arena import Anomalies, Arena, Race, differs, raised
from tests.races.guards import Control, dropped
from tests.races.scenes import OVER_HTTP, World, available

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


def test_whoever_brings_the_news_it_is_credited_once(arena: Arena, world: World, stripe: Running) -> None:
    """Two webhooks, the poller and two return pages of one payment."""
    clients = [signed_in(world.alice) for _ in range(2)]

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = begin(team, world.alice, 10_00)
        stripe.admin.pay(intent.checkout_id or "", PAYS)
        for type in ("checkout.session.completed", "payment_intent.succeeded"):
            assert post(events(stripe, type)[-1]).status_code == 200

        def work() -> int:
            return inbox.process(now=timezone.now())

        def ask() -> object:
            now = timezone.now()
            return flows.payment_outcome(intent.pk, polling.ask(intent.pk, now=now), now=now)

        def back(client: Client) -> Callable[[], int]:
            check = f"/o/{team.slug}/billing/purchases/{intent.pk}/check"
            return lambda: client.post(check, headers={"HX-Request": "true"}).status_code

        def wrong(answers: list[Any]) -> Anomalies:
            intent.refresh_from_db()
            failed = InboxEvent.objects.exclude(error="").values_list("error", flat=True)
            return [
                *raised(answers),
                *failed,
                *differs("state", intent.state, State.SUCCEEDED),
                *differs("grants", CreditGrant.objects.filter(wallet=team.pk).count(), 1),
                *differs("available", available(team, timezone.now()), 10),
            ]

        return Race([work, work, ask, back(clients[0]), back(clients[1])], wrong)

    arena.holds(prepare, rounds=OVER_HTTP)
    assert stripe.admin.books()["totals"]["net"] == OVER_HTTP * 10_00
    # All have read that the payment is open before any of them says that it is paid, and none asks whether it is credited.
    credited = {r'("credit_grant"."key" = %s)': r"\1 AND false"}
    with arena.unguarded(Control(locks=False, without=credited, meet_at='^UPDATE "payment_intent"')):
        arena.breaks(prepare, "credit_grant_payment_id_key|credit_grant_key_key")


def test_one_form_sent_three_times_at_once_is_one_purchase(arena: Arena, world: World, stripe: Running) -> None:
    def prepare(turn: int) -> Race:
        team = world.team()
        wanted = order(team, world.alice)
        sessions = stripe.sandbox.world.books.oldest_first

        def wrong(answers: list[Any]) -> Anomalies:
            made = Intent.objects.filter(wallet=team.pk)
            pages = [row for row in sessions("checkout.session") if row["client_reference_id"] in map(str, ids(made))]
            return [
                *raised(answers),
                *differs("purchases", made.count(), 1),
                *differs("pages at Stripe", len(pages), 1),
            ]

        return Race([lambda: collecting.buy_credits(wanted, now=timezone.now())] * 3, wrong)

    def ids(made: Any) -> list[Any]:
        return list(made.values_list("id", flat=True))

    arena.holds(prepare, rounds=OVER_HTTP, verify=False)
    # All have found no earlier purchase of this form: that its key is unique is the whole guard.
    with dropped("payment_intent", "payment_intent_key_key"):
        with arena.unguarded(Control(meet_at='^INSERT INTO "payment_intent"')):
            arena.breaks(prepare, "purchases: 3")


def test_one_event_delivered_four_times_at_once(arena: Arena, world: World, stripe: Running) -> None:
    """Through the real door: four times 200, and it is there once."""

    def prepare(turn: int) -> Race:
        id_ = f"evt_{uuid4().hex}"
        told = {"id": id_, "object": "event", "type": "customer.created", "livemode": False, "data": {"object": {}}}
        body = json.dumps(told)

        def wrong(answers: list[Any]) -> Anomalies:
            return [
                *raised(answers),
                *differs("answered", [getattr(answer, "status_code", None) for answer in answers], [200] * 4),
                *differs("stored", InboxEvent.objects.filter(provider_event_id=id_).count(), 1),
            ]

        return Race([lambda: post(body)] * 4, wrong)

    arena.holds(prepare)
    # All have looked and found nothing.
    with dropped("inbox_event", "inbox_event_once"):
        with arena.unguarded(Control(meet_at='^INSERT INTO "inbox_event"')):
            arena.breaks(prepare, "stored: 4")


def test_three_who_work_through_the_inbox(arena: Arena, world: World) -> None:
    """Each message is worked on by one of them."""
    worked: Counter[str] = Counter()

    def handle(event: InboxEvent, now: Any) -> bool:
        worked[event.provider_event_id] += 1
        return True

    def prepare(turn: int) -> Race:
        worked.clear()
        now = timezone.now()
        names = [f"evt_{turn}_{n}_{arena.control is None}" for n in range(6)]
        for name in names:
            inbox.store("counted", name, "some.thing", "{}", for_us=True, now=now)

        def wrong(answers: list[Any]) -> Anomalies:
            done = InboxEvent.objects.filter(provider_event_id__in=names, state=InboxState.DONE, tries=1)
            return [
                *raised(answers),
                *differs("worked on", dict(worked), dict.fromkeys(names, 1)),
                *differs("done at the first try", done.count(), 6),
            ]

        return Race([lambda: inbox.process(now=now)] * 3, wrong)

    with mock.patch.dict(inbox.HANDLERS, {"counted": handle}):
        arena.holds(prepare)
        # All have found the same message before any of them claims it.
        with arena.unguarded(Control(locks=False, meet_at='^UPDATE "inbox_event" SET "tries"')):
            arena.breaks(prepare, "worked on")
