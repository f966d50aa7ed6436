"""The figures a decision is made on, read under the wallet's lock or for a page."""

from dataclasses import replace
from datetime import datetime

from billing import periods
from billing.ledger import balances
from billing.payments import card_charges, disputes
from billing.payments.models import LIFTING, OPEN_STATES, Intent, Purpose, State
from billing.recharge.models import Attempt, Rule, Standing
from billing.recharge.policy import BURST_WITHIN, Situation, Terms

ON_ITS_WAY = (State.UNKNOWN, State.PROCESSING)


def terms(rule: Rule) -> Terms:
    return Terms(rule.threshold_cents, rule.recharge_to_cents, rule.cap_cents, rule.per_day)


def situation(org_id: int, rule: Rule | None, *, now: datetime) -> Situation:
    """`rule` None, or one that is not on: how it would be if it were switched on now."""
    balance = balances.of(org_id, now=now)
    spent, today, lately = _made(org_id, now, agreed=rule.since if rule and rule.standing == Standing.ON else now)
    return Situation(
        available=balance.available,
        debt=balance.debt,
        pending_cents=pending(org_id),
        under_way=card_charges.under_way(org_id),
        spent_cents=spent,
        charged_today=today,
        charged_lately=lately,
        by_usage=rule is not None and rule.low_since is not None,
        disputed=disputes.open_for(org_id),
        retry_at=rule.retry_at if rule else None,
        retrying=rule is not None and rule.ladder is not None,
    )


def finishing(org_id: int, *, now: datetime) -> Situation:
    """For a customer who pays in the browser: neither the day's charges nor the retries of a card are his limit."""
    return replace(
        situation(org_id, None, now=now),
        by_usage=True,
        charged_today=0,
        charged_lately=0,
        retry_at=None,
        retrying=False,
    )


def pending(org_id: int) -> int:
    """Cents on their way: card charges that are open and lift the balance, and purchases that are paid or may be. An unpaid
    page is none."""
    payments = Intent.objects.filter(wallet_id=org_id, state__in=OPEN_STATES)
    return sum(
        cents
        for cents, purpose, state in payments.values_list("amount_cents", "purpose", "state")
        if purpose in LIFTING or (purpose == Purpose.CREDITS and state in ON_ITS_WAY)
    )


def _made(org_id: int, now: datetime, agreed: datetime) -> tuple[int, int, int]:
    """Cents of the cap, charges today, charges lately; by the time of the attempt, and with what its customer finished.

    Who switches it on again after a burst has agreed to it: lately begins anew.
    """
    month, day = periods.month_start(periods.month_of(now)), periods.floor_day(now)
    since = min(month, day, now - BURST_WITHIN)
    made = Attempt.objects.filter(wallet_id=org_id, at__gte=since).values_list(
        "at", "amount_cents", "intent__state", "finish__amount_cents"
    )
    spent = today = lately = 0
    for at, cents, state, finished in made:
        if at >= month:
            spent += (cents if state in OPEN_STATES or state == State.SUCCEEDED else 0) + (finished or 0)
        today += at >= day and state == State.SUCCEEDED
        lately += at >= max(now - BURST_WITHIN, agreed) and state == State.SUCCEEDED
    return spent, today, lately
