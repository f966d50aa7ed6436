"""What a month was, from the ledger and the rollups alone: no page is asked, and nothing is rounded.

Three sums that nobody made for each other must agree, else no statement is drawn: the movements line by line, the balances
before and after, and the usage that was rated, by model and by key (A41).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db import connection

from billing.coverage.models import Payer
from billing.ledger.chart import WALLET_CODES, Code
from billing.money import ZERO


class Kind(StrEnum):
    """The lines of the walk from the opening to the closing balance, in the order in which they stand."""

    PURCHASES = "purchases"
    RECHARGES = "recharges"
    PROMOTIONAL = "promotional"
    REINSTATED = "reinstated"
    SETTLEMENT = "settlement"
    WRITTEN_OFF = "written_off"
    USAGE = "usage"
    TAKEN_BACK = "taken_back"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    REFUND_RETURNED = "refund_returned"
    CLAWED_BACK = "clawed_back"
    ADJUSTMENTS = "adjustments"


class DoesNotAddUp(Exception):
    """The books of this month contradict each other: it is for staff to see why, and nothing is told meanwhile."""


@dataclass(frozen=True, slots=True)
class Item:
    """One movement of a line. `line` is its name in the ledger, "2026-03.17"; `account_id` the grant, or the debt."""

    at: datetime
    amount: Decimal
    line: str
    account_id: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the walk: what it moved in the month, signed, in USD. Usage has no items: it stands in its tables."""

    kind: Kind
    amount: Decimal
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Charge:
    """What a card was charged in the month. `outside`: it did not go into the balance."""

    at: datetime
    amount: Decimal
    line: str
    intent_id: str
    purpose: str
    outside: bool


@dataclass(frozen=True, slots=True)
class Used:
    """Usage of one model and payer, or of one key: counts, and what it took from the balance."""

    name: str
    payer: Payer | None
    requests: int
    tokens_in: int
    tokens_cached: int
    tokens_out: int
    late: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Draft:
    """A month that adds up. `lines`: how many lines the ledger has in it."""

    org_id: int
    period: date
    head: bytes
    lines: int
    opening: Decimal
    closing: Decimal
    walk: tuple[Line, ...]
    models: tuple[Used, ...]
    covered: tuple[Used, ...]
    keys: tuple[Used, ...]
    charges: tuple[Charge, ...]

    def moved(self, kind: Kind) -> Decimal:
        return next(line.amount for line in self.walk if line.kind is kind)


def draft(org_id: int, period: date) -> Draft:
    """The month as the books have it now; it is final once the month is closed. Raises DoesNotAddUp."""
    head, lines = _chain(org_id, period)
    movements = list(_movements(org_id, period))
    used = _used_in_ledger(org_id, period)
    models, keys = _by_model(org_id, period), _by_key(org_id, period)
    opening, closing = _balances(org_id, period)
    walk = tuple(_walk(movements, used.values()))
    drawn = Draft(
        org_id, period, head, lines, opening, closing, walk,
        models=tuple(row for row in models if row.payer == Payer.CREDITS),
        covered=tuple(row for row in models if row.payer != Payer.CREDITS),
        keys=tuple(keys),
        charges=tuple(_charges(org_id, period)),
    )  # fmt: skip
    _check(drawn, used)
    return drawn


# --- Pure --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Movement:
    """A transfer as it changed the balance: `own` and `other` are codes of the chart, `amount` is signed."""

    own: int
    other: int
    reason: str
    item: Item


def kind_of(own: int, other: int, reason: str, amount: Decimal) -> Kind:
    """The line of the statement to which a movement belongs."""
    rises = amount > 0
    match other:
        case Code.REVENUE_USAGE:
            return Kind.TAKEN_BACK if rises else Kind.USAGE
        case Code.STRIPE if not rises:
            return Kind.CLAWED_BACK
        case Code.STRIPE if reason == "dispute_reinstated":
            return Kind.REINSTATED
        case Code.STRIPE if own == Code.OVERDRAFT or reason.startswith("settlement"):
            return Kind.SETTLEMENT
        case Code.STRIPE:
            return Kind.RECHARGES if reason == "recharge" else Kind.PURCHASES
        case Code.UNAPPLIED if rises:
            return Kind.PURCHASES
        case Code.REFUND_PENDING:
            return Kind.REFUND_RETURNED if rises else Kind.REFUNDED
        case Code.PROMO_ISSUED:
            return Kind.PROMOTIONAL if rises else Kind.EXPIRED
        case Code.BREAKAGE if not rises:
            return Kind.EXPIRED
        case Code.BAD_DEBT | Code.OVERDRAFT_EXCESS:
            return Kind.WRITTEN_OFF
    return Kind.ADJUSTMENTS


def _walk(movements: Sequence[Movement], used: Iterable[tuple[Decimal, Decimal]]) -> Iterable[Line]:
    """Every line, those without movement too: a reader sees that there was none."""
    items: dict[Kind, list[Item]] = defaultdict(list)
    for movement in movements:
        items[kind_of(movement.own, movement.other, movement.reason, movement.item.amount)].append(movement.item)
    usage = list(used)
    sums = {
        Kind.USAGE: -sum((gross for gross, _ in usage), ZERO),
        Kind.TAKEN_BACK: sum((back for _, back in usage), ZERO),
    }
    for kind in Kind:
        amount = sums.get(kind, sum((item.amount for item in items[kind]), ZERO))
        yield Line(kind, amount, tuple(items[kind]))


def _check(drawn: Draft, used: dict[str, tuple[Decimal, Decimal]]) -> None:
    walked = drawn.opening + sum((line.amount for line in drawn.walk), ZERO)
    if walked != drawn.closing:
        raise DoesNotAddUp(f"lines lead to {walked}, the balance is {drawn.closing}")
    posted = {model: gross - back for model, (gross, back) in used.items() if gross != back}
    rated = {row.name: row.amount for row in drawn.models if row.amount}
    if posted != rated:
        raise DoesNotAddUp(f"usage is {posted} in the ledger and {rated} in the rollups")
    by_key, by_model = (sum((row.amount for row in rows), ZERO) for rows in (drawn.keys, drawn.models))
    if by_key != by_model:
        raise DoesNotAddUp(f"usage is {by_key} by key and {by_model} by model")
    if any(row.amount for row in drawn.covered):
        raise DoesNotAddUp("covered usage has a cost")


# --- Reading -----------------------------------------------------------------------------------------------------------

FROM = "FROM transfer t JOIN account d ON d.id = t.debit_id JOIN account c ON c.id = t.credit_id"
OURS = "t.org_id = %(org)s AND (d.code = ANY(%(wallet)s)) <> (c.code = ANY(%(wallet)s))"
"""What changes the balance: what only moves within it (new credit that pays a debt) is no movement."""
SIGNED = "CASE WHEN c.code = ANY(%(wallet)s) THEN t.amount ELSE -t.amount END"
MOVEMENTS = f"""
SELECT CASE WHEN c.code = ANY(%(wallet)s) THEN c.code ELSE d.code END,
    CASE WHEN c.code = ANY(%(wallet)s) THEN d.code ELSE c.code END,
    t.reason, t.effective_at, {SIGNED}, t.seq, CASE WHEN c.code = ANY(%(wallet)s) THEN c.id ELSE d.id END
{FROM} WHERE {OURS} AND t.period = %(period)s AND 4000 NOT IN (d.code, c.code) ORDER BY t.effective_at, t.seq
"""
USED = f"""
SELECT m.slug, coalesce(sum(t.amount) FILTER (WHERE c.code = 4000), 0),
    coalesce(sum(t.amount) FILTER (WHERE d.code = 4000), 0)
{FROM} LEFT JOIN ai_model m ON m.id = t.model_id
WHERE {OURS} AND t.period = %(period)s AND 4000 IN (d.code, c.code) GROUP BY m.slug
"""
# The closing balance comes from the other end: what the wallet has now less what later months moved.
BALANCES = f"""
SELECT (SELECT coalesce(sum({SIGNED}), 0) {FROM} WHERE {OURS} AND t.period < %(period)s),
    (SELECT posted FROM wallet WHERE org_id = %(org)s)
        - (SELECT coalesce(sum({SIGNED}), 0) {FROM} WHERE {OURS} AND t.period > %(period)s)
"""
CHARGES = """
SELECT t.effective_at, sum(t.amount), min(t.seq), t.cause_id, min(t.reason), bool_and(c.code <> ALL(%(wallet)s))
FROM transfer t JOIN account c ON c.id = t.credit_id
WHERE t.org_id = %(org)s AND t.period = %(period)s AND t.debit_id = 1000 AND t.cause_kind = 'intent'
GROUP BY t.effective_at, t.cause_id ORDER BY 1, 3
"""
ROLLED = """
SELECT {name}, {payer}, sum(u.events)::bigint, sum(u.input_tokens)::bigint, sum(u.cached_tokens)::bigint,
    sum(u.output_tokens)::bigint, sum(u.late_tokens)::bigint, sum(u.cost)
FROM usage_hour u {join} WHERE u.org_id = %(org)s AND u.period = %(period)s
GROUP BY 1, 2 HAVING sum(u.events) <> 0 OR sum(u.cost) <> 0 OR sum(u.input_tokens) + sum(u.output_tokens) <> 0
ORDER BY 8 DESC, 1, 2
"""


def _chain(org_id: int, period: date) -> tuple[bytes, int]:
    rows = _asked("SELECT head, seq FROM ledger_period WHERE org_id = %(org)s AND period = %(period)s", org_id, period)
    if not rows:
        raise DoesNotAddUp("the ledger has no such month")
    [(head, lines)] = rows
    return bytes(head), lines


def _movements(org_id: int, period: date) -> Iterable[Movement]:
    for own, other, reason, at, amount, seq, account_id in _asked(MOVEMENTS, org_id, period):
        yield Movement(own, other, reason, Item(at, amount, _name(period, seq), account_id))


def _used_in_ledger(org_id: int, period: date) -> dict[str, tuple[Decimal, Decimal]]:
    """Model -> what was used of it, what of that was given back."""
    return {slug or "": (gross, back) for slug, gross, back in _asked(USED, org_id, period)}


def _balances(org_id: int, period: date) -> tuple[Decimal, Decimal]:
    [(opening, closing)] = _asked(BALANCES, org_id, period)
    return opening, closing


def _charges(org_id: int, period: date) -> Iterable[Charge]:
    for at, amount, seq, intent_id, reason, outside in _asked(CHARGES, org_id, period):
        yield Charge(at, amount, _name(period, seq), intent_id, reason, outside)


def _by_model(org_id: int, period: date) -> list[Used]:
    query = ROLLED.format(name="m.slug", payer="u.payer", join="JOIN ai_model m ON m.id = u.model_id")
    return [Used(name, Payer(payer), *figures) for name, payer, *figures in _asked(query, org_id, period)]


def _by_key(org_id: int, period: date) -> list[Used]:
    query = ROLLED.format(name="k.public_id", payer="NULL", join="JOIN api_key k ON k.id = u.key_id")
    return [Used(name, None, *figures) for name, _, *figures in _asked(query, org_id, period)]


def _name(period: date, seq: int) -> str:
    return f"{period:%Y-%m}.{seq}"


def _asked(query: str, org_id: int, period: date) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"org": org_id, "period": period, "wallet": [int(code) for code in WALLET_CODES]})
        return list(cursor.fetchall())
