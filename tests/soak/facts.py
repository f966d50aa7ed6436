"""What stands in the tables and in Stripe's books after a soak, read by plain SQL and plain HTTP."""

import json
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from sandbox.stripe.client import Admin
from tests.soak.diary import Sent


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge as Stripe's books have it; `net_cents` is what is left of it after refunds and disputes."""

    id: str
    cents: int
    net_cents: int
    succeeded: bool
    intent_id: UUID | None


@dataclass(frozen=True, slots=True)
class Intent:
    id: UUID
    org_id: int
    key: str
    cents: int
    state: str


@dataclass(frozen=True, slots=True)
class Paid:
    """An amount in USD that came of an intent: a grant, or a posting to account 1000."""

    intent_id: UUID | None
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund of ours (`key` says who asked for it), or as Stripe has it (then `key` is the id of ours, or nothing)."""

    provider_id: str | None
    key: str
    cents: int
    state: str
    charge_id: str | None
    id: str = ""


@dataclass(frozen=True, slots=True)
class Dispute:
    """`movements`: balance transaction -> cents, of a dispute of ours or as Stripe has it."""

    provider_id: str
    status: str
    movements: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Stripe:
    """What Stripe has, all of it settled."""

    charges: list[Charge]
    refunds: list[Refund] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Price:
    input: Decimal
    cached: Decimal
    output: Decimal


@dataclass
class Facts:
    """The tables. `charged`: USD of use by organization, posted and accrued. `promotions`: (organization, key, amount)."""

    intents: dict[UUID, Intent] = field(default_factory=dict)
    grants: list[Paid] = field(default_factory=list)
    collected: list[Paid] = field(default_factory=list)
    stripe_balance: Decimal = Decimal(0)
    promotions: list[tuple[int, str, Decimal]] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)
    events: list[tuple[UUID, Sent]] = field(default_factory=list)
    by_credit: set[UUID] = field(default_factory=set)
    """The events that credit pays for: a Personal organization begins with use that is free."""
    reversals: dict[UUID, UUID] = field(default_factory=dict)
    charged: dict[int, Decimal] = field(default_factory=dict)
    prices: dict[str, Price] = field(default_factory=dict)


EVENTS = """
SELECT e.id, e.org_id, k.public_id, m.slug, e.input_tokens, e.cached_tokens, e.output_tokens, e.occurred_at
FROM usage_event e JOIN api_key k ON k.id = e.key_id JOIN ai_model m ON m.id = e.model_id
"""
CHARGED = """
SELECT org_id, sum(amount) FROM (
    SELECT org_id, amount FROM transfer WHERE credit_id = 4000
    UNION ALL SELECT org_id, -amount FROM transfer WHERE debit_id = 4000
    UNION ALL SELECT org_id, amount FROM accrual
) moved GROUP BY org_id
"""
STRIPE_BALANCE = """
SELECT coalesce(sum(CASE WHEN debit_id = 1000 THEN amount ELSE -amount END), 0)
FROM transfer WHERE debit_id = 1000 OR credit_id = 1000
"""
PRICES = """
SELECT DISTINCT ON (m.id) m.slug, p.input_usd, p.cached_usd, p.output_usd
FROM price p JOIN ai_model m ON m.id = p.model_id ORDER BY m.id, p.valid_from DESC
"""
COLLECTED = "SELECT cause_id::uuid, amount FROM transfer WHERE debit_id = 1000 AND cause_kind = 'intent'"
BOUGHT = """
SELECT g.payment_id, a.granted FROM credit_grant g JOIN account a ON a.id = g.account_id WHERE g.payment_id IS NOT NULL
"""
PROMOTIONS = """
SELECT g.org_id, g.key, a.granted FROM credit_grant g JOIN account a ON a.id = g.account_id WHERE g.source = 'promotion'
"""
REFUNDS = """
SELECT r.provider_id, r.key, r.amount_cents, r.state, i.charge_id, r.id::text
FROM refund r JOIN payment_intent i ON i.id = r.intent_id
"""
MOVEMENTS = "SELECT d.provider_id, m.id, m.amount_cents FROM dispute_movement m JOIN dispute d ON d.id = m.dispute_id"


def read() -> Facts:
    """All of the tables, in one moment."""
    from django.db import connection, transaction

    def rows(statement: str) -> list[tuple[Any, ...]]:
        cursor.execute(statement)
        return list(cursor.fetchall())

    movements: dict[str, list[tuple[str, int]]] = defaultdict(list)
    with transaction.atomic(), connection.cursor() as cursor:
        for dispute, movement, cents in rows(MOVEMENTS):
            movements[dispute].append((movement, cents))
        return Facts(
            intents={
                row[0]: Intent(*row) for row in rows("SELECT id, org_id, key, amount_cents, state FROM payment_intent")
            },
            grants=[Paid(*row) for row in rows(BOUGHT)],
            collected=[Paid(*row) for row in rows(COLLECTED)],
            stripe_balance=rows(STRIPE_BALANCE)[0][0],
            promotions=[(org_id, key, amount) for org_id, key, amount in rows(PROMOTIONS)],
            refunds=[Refund(*row) for row in rows(REFUNDS)],
            disputes=[
                Dispute(provider_id, status, tuple(sorted(movements[provider_id])))
                for provider_id, status in rows("SELECT provider_id, status FROM dispute")
            ],
            events=[(event_id, Sent(*event)) for event_id, *event in rows(EVENTS)],
            by_credit={event_id for (event_id,) in rows("SELECT id FROM usage_event WHERE payer = 2")},
            reversals=dict(rows("SELECT id, event_id FROM usage_reversal")),
            charged=dict(rows(CHARGED)),
            prices={slug: Price(*price) for slug, *price in rows(PRICES)},
        )


# --- Stripe --------------------------------------------------------------------------------------------------------------


def at_stripe(admin: Admin, address: str) -> Stripe:
    """All of Stripe's books."""
    refunds = [
        Refund(row["id"], row["metadata"].get("purser_refund", ""), row["amount"], row["status"], row["charge"])
        for row in _listed(address, "refunds")
    ]
    disputes = [
        Dispute(row["id"], row["status"], tuple(sorted((bt["id"], bt["amount"]) for bt in row["balance_transactions"])))
        for row in _listed(address, "disputes")
    ]
    return Stripe(charges(admin.books()), refunds, disputes)


def _listed(address: str, what: str) -> Iterator[dict[str, Any]]:
    after = ""
    while True:
        asked = urllib.request.Request(f"{address}/v1/{what}?limit=100{after}")
        asked.add_header("Authorization", "Bearer sk_test_of_the_soak")
        with urllib.request.urlopen(asked, timeout=30) as answer:
            page = json.load(answer)
        yield from page["data"]
        if not page["has_more"]:
            return
        after = f"&starting_after={page['data'][-1]['id']}"


def charges(books: dict[str, Any]) -> list[Charge]:
    """Of the answer to `admin.books()`."""
    return [
        Charge(
            row["id"],
            row["amount"],
            row["net"],
            row["status"] == "succeeded",
            _uuid(row["metadata"].get("purser_intent")),
        )
        for row in books["charges"]
    ]


def _uuid(text: str | None) -> UUID | None:
    return UUID(text) if text else None
