"""Every check at once, over one snapshot of the database."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection, transaction

from billing.ledger import audit, chains
from billing.ledger.audit import Difference, Scope
from billing.verifying import (
    cards,
    contracts,
    payments,
    plans,
    recharges,
    reversals,
    settlement,
    statements,
    usage,
    waiting,
)

CHECKS = (
    *audit.CHECKS,
    *chains.CHECKS,
    *usage.CHECKS,
    *payments.CHECKS,
    *cards.CHECKS,
    *reversals.CHECKS,
    *recharges.CHECKS,
    *settlement.CHECKS,
    *contracts.CHECKS,
    *plans.CHECKS,
    *statements.CHECKS,
    *waiting.CHECKS,
)
NAMES = (*(check.name for check in CHECKS), chains.REHASH)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found: how many checks were made and transfers hashed, what differs, and how long it took."""

    checks: int
    differences: list[Difference]
    transfers: int
    seconds: float


@contextmanager
def snapshot() -> Iterator[None]:
    """A transaction that sees one moment, whatever others commit meanwhile, and in which nothing can be written.

    It must be the outermost one: a transaction that has begun already has its own moment.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # Whole tables are joined and sorted; compiling queries would cost more than it saves.
        cursor.execute("SET LOCAL work_mem = '128MB'; SET LOCAL jit = off")
        yield


def verify(scope: Scope) -> Report:
    """Make every check, in the caller's transaction: take a `snapshot` first."""
    started = time.perf_counter()
    rehash = chains.Rehash(scope)
    differences = [*audit.ask(CHECKS, scope), *rehash]
    return Report(len(NAMES), differences, rehash.transfers, round(time.perf_counter() - started, 3))
