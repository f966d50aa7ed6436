"""Fees become revenue by whole UTC days: at a month's end what is earned by then, at the period's end the rest (A26).

A transfer for each fee and date, with a key of its own: as often as it runs, each is posted once. What a refund or dispute
took of a fee is not earned; what comes back of it is caught up on.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.db.models import F

from billing import periods
from billing.ledger import plan_fees, posting
from billing.ledger.plan_fees import Earning
from billing.money import from_cents, to_cents
from billing.payments import reversals
from billing.payments.models import Intent
from billing.subscriptions import prices
from billing.subscriptions.models import PaidPeriod

MOMENT = timedelta(microseconds=1)
AT_ONCE = 500

DUE = """
SELECT DISTINCT org_id FROM subscription_period
WHERE earned_cents < charged_cents AND coalesce(earned_until, '-infinity') < CASE
    WHEN ends_at <= %(now)s THEN (ends_at AT TIME ZONE 'UTC')::date
    WHEN (starts_at AT TIME ZONE 'UTC')::date < %(month)s::date THEN %(month)s::date
    ELSE '-infinity' END
ORDER BY org_id LIMIT %(most)s
"""


def due(*, now: datetime) -> list[int]:
    """Organizations with a fee of which something was earned by a month's end, or its period's, and is not booked."""
    with connection.cursor() as cursor:
        cursor.execute(DUE, {"now": now, "month": periods.month_of(now), "most": AT_ONCE})
        return [org_id for (org_id,) in cursor.fetchall()]


def earn(org_ids: Iterable[int], *, through: date | None = None, now: datetime) -> None:
    """Book what was earned until now, or by the start of the day `through`. The wallets are locked."""
    fees = PaidPeriod.objects.filter(wallet__in=list(org_ids), earned_cents__lt=F("charged_cents"))
    for fee in fees.order_by("wallet_id", "ends_at", "pk"):
        for until in _dates(fee, now):
            if (fee.earned_until is None or until > fee.earned_until) and (through is None or until <= through):
                earn_through([fee], until, now=now)


def catch_up(intent_id: UUID, *, now: datetime) -> None:
    """Money of this payment came back: what would have been earned of it meanwhile is. The wallet is locked."""
    for fee in PaidPeriod.objects.filter(charge__intent=intent_id, earned_until__isnull=False):
        if fee.earned_until is not None and fee.earned_cents < fee.charged_cents:
            earn_through([fee], fee.earned_until, now=now)


def earn_through(fees: Iterable[PaidPeriod], until: date, *, now: datetime) -> None:
    """Book what of these fees is earned when the day `until` begins, as far as it is still there."""
    for fee in fees:
        earned = prices.earned(fee.charged_cents, start=fee.starts_at, end=fee.ends_at, until=until)
        cents = min(earned - fee.earned_cents, _left_cents(fee))
        if cents > 0:
            plan_fees.earn([_earning(fee, until, from_cents(cents), now)], now=now)
            fee.earned_cents += cents
        fee.earned_until = max(until, fee.earned_until or until)
        fee.save(update_fields=["earned_cents", "earned_until"])


def _dates(fee: PaidPeriod, now: datetime) -> list[date]:
    """The months' ends within it that have passed, as the first of the next month; and its own end."""
    month, dates = periods.next_month(periods.month_of(fee.starts_at)), []
    while periods.month_start(month) <= min(now, fee.ends_at):
        dates.append(month)
        month = periods.next_month(month)
    if fee.ends_at <= now:
        dates.append(fee.ends_at.astimezone(UTC).date())
    return sorted(set(dates))


def _left_cents(fee: PaidPeriod) -> int:
    intent = fee.charge.intent
    if intent is None:
        return 0
    payment = reversals.payment_of(intent, intent.charge_id)
    return to_cents(plan_fees.unearned(fee.wallet_id, intent.pk, payment.prefixes))


def _earning(fee: PaidPeriod, until: date, amount: Decimal, now: datetime) -> Earning:
    """Effective in the month that the days belong to, and never before it was paid."""
    intent: Intent | None = fee.charge.intent
    assert intent is not None, "a free upgrade has nothing to earn"
    ends = fee.ends_at.astimezone(UTC)
    at = fee.ends_at if until == ends.date() and fee.ends_at <= now else periods.midnight(until) - MOMENT
    key, n = f"rec:{fee.pk}:{until.isoformat()}", 1
    while posting.is_posted(key if n == 1 else f"{key}:{n}"):
        n += 1
    return Earning(
        fee.wallet_id, intent.pk, amount, key if n == 1 else f"{key}:{n}", min(max(at, fee.paid_at), now)
    )  # fmt: skip
