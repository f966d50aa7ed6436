"""Webhook, poller and return page at the same instant, each with its own connection: one grant, once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connections
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone

from billing import flows
from billing.ledger import balances, wallets
from billing.ledger.models import CreditGrant, Transfer
from billing.payments import collecting, outcomes, polling
from billing.payments.models import Intent, State
from billing.webhooks import inbox
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.factories.orgs import signed_in
from tests.factories.paying import PAYS, begin, events, order, post

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 20


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Start together; answers each result, or the exception it ended with."""
    start = Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        try:
            start.wait(10)
            return act()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_whoever_brings_the_news_it_is_credited_once(stripe: Running, acme: Organization, alice: User) -> None:
    clients = [signed_in(alice) for _ in range(2)]
    for number in range(1, ROUNDS + 1):
        intent = begin(acme, alice, 10_00)
        stripe.admin.pay(intent.checkout_id or "", PAYS)
        for type in ("checkout.session.completed", "payment_intent.succeeded"):
            post(events(stripe, type)[-1])
        check = f"/o/acme/billing/purchases/{intent.pk}/check"

        def back(client: Client, check: str = check) -> int:
            return client.post(check, headers={"HX-Request": "true"}).status_code

        def asked(intent: Intent = intent) -> object:
            now = timezone.now()
            return flows.payment_outcome(intent.pk, polling.ask(intent.pk, now=now), now=now)

        results = at_once(
            lambda: inbox.process(now=timezone.now()),
            lambda: inbox.process(now=timezone.now()),
            asked,
            lambda: back(clients[0]),
            lambda: back(clients[1]),
        )
        assert not [result for result in results if isinstance(result, Exception)]
        assert results[3:] == [200, 200]
        intent.refresh_from_db()
        assert intent.state == State.SUCCEEDED
        assert CreditGrant.objects.count() == Transfer.objects.count() == number
        assert balances.of(acme.pk, now=timezone.now()).available == 10 * number
    assert stripe.admin.books()["totals"]["net"] == ROUNDS * 10_00


def test_two_clicks_at_the_same_instant_are_one_purchase(stripe: Running, acme: Organization, alice: User) -> None:
    for number in range(1, ROUNDS + 1):
        asked = order(acme, alice)
        results = at_once(*[lambda asked=asked: collecting.buy_credits(asked, now=timezone.now())] * 3)
        assert [type(result) for result in results] == [Intent] * 3
        assert len({intent.pk for intent in results}) == 1
        assert Intent.objects.count() == number
    opened = [row["id"] for row in stripe.sandbox.world.books.oldest_first("checkout.session")]
    assert len(opened) == ROUNDS


@pytest.mark.parametrize("locked", [True, False])
def test_the_locks_are_what_keeps_it_to_one(
    stripe: Running, acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch, locked: bool
) -> None:
    """With them one of two callers credits. The control without them: both read before either writes, both would."""
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    now = timezone.now()
    outcome = polling.ask(intent.pk, now=now)
    if not locked:
        both_have_read, receive = Barrier(2), outcomes._receive

        def receive_together(*args: Any) -> Any:
            both_have_read.wait(10)
            return receive(*args)

        monkeypatch.setattr(wallets, "lock", list)
        monkeypatch.setattr(QuerySet, "select_for_update", lambda rows, *a, **k: rows)
        monkeypatch.setattr(outcomes, "_receive", receive_together)
    results = at_once(*[lambda: outcomes.settle(intent.pk, outcome, now=now)] * 2)
    crediting = [result for result in results if isinstance(result, Exception) or result.credited]
    assert len(crediting) == (1 if locked else 2)
