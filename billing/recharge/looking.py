"""What people see of auto-recharge: what it will do, and what it did and why. Reads only."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing import periods
from billing.money import from_cents
from billing.payments.models import OPEN_STATES, Intent, State
from billing.recharge import figures, policy
from billing.recharge.models import MOST_CENTS, Attempt, Rule, Standing
from billing.recharge.policy import Charge, Nothing, Terms, WhyNot

NOT_NOW = {
    WhyNot.NOT_ON: "Auto-recharge is not on.",
    WhyNot.ABOVE: "The balance is above the threshold.",
    WhyNot.UNDER_WAY: "A charge is under way.",
    WhyNot.PENDING: "A payment is on its way that lifts the balance enough.",
    WhyNot.NOT_BY_USAGE: "The balance did not fall by usage. The next usage that is charged starts a recharge.",
    WhyNot.DISPUTED: "A payment is disputed or was taken back: no card is charged for that.",
    WhyNot.LADDER: "The card was declined and is tried again later.",
    WhyNot.DAILY_LIMIT: "The charges of this day (UTC) are used up.",
    WhyNot.CAP_REACHED: "What may be charged this calendar month (UTC) has been charged.",
}


@dataclass(frozen=True, slots=True)
class Preview:
    """All in USD. `now`: what is charged at once, 0 with the reason `not_now` in words. `at_threshold`: what is charged when
    the balance is a cent below it. `left_this_month`: of the cap, None without one; `cap_until`: when it begins anew."""

    now: Decimal
    not_now: str
    capped: bool
    at_threshold: Decimal
    most_at_once: Decimal
    per_day: int
    cap: Decimal | None
    spent_this_month: Decimal
    left_this_month: Decimal | None
    cap_until: datetime


def preview(org_id: int, terms: Terms, *, rule: Rule | None = None, now: datetime) -> Preview:
    """What these terms do. `rule`: how it stands now; None: as if they were agreed to this moment."""
    situation = figures.situation(org_id, rule, now=now)
    if rule is None:
        situation = replace(situation, by_usage=True)
    decision = policy.decide(terms, situation, on=rule is None or rule.standing == Standing.ON, now=now)
    charge = decision if isinstance(decision, Charge) else None
    left = None if terms.cap_cents is None else from_cents(max(0, terms.cap_cents - situation.spent_cents))
    return Preview(
        now=from_cents(charge.cents if charge else 0),
        not_now=NOT_NOW[decision.why] if isinstance(decision, Nothing) else "",
        capped=charge is not None and charge.capped,
        at_threshold=from_cents(terms.recharge_to_cents - terms.threshold_cents + 1),
        most_at_once=from_cents(MOST_CENTS),
        per_day=terms.per_day,
        cap=None if terms.cap_cents is None else from_cents(terms.cap_cents),
        spent_this_month=from_cents(situation.spent_cents),
        left_this_month=left,
        cap_until=periods.month_start(periods.next_month(periods.month_of(now))),
    )


@dataclass(frozen=True, slots=True)
class Told:
    """One attempt. Amounts in USD, `balance` exact and that of this second, `pending` what was on its way then."""

    id: UUID
    at: datetime
    amount: Decimal
    balance: Decimal
    pending: Decimal
    threshold: Decimal
    recharge_to: Decimal
    capped: bool
    retry: int
    state: State
    outcome: str
    card: str
    intent_id: UUID
    finish_id: UUID | None


def attempts(org_id: int, *, limit: int = 20) -> list[Told]:
    """The newest first, with why each was made and what came of it. One query."""
    newest = (
        Attempt.objects.select_related("intent", "finish").filter(wallet_id=org_id).order_by("-at", "-rung")[:limit]
    )
    return [
        Told(
            id=attempt.pk,
            at=attempt.at,
            amount=from_cents(attempt.amount_cents),
            balance=attempt.balance,
            pending=from_cents(attempt.pending_cents),
            threshold=from_cents(attempt.threshold_cents),
            recharge_to=from_cents(attempt.recharge_to_cents),
            capped=attempt.capped,
            retry=attempt.rung,
            state=State(attempt.intent.state),
            outcome=_outcome(attempt.intent, attempt.finish),
            card=f"{attempt.intent.card_brand.capitalize()} ending {attempt.intent.card_last4}",
            intent_id=attempt.intent_id,
            finish_id=attempt.finish_id,
        )
        for attempt in newest
    ]


def _outcome(intent: Intent, finish: Intent | None) -> str:
    """What came of it, in words."""
    if finish is not None:
        return "Paid in the browser."
    if intent.state == State.SUCCEEDED:
        return "Paid."
    if intent.state in OPEN_STATES:
        return "Under way." if intent.state != State.UNKNOWN else "Not known yet: Stripe is being asked."
    return intent.failure_message or "Not paid."
