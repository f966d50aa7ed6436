"""Issuing the statement of a closed month: drawn, sealed, numbered and hashed in one transaction, once for ever."""

from datetime import date, datetime

import structlog
from django.db import IntegrityError, connection, transaction

from billing import periods
from billing.ledger import wallets
from billing.ledger.models import LedgerPeriod
from billing.notices import announcing
from billing.notices.models import Kind as Told
from billing.statements import drafting, parties, verifier, writing
from billing.statements.drafting import DoesNotAddUp, Draft, Used
from billing.statements.models import LAYOUT, Series, Statement, StatementParty

__all__ = ["DoesNotAddUp", "NotYet", "due", "issue", "issue_due"]

log = structlog.get_logger(__name__)


class NotYet(Exception):
    """The month is not closed, or an earlier one has no statement yet."""


DUE = """
SELECT p.org_id, p.period FROM ledger_period p LEFT JOIN statement s ON s.org_id = p.org_id AND s.period = p.period
WHERE p.closed_at IS NOT NULL AND p.seq > 0 AND s.id IS NULL AND (%(org)s::bigint IS NULL OR p.org_id = %(org)s)
ORDER BY p.org_id, p.period
"""


def due(org_id: int | None = None) -> list[tuple[int, date]]:
    """Closed months with movement and without a statement: organization and month, in the order of issuing."""
    with connection.cursor() as cursor:
        cursor.execute(DUE, {"org": org_id})
        return list(cursor.fetchall())


def issue(org_id: int, period: date, *, now: datetime) -> Statement:
    """The statement of this month, in the caller's transaction; the one there is when it was issued before.

    Locks the wallet, then the counter. Raises NotYet, and DoesNotAddUp when the books contradict each other.
    """
    wallets.lock([org_id])
    if (before := Statement.objects.filter(wallet=org_id, period=period).first()) is not None:
        return before
    if not LedgerPeriod.objects.filter(wallet=org_id, period=period, closed_at__isnull=False, seq__gt=0).exists():
        raise NotYet(f"{period:%Y-%m} of {org_id} is not closed, or nothing moved in it")
    if due(org_id)[:1] != [(org_id, period)]:
        raise NotYet(f"an earlier month than {period:%Y-%m} of {org_id} has no statement")
    last = Statement.objects.filter(wallet=org_id, period__lt=period).order_by("period").last()
    drawn = drafting.draft(org_id, period)
    _continues(last, drawn)
    return _write(drawn, last, now)


def issue_due(*, now: datetime) -> int:
    """Every statement that is due; answers how many were issued. Owns its transactions.

    A month that does not add up is logged for staff and waits, with those after it; other organizations do not.
    """
    issued, waiting = 0, set()
    for org_id, period in due():
        if org_id in waiting:
            continue
        try:
            with transaction.atomic():
                issue(org_id, period, now=now)
            issued += 1
        except (DoesNotAddUp, NotYet, IntegrityError) as fault:
            waiting.add(org_id)
            log.error("statement_not_issued", org_id=org_id, period=f"{period:%Y-%m}", why=str(fault))
    return issued


def _continues(last: Statement | None, drawn: Draft) -> None:
    closed = verifier.amount(writing.read(last.body)["closing"]) if last else drawn.opening
    if closed != drawn.opening:
        raise DoesNotAddUp(f"the statement before closed with {closed}, this month opens with {drawn.opening}")


def _write(drawn: Draft, last: Statement | None, now: datetime) -> Statement:
    block = writing.seal(parties.of_statement(drawn))
    number = writing.next_number(Series.STATEMENT)
    statement = Statement(
        wallet_id=drawn.org_id, period=drawn.period, number=number, layout=LAYOUT, ledger_head=drawn.head, issued_at=now
    )
    statement.body = verifier.canonical(_body(drawn, statement, block.digest))
    before = bytes(last.hash) if last else writing.BEFORE_THE_FIRST
    statement.hash = writing.hashed(before, drawn.head, statement.body)
    statement.save(force_insert=True)
    StatementParty.objects.create(statement=statement, salt=block.salt, text=block.text)
    facts = {
        "number": statement.name,
        "period": f"{drawn.period:%Y-%m}",
        "closing": writing.amount(drawn.closing),
    }
    announcing.announce(drawn.org_id, Told.STATEMENT, key=statement.name, facts=facts, now=now)
    log.info("statement_issued", number=statement.name, org_id=drawn.org_id)
    return statement


def _body(drawn: Draft, statement: Statement, sealed: str) -> dict[str, object]:
    """What is hashed. Of people and places it holds the seal alone."""
    return {
        "layout": LAYOUT,
        "number": statement.name,
        "organization": drawn.org_id,
        "period": f"{drawn.period:%Y-%m}",
        "from": writing.moment(periods.month_start(drawn.period)),
        "to": writing.moment(periods.month_start(periods.next_month(drawn.period))),
        "currency": "USD",
        "issued_at": writing.moment(statement.issued_at),
        "ledger_lines": drawn.lines,
        "parties": sealed,
        "opening": writing.amount(drawn.opening),
        "closing": writing.amount(drawn.closing),
        "walk": [
            {
                "kind": line.kind.value,
                "amount": writing.amount(line.amount),
                "items": [
                    {"at": writing.moment(item.at), "amount": writing.amount(item.amount), "line": item.line}
                    for item in line.items
                ],
            }
            for line in drawn.walk
        ],
        "models": [_used(row) for row in drawn.models],
        "covered": [_used(row) for row in drawn.covered],
        "keys": [_used(row) for row in drawn.keys],
        "charges": [
            {
                "at": writing.moment(charge.at),
                "amount": writing.amount(charge.amount),
                "line": charge.line,
                "intent": charge.intent_id,
                "purpose": charge.purpose,
                "outside": charge.outside,
            }
            for charge in drawn.charges
        ],
    }


def _used(row: Used) -> dict[str, object]:
    return {
        "name": row.name,
        "requests": row.requests,
        "tokens_in": row.tokens_in,
        "tokens_cached": row.tokens_cached,
        "tokens_out": row.tokens_out,
        "tokens_late": row.late,
        "amount": writing.amount(row.amount),
        **({"payer": row.payer.name.lower()} if row.payer is not None else {}),
    }
