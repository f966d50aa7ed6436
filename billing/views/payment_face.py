"""What a page says of a payment that somebody is making, in a word, and when it may ask Stripe about it again."""

from datetime import datetime, timedelta

from billing.payments import outcomes
from billing.payments.models import Intent, State

HURRY = timedelta(minutes=2)
"""So long after it was begun, somebody probably watches a payment every two seconds; later every ten will do."""


def face(intent: Intent, now: datetime, *, just_back: bool = False) -> str:
    """The one thing the page says: paid, set_aside, confirming, waiting or not_paid.

    Back from Stripe we say "confirming" until we have asked: "waiting" would invite paying again.
    """
    match intent.state:
        case State.SUCCEEDED:
            return "set_aside" if intent.failure_code == outcomes.UNAPPLIED else "paid"
        case State.FAILED | State.CANCELED:
            return "not_paid"
        case State.WAITING if not just_back and intent.deadline is not None and now < intent.deadline:
            return "waiting"
    return "confirming"


def known(intent: Intent, shown: str) -> str:
    """What the page shows, in a word: a check that finds the same changes nothing on it."""
    return f"{shown}.{intent.failure_code}"


def asked_just_now(intent: Intent, now: datetime) -> bool:
    if intent.checked_at is None or intent.checked_at == intent.called_at:
        # Nobody has looked since the page was opened.
        return False
    return now - intent.checked_at < timedelta(seconds=1.5 if now - intent.created_at < HURRY else 9.5)
