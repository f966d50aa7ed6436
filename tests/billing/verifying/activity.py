"""Random business, told by a seed: two organizations buy, get promotions, use, overdraw, take back and let credit expire.

Everything goes through the real code, on a clock of its own.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from billing import flows
from billing.ledger import accruals, wallets
from billing.metering import ingest, partitions, reversing
from billing.metering.events import Batch
from billing.metering.models import Gateway
from billing.metering.reversing import Reversal
from billing.payments.models import Intent
from billing.payments.outcomes import Paid
from orgs.models import ApiKey
from tests.factories import usage

START = datetime(2026, 3, 10, 12, 30, 17, tzinfo=UTC)
MOVES = (
    "use",
    "use",
    "use",
    "use",
    "late",
    "buy",
    "promote",
    "reverse",
    "sweep",
    "sweep",
    "close",
    "expire",
    "wait",
    "wait",
)


@dataclass
class Activity:
    """`keys`: one of each organization that takes part."""

    chance: random.Random
    keys: list[ApiKey]
    gateway: Gateway
    now: datetime = START
    used: list[UUID] = field(default_factory=list)

    def happen(self, steps: int) -> None:
        partitions.make(self.now)
        for _ in range(steps):
            getattr(self, self.chance.choice(MOVES))(self.chance.choice(self.keys))
            self.now += timedelta(seconds=self.chance.randrange(1, 600), microseconds=self.chance.randrange(10**6))
        self.rest()

    def rest(self) -> None:
        """Every task has run."""
        self._report(Batch([], [], complete_through=self.now))
        flows.sweep(now=self.now)
        flows.expire(now=self.now)

    def use(self, key: ApiKey, *, ago: timedelta = timedelta(seconds=2), dollars: int | None = None) -> UUID:
        """A few events at once, each of about as many dollars."""
        events = []
        for n in range(self.chance.randrange(1, 4)):
            at = self.now - ago - timedelta(seconds=n)
            tokens = self.chance.randrange(1, 9_000_000) if dollars is None else dollars * 2_857_143
            events.append(
                usage.event(
                    key.public_id, at, id=self.chance.choice((uuid4(), usage.v7(at, self.chance.randrange(2**60)))),
                    input_tokens=tokens, cached_input_tokens=tokens // 3, output_tokens=self.chance.randrange(1_000_000),
                )
            )  # fmt: skip
        self._report(usage.batch(*events))
        self.used += [event.id for event in events]
        return events[0].id

    def late(self, key: ApiKey) -> None:
        self.use(key, ago=timedelta(minutes=self.chance.randrange(16, 3_000)))

    def buy(self, key: ApiKey) -> Intent:
        cents = self.chance.randrange(500, 2_000)
        intent = Intent.objects.create(
            wallet_id=key.organization_id,
            purpose="credits",
            amount_cents=cents,
            key=f"buy:{uuid4()}",
            created_at=self.now,
        )
        paid = Paid(cents, "usd", f"pi_{intent.pk.hex}", f"ch_{intent.pk.hex}", self.now)
        flows.payment_outcome(intent.pk, paid, now=self.now)
        return intent

    def promote(self, key: ApiKey) -> None:
        flows.grant_promotional(
            key.organization_id, Decimal(self.chance.randrange(1, 9)), key=str(uuid4()), title="Welcome credit",
            reason="welcome", expires_at=self.now + timedelta(hours=self.chance.randrange(1, 60)), issued_by=None,
            now=self.now,
        )  # fmt: skip

    def reverse(self, _: ApiKey) -> None:
        if self.used:
            taken = self.used.pop(self.chance.randrange(len(self.used)))
            asked = Reversal(uuid4(), taken, "a test", self.gateway.pk)
            assert isinstance(flows.reverse_usage(asked, now=self.now), reversing.Reversed)

    def sweep(self, _: ApiKey) -> None:
        flows.sweep(now=self.now)

    def close(self, key: ApiKey) -> None:
        wallets.lock([key.organization_id])
        accruals.close([key.organization_id], now=self.now)

    def expire(self, _: ApiKey) -> None:
        flows.expire(now=self.now)

    def wait(self, _: ApiKey) -> None:
        """Hours later, sometimes days; gateways have reported what occurred until a little before."""
        self.now += timedelta(hours=self.chance.choice((1, 3, 20, 40)))
        partitions.make(self.now)
        self._report(Batch([], [], complete_through=self.now - timedelta(minutes=self.chance.randrange(90))))

    def _report(self, batch: Batch) -> None:
        receipt = ingest.ingest(batch, gateway_id=self.gateway.pk, now=self.now)
        assert receipt.accepted == len(batch.events)
