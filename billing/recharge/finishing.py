"""A customer finishes in the browser what the bank did not allow without: one purchase, and the rule is on again."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from billing.payments.collecting import CHECKOUT_OPEN_FOR
from billing.payments.models import OPEN_STATES, Intent, Purpose, State
from billing.recharge import figures, levels, policy, rules, telling
from billing.recharge.models import LINK_VALID, Attempt, Rule, Standing, Why
from billing.recharge.policy import Charge

KEY = "finish:"
FINISHED_BY_PAYING = (Why.AUTHENTICATION, Why.HARD_DECLINE)


class Face(StrEnum):
    """What its page says."""

    OPEN = "open"
    CONFIRMING = "confirming"
    PAID = "paid"
    NOT_NEEDED = "not_needed"


class NothingToFinish(ValueError):
    """It was paid, switched off or set anew, the balance is high enough, or it is too late; the message says it to the
    customer."""


def begin(attempt_id: UUID, *, by: int | None, now: datetime) -> Intent:
    """The purchase that stands for this recharge, to be paid on Stripe's page: of what is missing now. The wallet is locked;
    whoever asks again while it is open gets the same one. Raises `NothingToFinish`.
    """
    attempt = Attempt.objects.select_related("intent").get(pk=attempt_id)
    rule = _checked(attempt, rules.locked(attempt.wallet_id), now)
    begun = Intent.objects.filter(wallet_id=attempt.wallet_id, key__startswith=f"{KEY}{attempt_id}")
    if earlier := begun.filter(state__in=OPEN_STATES).first():
        return earlier
    number = begun.count() + 1
    return Intent.objects.create(
        wallet_id=attempt.wallet_id,
        purpose=Purpose.CREDITS,
        amount_cents=_amount(rule, now),
        key=f"{KEY}{attempt_id}" + (f":{number}" if number > 1 else ""),
        created_by_id=by,
        created_at=now,
        deadline=now + CHECKOUT_OPEN_FOR,
    )


@dataclass(frozen=True, slots=True)
class Look:
    """Where it stands, for a page. `cents` is what would be paid, or what was."""

    face: Face
    cents: int


def look(attempt_id: UUID, *, now: datetime) -> Look:
    """Reads only; `begin` decides."""
    attempt = Attempt.objects.select_related("intent", "finish").get(pk=attempt_id)
    if attempt.finish is not None:
        return Look(Face.PAID, attempt.finish.amount_cents)
    begun = Intent.objects.filter(wallet_id=attempt.wallet_id, key__startswith=f"{KEY}{attempt_id}")
    if earlier := begun.filter(state__in=OPEN_STATES).first():
        waiting = earlier.state in (State.CREATED, State.WAITING)
        return Look(Face.OPEN if waiting else Face.CONFIRMING, earlier.amount_cents)
    rule = rules.of(attempt.wallet_id)
    try:
        return Look(Face.OPEN, _amount(_checked(attempt, rule, now), now))
    except NothingToFinish:
        return Look(Face.NOT_NEEDED, attempt.amount_cents)


def paid(intent: Intent, rule: Rule, *, now: datetime) -> None:
    """It stands for the recharge from now on, also in the cap; the pause it was for ends."""
    attempt = Attempt.objects.get(pk=UUID(intent.key.split(":")[1]), wallet_id=rule.wallet_id)
    if attempt.finish_id is None:
        attempt.finish = intent
        attempt.save(update_fields=["finish"])
    if rule.standing == Standing.PAUSED and rule.why in FINISHED_BY_PAYING:
        rules.stand(rule, Standing.ON, now=now)
        levels.usage_charged([rule.wallet_id], now=now)
        telling.changed(rule, now=now)


def _checked(attempt: Attempt, rule: Rule | None, now: datetime) -> Rule:
    if rule is None or rule.standing != Standing.PAUSED or rule.why not in FINISHED_BY_PAYING or attempt.finish_id:
        raise NothingToFinish("There is nothing left to finish: auto-recharge is not waiting for a payment.")
    refused_at = attempt.intent.settled_at
    newest = Attempt.objects.filter(wallet_id=attempt.wallet_id).latest("at")
    if newest.pk != attempt.pk or refused_at is None or now > refused_at + LINK_VALID:
        raise NothingToFinish("This can be finished for 72 hours. Switch auto-recharge on again instead.")
    return rule


def _amount(rule: Rule, now: datetime) -> int:
    situation = figures.finishing(rule.wallet_id, now=now)
    decision = policy.decide(figures.terms(rule), situation, on=True, now=now)
    if not isinstance(decision, Charge):
        raise NothingToFinish("Nothing has to be paid now. Switch auto-recharge on again instead.")
    return decision.cents
