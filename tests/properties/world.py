"""The real portal of one example: real code on real PostgreSQL, a Stripe of its own, and a clock that is told.

Everything happens in one transaction that is rolled back at the end, so examples are alike and quick; the rule that Stripe
is never called inside a transaction still holds for every transaction the portal itself begins.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import stripe
from django.db import connection, transaction

from billing import flows
from billing.catalog.models import AIModel, Plan
from billing.ledger import accruals, balances, wallets
from billing.ledger.models import Account
from billing.limits import reading
from billing.metering import gateways, ingest, partitions, watermark
from billing.metering.models import Gateway
from billing.payments import collecting, disputes, gateway, polling, refunds
from billing.payments.gateway import wire
from billing.payments.models import Intent, Refund
from billing.webhooks import inbox
from billing.webhooks.models import InboxEvent
from orgs.models import ApiKey, Organization, User
from sandbox.stripe import InProcessClient, Sandbox, Settings
from tests import verified
from tests.factories import catalog, orgs, paying, usage

START = datetime(2027, 1, 20, 10, 30, 17, tzinfo=UTC)
PER_TOKEN = Decimal("0.00001")
DUST = Decimal("0.000000000001")
"""What a token of input and one of output cost here: whole cents are easy to have, and so is the twelfth decimal."""

NEVER = 1e10
"""A refund that is on its way arrives or fails when it is told to."""

BOOKS = """
SELECT code, sum(amount) FROM (
    SELECT a.code, t.amount FROM transfer t JOIN account a ON a.id = t.debit_id WHERE t.org_id = %(org)s
    UNION ALL SELECT a.code, -t.amount FROM transfer t JOIN account a ON a.id = t.credit_id WHERE t.org_id = %(org)s
    UNION ALL SELECT a.code, l.amount FROM accrual l JOIN account a ON a.id = l.account_id WHERE l.org_id = %(org)s
    UNION ALL SELECT 4000, -amount FROM accrual WHERE org_id = %(org)s
    UNION ALL SELECT side.code, side.sign * l.amount FROM accrual l JOIN account a ON a.id = l.account_id AND a.code = 2010,
        (VALUES (4800, 1), (2090, -1)) AS side (code, sign) WHERE l.org_id = %(org)s
) moved GROUP BY code HAVING sum(amount) <> 0
"""
"""The trial balance as it is once the open lines are posted, debits positive."""


class Cast:
    """Who and what all examples share; made once, before the first."""

    def __init__(self) -> None:
        self.alice: User = orgs.person("alice@example.com", "Alice Archer", now=START)
        self.acme: Organization = orgs.team(self.alice, "Acme Research", slug="acme", now=START)
        self.key: ApiKey = orgs.key(self.acme, now=START).key
        self.model: AIModel = catalog.model(input_usd="10", output_usd="0.000001")
        self.planned: AIModel = catalog.model("the-plans-own", input_usd="10", output_usd="0.000001")
        self.plan: Plan = catalog.plan(self.planned)
        self.gateway: Gateway = usage.gateway(now=START)
        for days in range(0, 140, 40):
            partitions.make(START + timedelta(days=days))


class World:
    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.org_id = cast.acme.pk
        self.now = START
        self.stripe_is_behind = timedelta(0)
        settings = Settings(webhook_url="http://127.0.0.1/hook", webhook_secret=paying.SECRET, refund_delay=NEVER)
        self.sandbox = Sandbox(clock=self._stripe_clock, seed=1, settings=settings, patience=10)
        self.admin = self.sandbox.admin
        self.client = stripe.StripeClient("sk_test_x", http_client=InProcessClient(self.sandbox), max_network_retries=0)
        self._numbers = 0
        self._begin()

    # The frame of an example

    def _begin(self) -> None:
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(wire, "_client", lambda *_: self.client)
        self._transaction = transaction.atomic()
        self._transaction.__enter__()
        self._patch.setattr(wire, "connection", _Outermost(len(connection.savepoint_ids)))

    def end(self) -> None:
        transaction.set_rollback(True)
        self._transaction.__exit__(None, None, None)
        self._patch.undo()
        self.sandbox.close()

    def _stripe_clock(self) -> float:
        return (self.now - self.stripe_is_behind).timestamp()

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    # Payments

    def order(self, cents: int) -> Intent:
        """A purchase whose page at Stripe is open. Raises AmountRefused."""
        order = collecting.Order(self.org_id, cents, UUID(int=self.number()), self.cast.alice.pk)
        return collecting.buy_credits(order, now=self.now)

    def pay(self, intent: Intent, card: str, *, age: timedelta = timedelta(0)) -> tuple[str, datetime]:
        """The customer pays; Stripe's charge is `age` old when we hear of it. The charge and its moment."""
        self.stripe_is_behind = age
        self.admin.pay(intent.checkout_id or "", card)
        moment = datetime.fromtimestamp(int(self._stripe_clock()), UTC)
        self.stripe_is_behind = timedelta(0)
        checkout = gateway.read_checkout(intent.checkout_id or "")
        assert checkout.payment is not None
        assert checkout.payment.charge is not None
        return checkout.payment.charge.id, moment

    def look(self, intent_id: UUID) -> None:
        """The return page or the poller asks Stripe."""
        flows.payment_outcome(intent_id, polling.ask(intent_id, now=self.now), now=self.now)

    def webhooks(self, times: int = 1) -> None:
        """Everything Stripe has to tell arrives, each `times` times, and is worked through."""
        for delivery in self.sandbox.deliveries():
            body = delivery.body.decode()
            event = json.loads(body)
            for _ in range(times):
                inbox.store("stripe", event["id"], event["type"], body, for_us=True, now=self.now)
            self.sandbox.delivered(delivery, 200)
        inbox.process(now=self.now)
        assert not InboxEvent.objects.exclude(error="").values_list("type", "error")

    # Money that goes back

    def refund(self, intent_id: UUID, cents: int, nonce: UUID) -> Refund:
        """Staff refund. Raises RefundRefused."""
        order = refunds.Order(self.org_id, intent_id, cents, "a test", nonce, self.cast.alice.pk)
        return flows.refund(order, now=self.now)

    def look_at_refund(self, refund_id: str) -> None:
        flows.refund_told(gateway.read_refund(refund_id), now=self.now)

    def look_at_dispute(self, dispute_id: str) -> None:
        flows.dispute_told(gateway.read_dispute(dispute_id), now=self.now)

    def poll(self) -> None:
        """The clock asks Stripe about everything that is open."""
        polling.poll(flows.payment_outcome, now=self.now)
        refunds.poll(flows.refund_told, now=self.now)
        disputes.poll(flows.dispute_told, now=self.now)

    # Usage

    def use(self, cost: Decimal, occurred_at: datetime, *, times: int = 1, model: str = "gpt-oss-120b") -> UUID:
        """One event of this cost, sent `times` times. Its id."""
        id_ = usage.v7(occurred_at, self.number())
        dust = int(cost % PER_TOKEN / DUST)
        event = usage.event(
            self.cast.key.public_id,
            occurred_at,
            id=id_,
            model=model,
            input_tokens=int(cost // PER_TOKEN),
            output_tokens=dust,
        )
        for time in range(times):
            receipt = ingest.ingest(usage.batch(event), gateway_id=self.cast.gateway.pk, now=self.now)
            assert (receipt.accepted, receipt.duplicate) == ((1, 0) if time == 0 else (0, 1)), receipt
        return id_

    def report(self, complete_through: datetime) -> None:
        gateways.mark_seen(self.cast.gateway.pk, now=self.now, complete_through=complete_through)

    def complete_through(self) -> datetime | None:
        return watermark.complete_through(self.now)

    # What it says

    def balance(self) -> balances.Balance:
        return balances.of(self.org_id, now=self.now)

    def rests(self) -> list[Any]:
        """Every grant: its account's number in the chart, what was granted, what is left, its end.

        Corrections of one kind and end are one: into how many of them money comes back is nobody's business.
        """
        grants = Account.objects.filter(wallet=self.org_id, code__in=(2000, 2010))
        found = grants.values_list("code", "granted", "balance", "accrued", "expires_at", "grant__source", "grant__key")
        return told_apart(
            (str(code), granted, balance - accrued, ends, source == "correction" and key.startswith("rev:"))
            for code, granted, balance, accrued, ends, source, key in found
        )

    def books(self) -> dict[str, Decimal]:
        with connection.cursor() as cursor:
            cursor.execute(BOOKS, {"org": self.org_id})
            return {str(code): amount for code, amount in cursor.fetchall()}

    def refusal(self) -> str:
        """Why a key is refused the model, or nothing."""
        reading.forget()
        told = reading.by_public_id(self.cast.key.public_id, now=self.now)
        assert told is not None
        [model] = [model for model in told.answer.models if model.model == self.cast.model.slug]
        assert model.http_status == (402 if model.reason else 200)
        return str(model.reason or "")

    def differences(self) -> list[Any]:
        return verified.differences(now=self.now)

    def post_everything(self) -> None:
        with transaction.atomic():
            accruals.close(wallets.lock([self.org_id]), now=self.now)


def told_apart(grants: Iterable[tuple[str, Any, Any, Any, bool]]) -> list[Any]:
    """(code, granted, rest, end) of each grant, in order; those marked are added up by code and end."""
    rows = []
    corrections: dict[tuple[str, Any], list[Any]] = {}
    for code, granted, rest, ends, correction in grants:
        if correction:
            total = corrections.setdefault((code, ends), [Decimal(0), Decimal(0)])
            total[0] += granted
            total[1] += rest
        else:
            rows.append((code, granted, rest, ends))
    return sorted(rows) + sorted((code, *total, ends) for (code, ends), total in corrections.items())


class _Outermost:
    """The connection, for which the transaction of the example does not count as one."""

    def __init__(self, depth: int) -> None:
        self._depth = depth

    @property
    def in_atomic_block(self) -> bool:
        return len(connection.savepoint_ids) > self._depth
