"""The most of an overdraft that a month end charges to a card (A10): the house's figure, or one that staff set for an
organization, with a reason.

Every figure that was ever set is kept. A month is settled by the one that was in force when it ended, however late it is
closed; what is set afterwards is of the months that follow.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from billing.ledger import wallets
from billing.settlement.models import MOST_CEILING, OverdraftCeiling

__all__ = ["MOST_CEILING", "of", "put", "when"]

WHEN = """
SELECT DISTINCT ON (org_id) org_id, usd FROM overdraft_ceiling
WHERE org_id = ANY(%s) AND set_at < %s ORDER BY org_id, set_at DESC, id DESC
"""


class CeilingRefused(ValueError):
    """It is not a figure that can be set. The message is for staff."""


def of(org_id: int, *, now: datetime) -> Decimal:
    """In USD, as it would be if the month ended now."""
    return when([org_id], now)[org_id]


def when(org_ids: Iterable[int], moment: datetime) -> dict[int, Decimal]:
    """Organization -> its ceiling in USD, of a month that ends at this moment. One query."""
    ours = list(org_ids)
    with connection.cursor() as cursor:
        cursor.execute(WHEN, [ours, moment])
        own = dict(cursor.fetchall())
    return {org_id: own.get(org_id, settings.OVERDRAFT_CEILING_USD) for org_id in ours}


def put(org_id: int, usd: Decimal, *, reason: str, nonce: UUID, by: int, now: datetime) -> OverdraftCeiling:
    """Staff set it, in whole cents; the same nonce sets it once. Raises `CeilingRefused`."""
    if not 0 < usd <= MOST_CEILING or usd != usd.quantize(Decimal("0.01")):
        raise CeilingRefused(f"A ceiling is from $0.01 to ${MOST_CEILING:,.2f}, in whole cents.")
    with transaction.atomic():
        wallets.lock([org_id])
        made, _ = OverdraftCeiling.objects.get_or_create(
            key=f"staff:{nonce.hex}",
            defaults={"wallet_id": org_id, "usd": usd, "reason": reason, "set_by_id": by, "set_at": now},
        )
        if (made.wallet_id, made.usd) != (org_id, usd):
            raise CeilingRefused("This form was used before, for another figure. Open it again.")
        return made
