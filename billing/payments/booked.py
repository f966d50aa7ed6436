"""What the books have of Stripe's objects: the movements of account 1000, found by their keys.

A payment's key is `pay:{intent}`, that of a second charge of the same payment `pay:{intent}:{charge}`, that of what a
payment for the overdraft leaves beyond it `pay:{intent}:rest`; a refund's begin with `rf:{our refund}:`, a dispute's with
`dp:{dispute}:`. Money that came counts above zero, money that went below.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from billing.money import ZERO
from billing.payments.models import Dispute, Intent, Refund, State
from billing.payments.reconciliations import Thing

SIGNED = "CASE debit_id WHEN 1000 THEN amount ELSE -amount END"
REST = "rest"
BY_KEY = f"""
SELECT k.key, sum({SIGNED}) FROM unnest(%s::text[]) AS k (key) JOIN transfer t ON t.key IN (k.key, k.key || ':{REST}')
WHERE t.debit_id = 1000 OR t.credit_id = 1000
GROUP BY k.key
"""
OF_DISPUTES = f"""
SELECT d.id, sum({SIGNED}) FROM unnest(%s::text[]) AS d (id)
JOIN transfer t ON t.key ~>=~ ('dp:' || d.id || ':') AND t.key ~<~ ('dp:' || d.id || ';')
WHERE t.debit_id = 1000 OR t.credit_id = 1000
GROUP BY d.id
"""
"""By the keys' beginning, in the order of bytes: `;` follows `:`."""
SECOND_CHARGES = """
SELECT split_part(key, ':', 3), split_part(key, ':', 2) FROM transfer
WHERE credit_id = 2900 AND debit_id = 1000 AND key LIKE 'pay:%%:%%' AND split_part(key, ':', 3) = ANY(%s)
"""
MOVED = f"""
SELECT key, org_id, {SIGNED} FROM transfer
WHERE (debit_id = 1000 OR credit_id = 1000)
    AND (effective_at BETWEEN %s AND %s OR split_part(key, ':', 1) NOT IN ('pay', 'rf', 'dp'))
"""


@dataclass(frozen=True, slots=True)
class Named:
    """Something of Stripe's that the books speak of. `provider_id` is Stripe's id; of a transfer without cause its key."""

    thing: Thing
    provider_id: str
    org_id: int | None
    intent_id: UUID | None
    cents: Decimal


def key_of_charge(intent: Intent, charge_id: str) -> str:
    """The key under which this charge of a payment is posted, or would be."""
    second = intent.state == State.SUCCEEDED and intent.charge_id != charge_id
    return f"pay:{intent.pk}:{charge_id}" if second else f"pay:{intent.pk}"


def keys_of_refund(refund_id: UUID) -> tuple[str, str]:
    return f"rf:{refund_id}:done", f"rf:{refund_id}:undone"


def of_keys(keys: Iterable[str]) -> dict[str, Decimal]:
    """Cents by key; a key that was not posted is not there."""
    return {key: amount * 100 for key, amount in _rows(BY_KEY, [list(keys)])}


def of_disputes(dispute_ids: Iterable[str]) -> dict[str, Decimal]:
    """Cents by dispute."""
    return {dispute_id: amount * 100 for dispute_id, amount in _rows(OF_DISPUTES, [list(dispute_ids)])}


def intents_of(charge_ids: Iterable[str]) -> dict[str, Intent]:
    """Our payments by charge: the one that paid each, or came besides."""
    wanted = [charge_id for charge_id in charge_ids if charge_id]
    found = {str(intent.charge_id): intent for intent in Intent.objects.filter(charge_id__in=wanted)}
    second = dict(_rows(SECOND_CHARGES, [wanted]))
    intents = {str(intent.pk): intent for intent in Intent.objects.filter(pk__in=list(second.values()))}
    return {charge_id: intents[named] for charge_id, named in second.items() if named in intents} | found


def between(since: datetime, through: datetime) -> Iterator[Named]:
    """Everything of Stripe's that the books speak of in this time; the same thing may be named more than once."""
    yield from _moved(since, through)
    paid = Intent.objects.filter(state=State.SUCCEEDED, charged_at__range=(since, through), charge_id__isnull=False)
    for pk, org_id, charge_id in paid.values_list("pk", "wallet_id", "charge_id").iterator():
        yield Named(Thing.CHARGE, str(charge_id), org_id, pk, ZERO)
    refunds = Refund.objects.filter(created_at__range=(since, through), provider_id__isnull=False)
    for org_id, intent_id, provider_id in refunds.values_list("wallet_id", "intent_id", "provider_id").iterator():
        yield Named(Thing.REFUND, str(provider_id), org_id, intent_id, ZERO)
    disputes = Dispute.objects.filter(created_at__range=(since, through))
    for org_id, intent_id, provider_id in disputes.values_list("wallet_id", "intent_id", "provider_id").iterator():
        yield Named(Thing.DISPUTE, provider_id, org_id, intent_id, ZERO)


def _moved(since: datetime, through: datetime) -> Iterator[Named]:
    """What account 1000 says by itself, whatever the tables beside it say."""
    rows = list(_rows(MOVED, [since, through]))
    named = {
        kind: [id_ for key, *_ in rows if key.startswith(kind) and (id_ := _uuid(key))] for kind in ("pay:", "rf:")
    }
    intents = dict(Intent.objects.filter(pk__in=named["pay:"]).values_list("pk", "charge_id"))
    refunds = {refund.pk: refund for refund in Refund.objects.filter(pk__in=named["rf:"])}
    for key, org_id, amount in rows:
        parts, cents = key.split(":"), amount * 100
        if parts[0] == "dp":
            yield Named(Thing.DISPUTE, parts[1], org_id, None, cents)
            continue
        id_ = _uuid(key)
        charge_id = parts[2] if len(parts) > 2 and parts[2] != REST else intents.get(id_) if id_ else None
        if parts[0] == "pay" and charge_id:
            yield Named(Thing.CHARGE, charge_id, org_id, id_, cents)
        elif parts[0] == "rf" and id_ in refunds and refunds[id_].provider_id:
            yield Named(Thing.REFUND, str(refunds[id_].provider_id), org_id, refunds[id_].intent_id, cents)
        else:
            yield Named(Thing.TRANSFER, key, org_id, None, cents)


def _uuid(key: str) -> UUID | None:
    try:
        return UUID(key.split(":")[1])
    except (IndexError, ValueError):
        return None


def _rows(sql: str, values: list[Any]) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        yield from cursor.fetchall()
