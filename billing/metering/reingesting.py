"""Letting refused events in after all, once staff have mended the cause: a model that was missing, or its price (A19).

Nothing else may come in this way: an unknown key or a reused id is not mended by asking again.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

import msgspec

from billing.metering import ingest
from billing.metering.events import Batch, Event, Reason
from billing.metering.models import RefusedUsage

MENDABLE = (Reason.NO_PRICE.value, Reason.UNKNOWN_MODEL.value)


def again(refused: Iterable[RefusedUsage], *, now: datetime) -> int:
    """Ingest these events once more, as their gateways reported them; answers how many are in now.

    Those that still cannot be charged stay as they are. An event that is in already counts as in, so doing it twice, or
    after a crash, changes nothing.
    """
    by_gateway: dict[int, list[RefusedUsage]] = defaultdict(list)
    for row in refused:
        if row.reason in MENDABLE and row.reingested_at is None:
            by_gateway[row.gateway_id].append(row)
    return sum(_from_one(gateway_id, rows, now) for gateway_id, rows in by_gateway.items())


def _from_one(gateway_id: int, rows: list[RefusedUsage], now: datetime) -> int:
    events = [msgspec.convert(row.body, Event) for row in rows]
    receipt = ingest.ingest(Batch(events, range(len(events))), gateway_id=gateway_id, now=now, reported=False)
    still_out = {refusal.index for refusal in receipt.refused}
    taken = [row.pk for n, row in enumerate(rows) if n not in still_out]
    return RefusedUsage.objects.filter(pk__in=taken).update(reingested_at=now)
