"""What must be true afterwards, told by others than the code: Stripe's own books, what was sent, and PostgreSQL."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from billing.ledger.audit import Scope, ask
from billing.verifying import waiting
from tests.crash.recovery import LONG_AFTER
from tests.crash.world import World

COLLECTED = """
SELECT org_id, sum(CASE WHEN debit_id = 1000 THEN amount ELSE -amount END) * 100 FROM transfer
WHERE 1000 IN (debit_id, credit_id) GROUP BY org_id
"""
GRANTS_OF = """
SELECT i.id::text, i.org_id, count(g.account_id) + (
    SELECT count(*) FROM transfer t JOIN account a ON a.id = t.credit_id
    WHERE t.key = 'pay:' || i.id AND a.code IN (1100, 1120, 2100))
FROM payment_intent i LEFT JOIN credit_grant g ON g.payment_id = i.id
GROUP BY i.id, i.org_id
"""
"""What a payment became: a grant, the overdraft or a contract paid, or the fee of a plan."""
USED = """
SELECT (SELECT coalesce(sum(cost), 0) FROM usage_hour WHERE org_id = %(org)s),
       (SELECT coalesce(sum(cost), 0) FROM usage_minute WHERE org_id = %(org)s),
       (SELECT coalesce(sum(CASE WHEN credit_id = 4000 THEN amount ELSE -amount END), 0) FROM transfer
        WHERE org_id = %(org)s AND 4000 IN (debit_id, credit_id))
       + (SELECT coalesce(sum(amount), 0) FROM accrual WHERE org_id = %(org)s)
"""
PICTURE = {
    "payments": """SELECT purpose, amount_cents, state, count(*) FROM payment_intent
        WHERE org_id = %s AND state NOT IN ('failed', 'canceled') GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
    "grants": """SELECT g.source, g.title, a.code, a.granted, a.balance, a.accrued, a.exhausted, a.held
        FROM credit_grant g JOIN account a ON a.id = g.account_id WHERE g.org_id = %s ORDER BY 1, 2, 3, 4, 5""",
    "accounts": """SELECT code, balance, accrued FROM account
        WHERE org_id = %s AND code NOT IN (2000, 2010, 2100) ORDER BY code""",
    "transfers": """SELECT d.code, c.code, reason, sum(amount) FROM transfer t
        JOIN account d ON d.id = t.debit_id JOIN account c ON c.id = t.credit_id
        WHERE t.org_id = %s AND reason <> 'plan_earned' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
    "plans": """SELECT p.slug LIKE 'small%%', s.state, s.number, s.renewals, s.ended_as, (
            SELECT sum(charged_cents) FROM subscription_period WHERE subscription_id = s.id)
        FROM subscription s JOIN plan p ON p.id = s.plan_id WHERE s.org_id = %s AND s.ended_as <> 'not_paid'
        ORDER BY 2, 1, 3""",
    "covered by plans": """SELECT p.slug LIKE 'small%%', date_trunc('hour', max(c.valid_to) - s.ends_at)
        FROM coverage c JOIN subscription s ON s.org_id = c.org_id JOIN plan p ON p.id = c.source_id
        WHERE c.org_id = %s AND c.payer = 3 AND c.valid_to > s.starts_at AND s.state = 'active'
        GROUP BY 1, s.id, s.ends_at HAVING max(c.valid_to) >= s.ends_at ORDER BY 1, 2""",
    "usage": """SELECT payer, sum(events), sum(input_tokens), sum(cached_tokens), sum(output_tokens), sum(cost)
        FROM usage_hour WHERE org_id = %s GROUP BY 1 ORDER BY 1""",
    "waiting usage": "SELECT count(*) FROM usage_delta WHERE org_id = %s",
    "reversals": "SELECT cost, count(*) FROM usage_reversal WHERE org_id = %s GROUP BY 1 ORDER BY 1",
    "refunds": "SELECT amount_cents, state, count(*) FROM refund WHERE org_id = %s GROUP BY 1, 2 ORDER BY 1, 2",
    "disputes": "SELECT amount_cents, status, closed_at IS NULL FROM dispute WHERE org_id = %s ORDER BY 1, 2",
    "dispute movements": "SELECT amount_cents FROM dispute_movement WHERE org_id = %s ORDER BY 1",
    "settlements": """SELECT decided, charge_cents, written_off, carried, stage, tries FROM settlement
        WHERE org_id = %s ORDER BY period""",
    "cards": "SELECT last4, is_default FROM payment_method WHERE org_id = %s AND detached_at IS NULL ORDER BY 1",
    "statements": """SELECT period, body::jsonb ->> 'opening', body::jsonb ->> 'closing', count(p.*) FROM statement s
        LEFT JOIN statement_party p ON p.statement_id = s.id WHERE s.org_id = %s GROUP BY 1, 2, 3 ORDER BY 1""",
    "receipts": "SELECT count(*) FROM receipt r JOIN receipt_party p ON p.receipt_id = r.intent_id WHERE org_id = %s",
    "cards let go": """SELECT last4, released_at IS NULL FROM payment_method
        WHERE org_id = %s AND detached_at IS NOT NULL ORDER BY 1, 2""",
    "cards added": "SELECT state, count(*) FROM card_setup WHERE org_id = %s AND state <> 'ended' GROUP BY 1 ORDER BY 1",
    "told of cards": """SELECT kind, facts ->> 'what', count(*) FROM notice
        WHERE org_id = %s AND kind IN ('card_changed', 'card_expiring') GROUP BY 1, 2 ORDER BY 1, 2""",
    "contracts": """SELECT c.state, c.starts_on, m.period, m.total, m.posted, m.begun_at IS NULL, m.lapsed_at IS NULL
        FROM contract c LEFT JOIN contract_month m ON m.contract_id = c.id WHERE c.org_id = %s ORDER BY 2, 3""",
    "due for contracts": """SELECT what, amount_cents, stage, tries FROM contract_due WHERE org_id = %s
        ORDER BY 1, 2, 3, 4""",
    "gaps in the cover of plans": """SELECT count(*) FROM (
            SELECT valid_from, lag(valid_to) OVER (PARTITION BY model_id ORDER BY valid_from) AS before
            FROM coverage WHERE org_id = %s AND payer = 3) c WHERE before < valid_from""",
    "covered otherwise": """SELECT payer, valid_to, count(*) FROM coverage WHERE org_id = %s AND payer <> 3
        GROUP BY 1, 2 ORDER BY 1, 2""",
    "open for usage": "SELECT open FROM limits_answer WHERE org_id = %s",
}
"""An organization as people and gateways see it, without ids and moments."""

Picture = dict[str, list[tuple[Any, ...]]]


@dataclass
class Found:
    """What is wrong: money or use that is nowhere, that is there twice, and whatever else is not as it should be."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.wrong)

    def compare(self, what: str, *, is_there: Decimal | int, should_be: Decimal | int) -> None:
        if is_there != should_be:
            (self.lost if is_there < should_be else self.doubled).append(f"{what}: {is_there}, not {should_be}")


def look(world: World, org_id: int, *, used: Decimal, back: int, now: datetime) -> Found:
    """Everything about one organization that is left alone by `now`.

    `used`: USD that its usage must have cost. `back`: cents that were to be refunded, once if at all.
    """
    found = Found()
    _money(world, org_id, back, found)
    _usage(org_id, used, found)
    late = Scope(now + LONG_AFTER, org_id=org_id)
    found.wrong += [f"{difference.check}: {difference.row}" for difference in ask(waiting.CHECKS, late)]
    return found


def picture(org_id: int) -> Picture:
    seen: Picture = {}
    for name, query in PICTURE.items():
        with connection.cursor() as cursor:
            cursor.execute(query, [org_id])
            seen[name] = cursor.fetchall()
    return seen


def _money(world: World, org_id: int, back: int, found: Found) -> None:
    """What Stripe holds for this organization is in the ledger to the cent, and each paid charge is one grant."""
    with connection.cursor() as cursor:
        cursor.execute(GRANTS_OF)
        grants = {intent_id: (owner, number) for intent_id, owner, number in cursor.fetchall()}
        cursor.execute(COLLECTED)
        collected = dict(cursor.fetchall())
    kept = refunded = 0
    for charge in world.stripe.admin.books()["charges"]:
        owner, number = grants.get(charge["metadata"]["purser_intent"], (None, 0))
        if owner is None:
            found.lost.append(f"nobody's charge {charge['id']}: {charge['net']} cents")
        elif owner == org_id and charge["status"] == "succeeded":
            kept += charge["net"]
            refunded += charge["refunded"]
            found.compare(f"grants of charge {charge['id']}", is_there=number, should_be=1)
    if refunded > back:
        found.doubled.append(f"cents refunded: {refunded}, not {back}")
    found.compare("cents collected", is_there=collected.get(org_id, Decimal()), should_be=kept)


def _usage(org_id: int, used: Decimal, found: Found) -> None:
    with connection.cursor() as cursor:
        cursor.execute(USED, {"org": org_id})
        sums = cursor.fetchone()
    for where, cost in zip(("the hours", "the minutes", "the ledger"), sums):
        found.compare(f"usage in {where}", is_there=cost, should_be=used)
