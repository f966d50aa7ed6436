"""Fresh rows for every round: an organization, its key, its credit, its use. Everything happens at `NOW` unless told."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from django.db import connection

from billing import flows
from billing.catalog.models import AIModel
from billing.ledger import balances
from billing.ledger.models import CreditGrant
from billing.metering import ingest
from billing.metering.events import Event, Receipt
from billing.metering.models import Gateway
from billing.payments import collecting, polling
from billing.payments.models import Intent, Purpose, Refund, State
from billing.payments.outcomes import Paid
from billing.payments.refunds import Order
from orgs.models import ApiKey, Organization, User
from sandbox.stripe import Running
from tests import figures
from tests.factories import catalog, usage
from tests.factories import orgs as people
from tests.factories.paying import PAYS, order

NOW = datetime(2026, 3, 10, 12, 30, 17, tzinfo=UTC)
COST = Decimal("0.425")
"""USD for one event of `used`."""

OVER_HTTP = figures.of(3, full=200)
"""Rounds, where each is many calls to Stripe's sandbox."""
NEXT_YEAR = NOW + timedelta(days=370)
"""Credit bought now has ended by then, 72 hours ago and more."""

_numbers = count(1)


@dataclass
class World:
    """What all rounds of a race share: Alice, who owns every team, one model, one gateway."""

    alice: User
    model: AIModel
    gateway: Gateway

    @classmethod
    def made(cls) -> "World":
        usage.days(NOW)
        alice = people.person("alice@example.com", "Alice Archer", now=NOW)
        return cls(alice, catalog.model(), usage.gateway(now=NOW))

    def team(self) -> Organization:
        return people.team(self.alice, f"Team {next(_numbers)}", now=NOW)

    def key(self, team: Organization) -> ApiKey:
        return people.key(team, f"key {next(_numbers)}", now=NOW).key

    def used(self, key: ApiKey, *, events: int = 1, at: datetime = NOW, now: datetime = NOW) -> list[Event]:
        """Accepted and not yet charged; each costs `COST`."""
        sent = [event(key, at) for _ in range(events)]
        assert self.ingest(*sent, now=now).accepted == events
        return sent

    def ingest(self, *events: Event, now: datetime = NOW, gateway: Gateway | None = None) -> Receipt:
        return ingest.ingest(usage.batch(*events), gateway_id=(gateway or self.gateway).pk, now=now)

    def overdrawn(self, team: Organization, *, events: int, posted: bool) -> None:
        """Used beyond credit: the overdraft is in the ledger (`posted`), or its lines are still open."""
        at = NOW - timedelta(hours=2) if posted else NOW
        self.used(self.key(team), events=events, at=at, now=at)
        flows.sweep(now=at)
        if posted:
            flows.sweep(now=NOW)


def event(key: ApiKey, at: datetime = NOW, **other: Any) -> Event:
    return usage.event(key.public_id, at, **{"input_tokens": 1_000_000, "output_tokens": 100_000, **other})


def opened(team: Organization, cents: int, *, state: State = State.WAITING) -> Intent:
    """A payment for credit whose page at Stripe is open."""
    return Intent.objects.create(
        wallet_id=team.pk,
        purpose=Purpose.CREDITS,
        amount_cents=cents,
        state=state,
        key=f"buy:{uuid4().hex}",
        created_at=NOW,
        called_at=NOW,
        deadline=NOW + timedelta(minutes=31),
        checkout_id=f"cs_{uuid4().hex}",
    )


def paid(intent: Intent) -> Paid:
    """What Stripe says once it was paid: the same to everybody who asks."""
    name = intent.pk.hex
    return Paid(intent.amount_cents, "usd", f"pi_{name}", f"ch_{name}", NOW)


def bought(team: Organization, usd: str, *, at: datetime = NOW) -> CreditGrant:
    return usage.bought(team, usd, now=at)


def settling(team: Organization, cents: int) -> Callable[[], Any]:
    """Somebody says that a payment of this amount was made."""
    intent = opened(team, cents)
    return lambda: flows.payment_outcome(intent.pk, paid(intent), now=NOW)


def grant_promotional(team: Organization, key: str, usd: str = "5") -> CreditGrant:
    return flows.grant_promotional(
        team.pk, Decimal(usd), key=key, title="Welcome credit", expires_at=NOW + timedelta(days=30), reason="welcome",
        issued_by=None, now=NOW,
    )  # fmt: skip


def available(team: Organization, now: datetime = NOW) -> Decimal:
    return balances.of(team.pk, now=now).available


def asked(sql: str, *values: Any) -> Any:
    """The one value that this query answers: checks after a round are plain SQL."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()[0]


def moved(team: Organization, debit: int | str, credit: int | str) -> Decimal:
    """USD that moved from accounts of one code to accounts of another, in this organization."""
    total: Decimal = asked(
        "SELECT coalesce(sum(t.amount), 0) FROM transfer t JOIN account d ON d.id = t.debit_id "
        "JOIN account c ON c.id = t.credit_id WHERE t.org_id = %s AND d.code = %s AND c.code = %s",
        team.pk, debit, credit,
    )  # fmt: skip
    return total


def refunded(team: Organization) -> Decimal:
    """What went back to the card, by the ledger."""
    return moved(team, 2300, 1000)


def on_its_way(team: Organization) -> Decimal:
    balance: Decimal = asked("SELECT coalesce(sum(balance), 0) FROM account WHERE org_id = %s AND code = 2300", team.pk)
    return balance


# --- With Stripe's sandbox ----------------------------------------------------------------------------------------------


def begun(stripe: Running, world: World, team: Organization, cents: int, *, card: str = PAYS) -> Intent:
    """Credit that is paid for at Stripe, whose clock shows `NOW` too, and nobody has told us yet."""
    stripe.admin.set_clock(int(NOW.timestamp()))
    intent = collecting.buy_credits(order(team, world.alice, cents), now=NOW)
    stripe.admin.pay(intent.checkout_id or "", card)
    return intent


def charged(stripe: Running, world: World, team: Organization, cents: int, *, card: str = PAYS) -> Intent:
    """Credit that was bought at Stripe."""
    intent = begun(stripe, world, team, cents, card=card)
    flows.payment_outcome(intent.pk, polling.ask(intent.pk, now=NOW), now=NOW)
    intent.refresh_from_db()
    assert intent.state == State.SUCCEEDED
    return intent


def refund_order(world: World, intent: Intent, cents: int, nonce: UUID | None = None) -> Order:
    return Order(intent.wallet_id, intent.pk, cents, "Bought twice", nonce or uuid4(), world.alice.pk)


def by_staff(world: World, intent: Intent, cents: int, nonce: UUID | None = None) -> Callable[[], Refund]:
    """Staff press the button."""
    wanted = refund_order(world, intent, cents, nonce)
    return lambda: flows.refund(wanted, now=NOW)
