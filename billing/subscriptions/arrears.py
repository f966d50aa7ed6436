"""What used grace still costs: a plan whose renewal was never paid, and that went on for days (A11).

Nothing is owed for it and nothing is booked, but who subscribes again within 60 days pays those days first, pro rata. Paid,
they are a period of the plan that ended.
"""

from datetime import datetime, timedelta

from billing.payments.models import OPEN_STATES as OPEN_PAYMENTS
from billing.subscriptions import calendar, prices
from billing.subscriptions.models import Charge, Ended, PaidPeriod, State, Subscription

WITHIN = timedelta(days=60)


def cents(org_id: int, *, now: datetime) -> int:
    """What is to be asked for now: nothing while another payment that asks for it is open, so that it is paid once."""
    if Charge.objects.filter(wallet_id=org_id, arrears_cents__gt=0, intent__state__in=OPEN_PAYMENTS).exists():
        return 0
    return sum(share for _, share in _owed(org_id, now))


def pay(charge: Charge, *, now: datetime) -> None:
    """The days that this charge pays for, besides its first period."""
    for over, share in _owed(charge.wallet_id, charge.made_at) if charge.arrears_cents else []:
        assert over.anchor is not None
        assert over.ends_at is not None
        assert over.ended_at is not None
        PaidPeriod.objects.create(
            wallet_id=charge.wallet_id, subscription=over, number=over.number + 1, plan_id=over.plan_id,
            price_cents=over.price_cents, charged_cents=share, starts_at=over.ends_at, ends_at=over.ended_at, paid_at=now,
            charge=charge,
        )  # fmt: skip


def _owed(org_id: int, now: datetime) -> list[tuple[Subscription, int]]:
    """Each plan that ended unpaid, was covered in grace, and has not been paid for, with what its grace cost."""
    owed = []
    over = Subscription.objects.filter(
        wallet_id=org_id, state=State.ENDED, ended_as=Ended.UNPAID, ended_at__gt=now - WITHIN, renewals__gt=0
    )  # fmt: skip
    for one in over.order_by("pk"):
        if one.anchor is None or one.ends_at is None or one.ended_at is None or _is_paid(one):
            continue
        unpaid = calendar.period(one.anchor, one.number + 1)
        share = prices.grace_used(
            one.price_cents, start=unpaid.start, used_until=one.ended_at, end=unpaid.end
        )  # fmt: skip
        if share:
            owed.append((one, share))
    return owed


def _is_paid(over: Subscription) -> bool:
    return PaidPeriod.objects.filter(subscription=over, number__gt=over.number).exists()
