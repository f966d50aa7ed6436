"""Overage that comes together until it is due: when its month is closed, and at once when it passes 500 USD (A20).

What is due is whole cents of what is posted and not due yet; the fraction waits for the next time (A27).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection

from billing.contracts import terms
from billing.contracts.models import Contract
from billing.contracts.monthly import OPEN_STAGES, ContractDue, What
from billing.ledger import receivables
from billing.money import from_cents

GRACE = timedelta(days=14)

OPEN = """
SELECT c.id, c.org_id, m.id AS month_id, m.overage - d.cents::numeric / 100 AS open
FROM contract c
CROSS JOIN LATERAL (
    SELECT sum(greatest(0, m.{counted} - m.tokens)) * c.overage_usd + sum(m.returned) AS overage,
        max(m.id) FILTER (WHERE m.{counted} > m.tokens) AS id
    FROM contract_month m WHERE m.contract_id = c.id AND m.begun_at IS NOT NULL AND m.lapsed_at IS NULL) m
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount_cents), 0) AS cents FROM contract_due d
    WHERE d.contract_id = c.id AND d.what = 'overage' AND d.stage <> 'over') d
WHERE c.org_id = ANY(%(orgs)s) AND m.id IS NOT NULL AND m.overage - d.cents::numeric / 100 >= %(least)s
ORDER BY c.org_id, c.id
"""


def beyond(org_ids: Sequence[int], amount: Decimal) -> list[int]:
    """Those of these organizations with more than this much overage, in USD, that is used and not due yet."""
    found = _open(org_ids, "total", amount)
    return sorted({org_id for _, org_id, _, is_open in found if is_open > amount})


def take_up(org_ids: Sequence[int], *, at_least: Decimal, now: datetime) -> int:
    """What is posted and not due becomes due, where it is at least this much, in USD; answers how many dues that made."""
    made = 0
    for contract_id, org_id, month_id, is_open in _open(org_ids, "posted", at_least):
        cents = terms.chargeable(min(is_open, _not_due(org_id), from_cents(terms.MOST_CENTS)))
        if not cents:
            continue
        contract = Contract.objects.get(pk=contract_id)
        number = ContractDue.objects.filter(month=month_id, what=What.OVERAGE).count() + 1
        ContractDue.objects.create(
            contract=contract, month_id=month_id, wallet_id=org_id, what=What.OVERAGE, number=number, amount_cents=cents,
            due_at=now, closes_at=now + GRACE, next_try_at=now,
        )  # fmt: skip
        made += 1
    return made


def _not_due(org_id: int) -> Decimal:
    """What the organization owes for contracts beyond what is being collected already."""
    cents = ContractDue.objects.filter(wallet=org_id, stage__in=OPEN_STAGES).values_list("amount_cents", flat=True)
    return receivables.owed(org_id) - from_cents(sum(cents))


def _open(org_ids: Sequence[int], counted: str, least: Decimal) -> list[tuple[int, int, int, Decimal]]:
    """(contract, organization, the last month with overage, USD)."""
    with connection.cursor() as cursor:
        cursor.execute(OPEN.format(counted=counted), {"orgs": list(org_ids), "least": least})
        return list(cursor.fetchall())
