"""A story of one organization, told through the doors that everybody uses: gateways report over HTTP, Stripe answers over
HTTP, its webhooks are rung at ours, and the tasks of the clock run at the story's own time."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.test import Client

from billing import flows
from billing.ledger import balances
from billing.metering import gateways
from billing.notices.models import Notice
from billing.payments.models import Intent, PaymentMethod
from billing.recharge.models import Rule
from billing.recharge.rules import Wish
from billing.webhooks import inbox
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.crash.paths import by_the_clock, task
from tests.factories import orgs as people
from tests.factories.paying import pay, tell

MODEL = "dollar-a-million"
"""A model of $1.00 per million input tokens."""


@dataclass
class Story:
    """`now` is the story's time. Usage is reported at the true one, since the door for it has a clock of its own."""

    stripe: Running
    acme: Organization
    alice: User
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.token = gateways.mint(gateways.register("eu-1", now=self.now), now=self.now)
        self.key = people.key(self.acme, now=self.now).key

    # What people do.

    def buys(self, cents: int) -> Intent:
        """On Stripe's page; the card is saved."""
        return pay(self.stripe, self.acme, self.alice, cents)

    def agrees(self, threshold: int, to: int, *, cap: int | None = None, per_day: int = 5) -> Rule:
        wish = Wish(threshold, to, self.card.pk, cap, per_day)
        return flows.switch_recharge_on(self.acme.pk, wish, by=self.alice.pk, now=self.now)

    def uses(self, usd: str) -> None:
        """Its gateway reports use that costs this much, and it is charged."""
        left, events = int(Decimal(usd) * 1_000_000), []
        at = datetime.now(UTC).isoformat()
        while left:
            tokens = min(left, 5_000_000)
            events.append(
                {"id": str(uuid4()), "key": self.key.public_id, "model": MODEL, "occurred_at": at,
                 "input_tokens": tokens, "output_tokens": 0}
            )  # fmt: skip
            left -= tokens
        self.reports({"events": events})
        flows.sweep(now=self.now)

    def reports(self, body: dict[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = Client().post("/api/v1/usage", json.dumps(body), content_type="application/json", headers=headers)
        assert answer.status_code == 200
        assert answer.json()["accepted"] == len(body["events"])

    def bank_says(self, outcome: str, *, times: int | None = None) -> None:
        self.stripe.admin.behave(self.card.stripe_id, outcome, count=times)

    # What goes on by itself.

    def the_clock_comes_by(self, after: timedelta = timedelta()) -> None:
        """All tasks but those of the night, this much later; Stripe has told everything before."""
        self.now += after
        self.stripe.admin.set_clock(self.now.isoformat())
        for name in by_the_clock(nightly=False):
            task(name, now=self.now)

    def stripe_tells(self, type: str = "") -> None:
        tell(self.stripe, type)
        inbox.process(now=max(self.now, datetime.now(UTC)))

    # What there is to see.

    @property
    def card(self) -> PaymentMethod:
        return PaymentMethod.objects.get(wallet_id=self.acme.pk, is_default=True)

    @property
    def balance(self) -> Decimal:
        return balances.of(self.acme.pk, now=self.now).available

    @property
    def rule(self) -> tuple[str, str]:
        return Rule.objects.values_list("standing", "why").get(wallet_id=self.acme.pk)

    @property
    def charges(self) -> list[int]:
        """Cents that Stripe has taken, oldest first, the purchases too."""
        books = self.stripe.admin.books()["charges"]
        return [charge["charged"] for charge in books if charge["status"] == "succeeded"]

    def told(self, kind: str) -> list[dict[str, Any]]:
        return list(Notice.objects.filter(kind=kind).order_by("id").values_list("facts", flat=True))
