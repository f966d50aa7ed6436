"""What must be true, asked of others than the code that is tried: plain SQL, the simulation's own books, Stripe's books."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import connection

from billing.ledger import balances, chains
from billing.ledger.audit import BEGINNING, Check, Scope, ask
from billing.verifying import books, waiting
from tests.simulation import contracts, plans_kept, saved_cards, standing_orders, told
from tests.simulation.plans_kept import Money
from tests.simulation.tally import DEBT_KEPT, LATE_WINDOW, NOTHING, Rest, drawn
from tests.soak import facts, oracles

if TYPE_CHECKING:
    from tests.simulation.parties import Party
    from tests.simulation.world import World

ACCOUNTS = """
SELECT a.org_id, a.id, a.code, a.balance, a.accrued, a.granted, a.expires_at, a.held, w.posted, w.accrued
FROM account a JOIN wallet w ON w.org_id = a.org_id WHERE a.org_id = ANY(%s) AND a.code IN (1100, 1110, 2000, 2010)
"""
UNCHARGED = "SELECT org_id, sum(events) FROM usage_delta GROUP BY 1"
RESTS = """
SELECT org_id, id, balance - accrued, expires_at, code = 2010 FROM account
WHERE org_id = ANY(%s) AND code IN (2000, 2010) AND NOT exhausted AND NOT held
"""
LEFT = "SELECT id, balance - accrued FROM account WHERE id = ANY(%s)"
EXPIRED = "SELECT org_id, posted_at, effective_at, amount FROM transfer WHERE reason = 'expiry'"
LET_GO = """
SELECT w.org_id, w.posted_at - d.posted_at FROM transfer w JOIN transfer d ON w.key = 'wo:' || d.key
WHERE w.reason = 'debt_written_off'
"""
BY_CODE = """
SELECT org_id, code, sum(amount) FROM (
    SELECT t.org_id, a.code, t.amount FROM transfer t JOIN account a ON a.id = t.debit_id
    UNION ALL SELECT t.org_id, a.code, -t.amount FROM transfer t JOIN account a ON a.id = t.credit_id
    UNION ALL SELECT l.org_id, a.code, l.amount FROM accrual l JOIN account a ON a.id = l.account_id
    UNION ALL SELECT org_id, 4000, -amount FROM accrual
) moved GROUP BY 1, 2
"""
"""What each account number of an organization comes to, debits positive, open lines included."""
LEDGER = """
SELECT o.slug, t.posted_at, d.code, c.code, t.amount, t.reason, t.effective_at FROM transfer t
JOIN account d ON d.id = t.debit_id JOIN account c ON c.id = t.credit_id JOIN organization o ON o.id = t.org_id
ORDER BY o.slug, t.id
"""
CENT = Decimal("0.01")


def rows(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return list(cursor.fetchall())


# --- After each event ----------------------------------------------------------------------------------------------------


def after_event(world: World) -> None:
    """The wallets that were touched: sums, bounds, and that the balance people see is what is there to use."""
    touched, world.touched = sorted(world.touched), set()
    if not touched:
        return
    seen = balances.of_many(touched, now=world.now)
    grouped: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows(ACCOUNTS, touched):
        grouped[row[0]].append(row)
    for org_id, accounts in grouped.items():
        posted, accrued = accounts[0][8:]
        usable = owed = NOTHING
        for _, id_, code, balance, open_, granted, ends, held, *_ in accounts:
            rest = balance - open_
            if code in (1100, 1110):
                owed -= rest
            else:
                world.expect(0 <= rest <= granted, f"grant {id_} has {rest} of {granted}")
                usable += rest if ends > world.now and not held else 0
        world.expect(posted == sum(row[3] for row in accounts), f"wallet {org_id} is not the sum of its accounts")
        world.expect(accrued == sum(row[4] for row in accounts), f"wallet {org_id} is not the sum of its open lines")
        available = seen[org_id].available
        world.expect(available == usable - owed, f"{org_id} is told {available}, and has {usable} less {owed}")


def watch_draws(world: World, sweep: Callable[[], bool]) -> None:
    """A sweep takes from each grant what the rule says, for what was accepted and not charged yet, and no more."""
    uncharged = dict(rows(UNCHARGED))
    before: dict[int, list[Rest]] = defaultdict(list)
    for org_id, *rest in rows(RESTS, list(uncharged)):
        before[org_id].append(Rest(*rest))
    whole = sweep()
    for party in world.parties:
        number = int(uncharged.get(party.org_id, 0))
        uses = party.tally.undrawn[-number:] if number else []
        known = len(uses) == number
        party.tally.undrawn = []
        if not known:
            world.expect(party.unanswered > 0, f"{party.name}: {number} events to charge, {len(uses)} were accepted")
        if not whole:
            # Charged or not, nobody knows: the rest is looked at by what is uncharged at the next sweep.
            party.tally.undrawn = uses
        elif known and uses and not party.tally.free:
            _compare_draws(world, party, before[party.org_id], [(use.minute, world.cost(party, use)) for use in uses])


def _compare_draws(world: World, party: Party, before: list[Rest], uses: list[tuple[datetime, Decimal]]) -> None:
    should, _ = drawn(before, uses)
    there = dict(rows(LEFT, list(should)))
    for account, left in should.items():
        world.expect(there[account] == left, f"{party.name}: a grant has {there[account]} left and should have {left}")


# --- Each day ------------------------------------------------------------------------------------------------------------


def verified(world: World, *, since: datetime = BEGINNING, each_row: bool = True, waiting_too: bool = False) -> None:
    """`verify_ledger`. What merely waits is left out while tasks of the clock are; `each_row`: each event is looked at, and
    each transfer hashed once more. One statement asks whether anything differs; what it is, is asked only then."""
    patience = set() if waiting_too else {check.name for check in waiting.CHECKS}
    asked = [check for check in books.CHECKS if check.name not in patience and (each_row or not _looks_at_each(check))]
    scope = Scope(world.now, since=since)
    anything = " UNION ALL ".join(f"SELECT '{check.name}' WHERE EXISTS ({check.sql})" for check in asked)
    with books.snapshot():
        with connection.cursor() as cursor:
            cursor.execute(anything, scope.values())
            named = {name for (name,) in cursor.fetchall()}
        found = [*ask([check for check in asked if check.name in named], scope)]
        found += chains.Rehash(scope) if each_row else []
    for difference in found:
        world.expect(False, f"{difference.check} of {difference.org_id}: {difference.row}")


def _looks_at_each(check: Check) -> bool:
    return "usage_event" in check.sql or "sha256" in check.sql


def in_time(world: World) -> None:
    """Credit ended when its usage was complete, or 72 hours after its end; debts were let go after 180 days."""
    moments = [moment for moment, _ in world.watermarks]
    for org_id, posted_at, ended_at, amount in rows(EXPIRED):
        place = bisect_right(moments, posted_at)
        complete = place and world.watermarks[place - 1][1] >= ended_at
        world.expect(
            complete or posted_at >= ended_at + LATE_WINDOW,
            f"{amount} of {org_id} ended at {ended_at} and was taken at {posted_at}, before its usage was complete",
        )
    for org_id, after in rows(LET_GO):
        world.expect(after >= DEBT_KEPT, f"a debt of {org_id} was let go after {after}")


# --- In the end ----------------------------------------------------------------------------------------------------------


def in_the_end(world: World) -> None:
    """Everything has come to rest: the books, Stripe's books and the simulation's own say the same."""
    verified(world, waiting_too=True)
    in_time(world)
    there = replace(facts.read(), events=[], by_credit=set(), reversals={}, charged={})
    at_stripe = _stripe(world)
    for difference in oracles.differences(world.diary, at_stripe, there):
        world.expect(_is_expected(difference, there), f"{difference}")
    told.letters(world)
    net: dict[int, Money] = defaultdict(Money)
    for charge in at_stripe.charges:
        intent = there.intents.get(charge.intent_id) if charge.intent_id else None
        if intent is not None and charge.succeeded:
            net[intent.org_id].add(intent.id, intent.key, charge.net_cents)
    sums: dict[int, dict[int, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for org_id, code, amount in rows(BY_CODE):
        sums[org_id][code] = amount
    for party in world.parties:
        standing_orders.spent_as_agreed(world, party)
        standing_orders.settled_as_told(world, party)
        saved_cards.kept_as_told(world, party)
        told.statements(world, party)
        told.charges(world, party)
        plans_kept.kept(world, party, net[party.org_id], sums[party.org_id])
        contracts.kept(world, party, net[party.org_id], sums[party.org_id])
        _adds_up(world, party, net[party.org_id], sums[party.org_id])


def _is_expected(difference: dict[str, Any], there: facts.Facts) -> bool:
    """What was charged without asking is no purchase, and what a month's end brings pays what is owed: it is no credit."""
    keys = {str(intent.id): intent.key for intent in there.intents.values()}
    key = keys.get(difference.get("intent", ""), "")
    if difference["difference"] == "purchase_of_nobody":
        return not key.startswith("buy:")
    return difference["difference"] == "not_granted_once" and key.startswith(
        ("settle:", *plans_kept.OF_PLANS, plans_kept.OF_CONTRACTS)
    )


def _adds_up(world: World, party: Party, money: Money, sums: dict[int, Decimal]) -> None:
    """Stripe's money, the uses at their price and the gifts are in the ledger; what is left of them is the balance."""
    tally, net = party.tally, money.credit * CENT
    whole = (money.credit + money.plans + money.contracts) * CENT
    world.expect(sums[1000] == whole, f"{party.name}: Stripe has {whole}, the ledger says {sums[1000]}")
    world.expect(-sums[4000] == tally.used, f"{party.name}: used {tally.used}, charged {-sums[4000]}")
    given = sum((amount for _, amount in _gifts(party)), NOTHING)
    world.expect(given == tally.given, f"{party.name}: was given {tally.given}, the ledger says {given}")
    expired, paid_by_us = -sums[4900] + _gifts_ended(party), sums[4810] + sums[6000] + sums[6010]
    left = net + tally.given - tally.used - expired + paid_by_us + sums[2300] + sums[2900]
    left += contracts.overage_returned(party)
    has = balances.of(party.org_id, now=world.now).settled - balances.of(party.org_id, now=world.now).accrued
    world.expect(has == left, f"{party.name}: granted less used, expired and taken back is {left}, the balance {has}")


def _gifts(party: Party) -> list[tuple[Any, ...]]:
    return rows("SELECT key, amount FROM transfer WHERE org_id = %s AND reason = 'promotion'", party.org_id)


def _gifts_ended(party: Party) -> Decimal:
    ended = rows(
        "SELECT coalesce(sum(amount), 0) FROM transfer WHERE org_id = %s AND reason = 'expiry' AND credit_id = 2090",
        party.org_id,
    )
    return Decimal(ended[0][0])


def _stripe(world: World) -> facts.Stripe:
    """All of Stripe's books, without asking its doors."""
    kept = world.sandbox.books
    refunds = [
        facts.Refund(row["id"], row["metadata"].get("purser_refund", ""), row["amount"], row["status"], row["charge"])
        for row in kept.oldest_first("refund")
    ]
    disputes = [
        facts.Dispute(
            row["id"], row["status"], tuple(sorted((bt["id"], bt["amount"]) for bt in row["balance_transactions"]))
        )
        for row in kept.oldest_first("dispute")
    ]
    return facts.Stripe(facts.charges(world.sandbox.admin.books()), refunds, disputes)


def ledger() -> Iterable[str]:
    """Every transfer, in order, without its ids: the end of the digest."""
    return ("|".join(str(value) for value in row) for row in rows(LEDGER))
