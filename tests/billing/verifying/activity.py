"""Random business, told by a seed: two organizations buy, get promotions, use, overdraw, take back and let credit expire;
payments are refunded, here and in Stripe's dashboard, and disputed.

Everything goes through the real code, on a clock of its own.
"""

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from billing import flows
from billing.ledger import accruals, wallets
from billing.metering import charging, ingest, partitions, reversing
from billing.metering.events import Batch
from billing.metering.models import Gateway
from billing.metering.reversing import Reversal
from billing.payments import answers, refunds
from billing.payments.models import Dispute, Intent, Refund
from billing.payments.outcomes import Paid
from orgs.models import ApiKey, User
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
    "refund",
    "refund_elsewhere",
    "refund_moves",
    "dispute",
    "dispute_moves",
)


@dataclass
class Activity:
    """`keys`: one of each organization that takes part."""

    chance: random.Random
    keys: list[ApiKey]
    gateway: Gateway
    now: datetime = START
    used: list[UUID] = field(default_factory=list)
    paid: list[Intent] = field(default_factory=list)
    refunded: list[answers.Refund] = field(default_factory=list)
    disputed: list[answers.Dispute] = field(default_factory=list)

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
        intent.refresh_from_db()
        self.paid.append(intent)
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

    # --- Money going back ----------------------------------------------------------------------------------------------

    def refund(self, _: ApiKey, *, intent: Intent | None = None, status: str = "") -> None:
        """Staff give back a part of what is left of a payment."""
        intent = intent or self._some_payment()
        if intent is None:
            return
        wallets.lock([intent.wallet_id])
        charging.drain([intent.wallet_id], now=self.now)
        left = int(refunds.refundable(intent.pk, now=self.now) * 100)
        if left < 1:
            return
        cents = self.chance.randrange(1, left + 1)
        by = User.objects.order_by("pk")[0]
        asked = refunds.ask(
            refunds.Order(intent.wallet_id, intent.pk, cents, "asked for", uuid4(), by.pk), now=self.now
        )
        self._tell_refund(self._refund_of(intent, cents, status=status, refund_id=asked.pk))

    def refund_elsewhere(self, _: ApiKey, *, intent: Intent | None = None, reason: str = "", status: str = "") -> None:
        """Somebody gives back more or less in Stripe's dashboard, which knows nothing of credit."""
        intent = intent or self._some_payment()
        if intent is None or Dispute.objects.filter(intent=intent).exists():
            return
        gone = sum(row.amount_cents for row in Refund.objects.filter(intent=intent).exclude(state="failed"))
        if intent.amount_cents > gone:
            cents = (
                self.chance.randrange(1, intent.amount_cents - gone + 1) if not reason else intent.amount_cents - gone
            )
            reason = reason or self.chance.choice(("requested_by_customer", "fraudulent"))
            self._tell_refund(self._refund_of(intent, cents, status=status, reason=reason))

    def refund_moves(self, _: ApiKey, *, status: str = "") -> None:
        """A bank answers, or sends back what had arrived."""
        if self.refunded:
            told = self.refunded.pop(self.chance.randrange(len(self.refunded)))
            after = ("failed",) if told.status == "succeeded" else ("succeeded", "failed")
            self._tell_refund(replace(told, status=status or self.chance.choice(after)))

    def dispute(self, _: ApiKey, *, intent: Intent | None = None, inquiry: bool | None = None) -> None:
        """A cardholder's bank disputes what is not refunded yet, or only asks."""
        intent = intent or self._some_payment()
        if intent is None or Dispute.objects.filter(intent=intent).exists():
            return
        gone = sum(row.amount_cents for row in Refund.objects.filter(intent=intent).exclude(state="failed"))
        if intent.amount_cents == gone:
            return
        asks = self.chance.random() < 0.3 if inquiry is None else inquiry
        told = answers.Dispute(
            f"dp_{uuid4().hex}", "warning_needs_response" if asks else "needs_response", "fraudulent",
            intent.amount_cents - gone, "usd", str(intent.charge_id), str(intent.provider_id), self.now,
        )  # fmt: skip
        self._tell_dispute(told if asks else self._moved(told, -told.amount_cents))

    def dispute_moves(self, _: ApiKey, *, status: str = "") -> None:
        """A dispute is escalated or decided, for or against us."""
        if not self.disputed:
            return
        told = self.disputed.pop(self.chance.randrange(len(self.disputed)))
        if told.status.startswith("warning"):
            status = status or self.chance.choice(("warning_closed", "needs_response"))
        told = replace(told, status=status or self.chance.choice(("won", "lost")))
        amount = {"won": told.amount_cents, "needs_response": -told.amount_cents}.get(told.status)
        self._tell_dispute(self._moved(told, amount) if amount else told)

    def _some_payment(self) -> Intent | None:
        return self.chance.choice(self.paid) if self.paid else None

    def _refund_of(
        self,
        intent: Intent,
        cents: int,
        *,
        status: str,
        reason: str = "requested_by_customer",
        refund_id: UUID | None = None,
    ) -> answers.Refund:
        return answers.Refund(
            f"re_{uuid4().hex}", status or self.chance.choice(("succeeded", "pending", "failed")), cents, "usd",
            str(intent.charge_id), str(intent.provider_id), self.now, reason=reason, refund_id=refund_id,
        )  # fmt: skip

    def _moved(self, told: answers.Dispute, cents: int) -> answers.Dispute:
        moved = answers.Movement(f"txn_{uuid4().hex}", cents, "usd", self.now)
        return replace(told, movements=(*told.movements, moved))

    def _tell_refund(self, told: answers.Refund) -> None:
        assert flows.refund_told(told, now=self.now) is not None
        if told.status != "failed":
            self.refunded.append(told)

    def _tell_dispute(self, told: answers.Dispute) -> None:
        assert flows.dispute_told(told, now=self.now) is not None
        if told.status in ("warning_needs_response", "needs_response"):
            self.disputed.append(told)

    def _report(self, batch: Batch) -> None:
        receipt = ingest.ingest(batch, gateway_id=self.gateway.pk, now=self.now)
        assert receipt.accepted == len(batch.events)
