"""Plans as people see them: what there is, what is scheduled, what is being paid, and what comes next. Reads only."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.payments import card_charges, declines
from billing.payments.models import OPEN_STATES as OPEN_PAYMENTS
from billing.payments.models import Intent
from billing.subscriptions import calendar, choosing, renewals
from billing.subscriptions.models import Change, Charge, State, Subscription

STATUS = {
    State.INCOMPLETE: ("waiting", "Not paid yet"),
    State.ACTIVE: ("ok", "Active"),
    State.PAST_DUE: ("warning", "Past due"),
    State.SUSPENDED: ("failed", "Suspended"),
    State.ENDED: ("ended", "Ended"),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """One plan now. `change` is what is scheduled; `charge` the newest payment for it; `next_cents` what the next period
    costs, None where none follows; `card_works`: the card that renewals charge can be charged."""

    running: Subscription
    change: Change | None
    charge: Charge | None
    next_cents: int | None
    card_works: bool

    @property
    def status(self) -> tuple[str, str]:
        """(kind, word) for the status mark."""
        return STATUS[State(self.running.state)]

    @property
    def payment(self) -> Intent | None:
        """The payment that is open: being charged, or waiting for somebody on Stripe's page."""
        intent = self.charge.intent if self.charge else None
        return intent if intent is not None and intent.state in OPEN_PAYMENTS else None

    @property
    def is_page_open(self) -> bool:
        """It waits for somebody on Stripe's page, rather than for a bank."""
        return self.payment is not None and self.payment.method_id is None

    @property
    def ends_unpaid_at(self) -> datetime | None:
        """When a plan that is past due ends, unless it is paid (A11)."""
        running = self.running
        if running.state != State.PAST_DUE or running.grace_from is None:
            return None
        return running.grace_from + calendar.GRACE

    @property
    def covers(self) -> bool:
        state = self.running.state
        return state == State.ACTIVE or (state == State.PAST_DUE and self.covers_in_grace)

    @property
    def covers_in_grace(self) -> bool:
        return self.running.renewals > 0

    @property
    def why_unpaid(self) -> str:
        """Why the last try failed, in words."""
        if not self.card_works:
            return str(card_charges.NoCard())
        intent = self.charge.intent if self.charge else None
        return declines.reason(intent.failure_code) if intent and intent.method_id and intent.failure_code else ""


def of(org_id: int, *, now: datetime) -> list[Standing]:
    """The plans of an organization that are open, the newest first. One query when there are none, else a fixed number."""
    running = choosing.current(org_id)
    if not running:
        return []
    pending = Change.objects.filter(subscription__in=running, withdrawn_at=None, applied_at=None).select_related("plan")
    newest = Charge.objects.filter(subscription__in=running).order_by("subscription_id", "-pk")
    return _standings(
        running,
        {change.subscription_id: change for change in pending},
        {charge.subscription_id: charge for charge in newest.distinct("subscription_id").select_related("intent")},
        now,
    )


def one(running: Subscription, *, now: datetime) -> Standing:
    """The same of one plan."""
    newest = Charge.objects.filter(subscription=running).order_by("-pk").select_related("intent").first()
    change = choosing.pending(running)
    return _standings([running], {running.pk: change}, {running.pk: newest}, now)[0]


def _standings(running: list[Subscription], changes: Any, charges: Any, now: datetime) -> list[Standing]:
    return [
        Standing(
            one,
            change := changes.get(one.pk),
            charges.get(one.pk),
            _next_cents(one, change),
            one.method is not None and card_charges.is_usable(one.method, now=now),
        )
        for one in running
    ]


def _next_cents(running: Subscription, change: Change | None) -> int | None:
    if running.state not in (State.ACTIVE, State.PAST_DUE) or (change is not None and change.plan_id is None):
        return None
    return renewals.next_cents(running, change.plan_id if change and change.plan_id else running.plan_id)
