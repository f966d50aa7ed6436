"""What an organization wants to be told by mail, and where."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from billing.ledger import wallets
from billing.notices import low_balance
from billing.notices.models import ALWAYS, Kind, NoticeSettings

MOST_THRESHOLDS = 5
LEAST_THRESHOLD = Decimal("1.00")
CHOOSABLE = tuple(kind for kind in Kind if kind not in ALWAYS)
"""The kinds that can be switched off."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """`thresholds` in USD, highest first. `mailed` are those of the choosable kinds that go out by mail."""

    billing_email: str = ""
    mailed: tuple[Kind, ...] = CHOOSABLE
    thresholds: tuple[Decimal, ...] = ()


def of(org_id: int) -> Wishes:
    row = NoticeSettings.objects.filter(pk=org_id).first()
    if row is None:
        return Wishes()
    return Wishes(
        row.billing_email,
        tuple(kind for kind in CHOOSABLE if kind not in row.muted),
        tuple(sorted((Decimal(amount) for amount in row.low_balance), reverse=True)),
    )


def keep(
    org_id: int, *, billing_email: str, mailed: Iterable[str], thresholds: Iterable[Decimal], now: datetime
) -> None:
    """A threshold below the balance is told from now on; one above it when the balance has risen above it."""
    mailed = set(mailed)
    with transaction.atomic():
        wallets.lock([org_id])
        NoticeSettings.objects.update_or_create(
            wallet_id=org_id,
            defaults={
                "billing_email": billing_email,
                "muted": [kind for kind in CHOOSABLE if kind not in mailed],
                "low_balance": [f"{amount:.2f}" for amount in sorted(set(thresholds), reverse=True)],
                "changed_at": now,
            },
        )
        low_balance.forget_others(org_id)
        low_balance.tell([org_id], now=now)
