"""What follows when the bank refuses: retries after a soft decline, a pause after a hard one (A15)."""

from datetime import datetime, timedelta

from billing.payments import declines
from billing.payments.models import Intent
from billing.recharge import rules, telling
from billing.recharge.models import Attempt, Rule, Standing, Why

RETRIES = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
"""After the first failure. Is the last one refused too, the rule is off."""


def refused(rule: Rule, attempt: Attempt, intent: Intent, *, now: datetime) -> None:
    """The card was not charged, and cannot be by this payment any more. A rule that is not on any more tries nothing."""
    if rule.standing != Standing.ON:
        return
    reason = intent.failure_message or declines.reason(intent.failure_code)
    if intent.failure_code == declines.CARD_GONE:
        pause(rule, Why.NO_CARD, attempt, reason, now=now)
    elif declines.is_authentication(intent.failure_code):
        pause(rule, Why.AUTHENTICATION, attempt, reason, now=now)
    elif declines.is_hard(intent.failure_code):
        pause(rule, Why.HARD_DECLINE, attempt, reason, now=now)
    elif attempt.rung >= len(RETRIES):
        rules.stand(rule, Standing.OFF, Why.DECLINES, now=now)
        telling.paused(rule, reason, attempt=attempt, now=now)
    else:
        _wait(rule, attempt, reason, now)


def pause(rule: Rule, why: Why, attempt: Attempt | None, reason: str, *, now: datetime) -> None:
    """Nothing is charged until the customer does something: by the link where paying in the browser helps."""
    rules.stand(rule, Standing.PAUSED, why, now=now)
    link = attempt is not None and why in (Why.AUTHENTICATION, Why.HARD_DECLINE)
    telling.paused(rule, reason, attempt=attempt, link=link, now=now)


def climb(rule: Rule) -> None:
    """A retry is made now: the next one follows from what becomes of it."""
    rule.rung += 1
    rule.retry_at = None
    rule.save(update_fields=["rung", "retry_at"])


def end(rule: Rule) -> None:
    """Credit came: whatever is charged next is a new beginning."""
    rule.ladder, rule.rung, rule.retry_at = None, 0, None
    rule.save(update_fields=["ladder", "rung", "retry_at"])


def _wait(rule: Rule, attempt: Attempt, reason: str, now: datetime) -> None:
    first = Attempt.objects.select_related("intent").get(pk=attempt.ladder).intent.settled_at or now
    rule.ladder, rule.rung, rule.retry_at = attempt.ladder, attempt.rung, first + RETRIES[attempt.rung]
    rule.save(update_fields=["ladder", "rung", "retry_at"])
    left = len(RETRIES) - attempt.rung
    telling.failed(attempt, reason, retry_at=rule.retry_at, tries_left=left, now=now)
