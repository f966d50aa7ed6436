"""The end of a grant, as decided in A1.

From `expires_at` a grant pays only for what occurred before. Once usage through that instant is complete, 72 hours after
it at the latest, its rest moves away, once: paid credit to breakage income, promotional credit back to where it was issued.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import QuerySet

from billing.ledger import accruals, posting
from billing.ledger.chart import GRANT_CODES, Code
from billing.ledger.models import Account
from billing.ledger.posting import Cause, Entry

LATE_WINDOW = timedelta(hours=72)


def past_end(now: datetime) -> list[int]:
    """Organizations with credit that is past its end and still waits for late usage."""
    return list(_past_end(now).values_list("wallet_id", flat=True).distinct().order_by("wallet_id"))


def due(*, now: datetime, watermark: datetime | None) -> list[int]:
    """Organizations with credit whose end is complete."""
    through = _complete(now, watermark)
    return list(_past_end(through).values_list("wallet_id", flat=True).distinct().order_by("wallet_id"))


def expire(org_ids: Iterable[int], *, now: datetime, watermark: datetime | None) -> int:
    """Move away what is left of their complete grants; answers how many. Wallets are locked, deltas drained.

    Posting rows 10 and 11, effective at the grant's end. Running it again finds nothing left.
    """
    org_ids = list(org_ids)
    grants = list(_past_end(_complete(now, watermark)).filter(wallet__in=org_ids).order_by("wallet_id", "id"))
    if not grants:
        return 0
    accruals.close(org_ids, now=now, account_ids=[grant.pk for grant in grants])
    posting.post(
        [_expiry(grant) for grant in Account.objects.filter(pk__in=[g.pk for g in grants]).order_by("wallet_id", "id")],
        now=now,
    )
    return len(grants)


def _complete(now: datetime, watermark: datetime | None) -> datetime:
    """The instant through which the ends of grants are complete."""
    latest = now - LATE_WINDOW
    return max(latest, min(watermark, now)) if watermark else latest


def _past_end(at: datetime) -> QuerySet[Account]:
    # A grant under dispute is nobody's to expire: it gets back the days it was held (A18).
    return Account.objects.filter(code__in=GRANT_CODES, exhausted=False, held=False, expires_at__lte=at)


def _expiry(grant: Account) -> Entry:
    assert grant.expires_at is not None
    destination = Code.BREAKAGE if grant.code == Code.CREDIT_PAID else Code.PROMO_ISSUED
    return Entry(
        grant.wallet_id, grant.pk, destination, grant.balance, "expiry", f"exp:{grant.pk}", Cause("grant", str(grant.pk)),
        grant.expires_at,
    )  # fmt: skip
