"""What an organization wants to be told by mail, and where."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from billing.ledger import wallets
from billing.notices import confirming, low_balance
from billing.notices.models import ALWAYS, Kind, NoticeSettings

MOST_THRESHOLDS = 5
LEAST_THRESHOLD = Decimal("1.00")
CHOOSABLE = tuple(kind for kind in Kind if kind not in ALWAYS)
"""The kinds that can be switched off."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """`thresholds` in USD, highest first. `mailed` are those of the choosable kinds that go out by mail. `asked_email` is to
    be the billing address and waits to be confirmed; `asked_by` says who asked."""

    billing_email: str = ""
    mailed: tuple[Kind, ...] = CHOOSABLE
    thresholds: tuple[Decimal, ...] = ()
    asked_email: str = ""
    asked_by: str = ""
    asked_at: datetime | None = None


def of(org_id: int) -> Wishes:
    row = NoticeSettings.objects.select_related("asked_by").filter(pk=org_id).first()
    if row is None:
        return Wishes()
    return Wishes(
        row.billing_email,
        tuple(kind for kind in CHOOSABLE if kind not in row.muted),
        tuple(sorted((Decimal(amount) for amount in row.low_balance), reverse=True)),
        row.asked_email,
        str(row.asked_by) if row.asked_by else "",
        row.asked_at,
    )


def keep(
    org_id: int, *, billing_email: str, mailed: Iterable[str], thresholds: Iterable[Decimal], by: int, now: datetime
) -> None:
    """A threshold below the balance is told from now on; one above it when the balance has risen above it. Another billing
    address is asked first (`confirming.py`). Raises `TooManyLetters`: then nothing is kept."""
    mailed = set(mailed)
    with transaction.atomic():
        wallets.lock([org_id])
        row = NoticeSettings.objects.filter(pk=org_id).first() or NoticeSettings(wallet_id=org_id)
        row.muted = [kind for kind in CHOOSABLE if kind not in mailed]
        row.low_balance = [f"{amount:.2f}" for amount in sorted(set(thresholds), reverse=True)]
        row.changed_at = now
        confirming.ask(row, billing_email, by=by, now=now)
        row.save()
        low_balance.forget_others(org_id)
        low_balance.tell([org_id], now=now)
