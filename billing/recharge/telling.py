"""What an organization is told of its auto-recharge, each thing once, in the transaction in which it happened."""

from datetime import datetime

from billing import periods
from billing.money import from_cents
from billing.notices import announcing
from billing.notices.models import Kind
from billing.payments.models import Intent
from billing.recharge import links
from billing.recharge.models import LINK_VALID, Attempt, Rule, Standing, Why


def made(attempt: Attempt, intent: Intent, *, now: datetime) -> None:
    """The card was charged. This is its receipt too."""
    facts: announcing.Facts = {
        "attempt": str(attempt.pk),
        "intent": str(intent.pk),
        "amount": _usd(attempt.amount_cents),
        "balance": f"{attempt.balance:f}",
        "threshold": _usd(attempt.threshold_cents),
        "recharge_to": _usd(attempt.recharge_to_cents),
        "card_brand": intent.card_brand,
        "card_last4": intent.card_last4,
        "capped": attempt.capped,
        "stop_token": links.stop_token(attempt.wallet_id, attempt.consent_id),
    }
    announcing.announce(attempt.wallet_id, Kind.RECHARGE_MADE, key=str(attempt.pk), facts=facts, now=now)


def failed(attempt: Attempt, reason: str, *, retry_at: datetime, tries_left: int, now: datetime) -> None:
    facts: announcing.Facts = {
        "attempt": str(attempt.pk),
        "amount": _usd(attempt.amount_cents),
        "reason": reason,
        "retry_at": retry_at.isoformat(),
        "tries_left": tries_left,
        "stop_token": links.stop_token(attempt.wallet_id, attempt.consent_id),
    }
    announcing.announce(attempt.wallet_id, Kind.RECHARGE_FAILED, key=str(attempt.pk), facts=facts, now=now)


def paused(rule: Rule, reason: str, *, attempt: Attempt | None = None, link: bool = False, now: datetime) -> None:
    """It charges no more, and not because somebody here said so. `link`: the customer can finish in the browser."""
    facts: announcing.Facts = {
        "why": rule.why,
        "attempt": str(attempt.pk) if attempt else None,
        "amount": _usd(attempt.amount_cents) if attempt else None,
        "link_until": (now + LINK_VALID).isoformat() if link else None,
        "finish_token": links.finish_token(attempt.pk) if attempt and link else None,
        "reason": reason,
    }
    key = str(attempt.pk) if attempt else f"{rule.wallet_id}:{rule.version}"
    announcing.announce(rule.wallet_id, Kind.RECHARGE_PAUSED, key=key, facts=facts, now=now)


def cap_reached(rule: Rule, *, now: datetime) -> None:
    """Once a month."""
    month = periods.month_of(now)
    facts: announcing.Facts = {
        "why": "cap",
        "attempt": None,
        "amount": None,
        "link_until": None,
        "reason": "What may be charged in a calendar month has been charged.",
        "cap": _usd(rule.cap_cents or 0),
        "until": periods.month_start(periods.next_month(month)).isoformat(),
    }
    key = f"{rule.wallet_id}:{month:%Y-%m}:cap"
    announcing.announce(rule.wallet_id, Kind.RECHARGE_PAUSED, key=key, facts=facts, now=now)


def changed(rule: Rule, *, now: datetime) -> None:
    """Switched on or off, or other amounts."""
    facts: announcing.Facts = {
        "on": rule.standing == Standing.ON,
        "why": rule.why,
        "threshold": _usd(rule.threshold_cents),
        "recharge_to": _usd(rule.recharge_to_cents),
        "cap": _usd(rule.cap_cents) if rule.cap_cents is not None else None,
        "stop_token": links.stop_token(rule.wallet_id, rule.consent_id) if rule.standing == Standing.ON else None,
    }
    key = f"{rule.wallet_id}:{rule.version}"
    announcing.announce(rule.wallet_id, Kind.RECHARGE_CHANGED, key=key, facts=facts, now=now)


def reason(why: Why) -> str:
    """Why it is off or paused, as a sentence."""
    return f"{why.label}."


def _usd(cents: int) -> str:
    return f"{from_cents(cents):.2f}"
