"""What people are told about their plans, in the transaction of what happened; the words are `notices/letters/plans.py`."""

from datetime import datetime

from billing.catalog.models import Plan
from billing.money import from_cents
from billing.notices.announcing import Facts, announce
from billing.notices.models import Kind as Notice
from billing.subscriptions.models import Change, Charge, Ended, PriceRise, Subscription


def started(running: Subscription, charge: Charge, *, now: datetime) -> None:
    _paid(running, charge, "started", now)


def renewed(running: Subscription, charge: Charge, *, now: datetime) -> None:
    _paid(running, charge, "renewed", now)


def upgraded(running: Subscription, charge: Charge, *, now: datetime) -> None:
    _paid(running, charge, "upgraded", now)


def _paid(running: Subscription, charge: Charge, what: str, now: datetime) -> None:
    intent = charge.intent
    facts: Facts = {
        "what": what,
        "plan": _name(running.plan_id),
        "amount": _usd(charge.amount_cents),
        "arrears": _usd(charge.arrears_cents),
        "until": _at(running.ends_at),
        "price": _usd(running.price_cents),
        "intent": str(intent.pk) if intent else None,
        "charged_at": _at(intent.charged_at) if intent else None,
        "card_brand": intent.card_brand if intent else "",
        "card_last4": intent.card_last4 if intent else "",
    }
    announce(running.wallet_id, Notice.PLAN_STARTED, key=f"{charge.pk}", facts=facts, now=now)


def failed(running: Subscription, reason: str, cents: int, retry_at: datetime, *, now: datetime) -> None:
    facts: Facts = {
        "plan": _name(running.plan_id),
        "amount": _usd(cents),
        "reason": reason,
        "retry_at": _at(retry_at),
        "covered": running.renewals > 0,
        "subscription": str(running.public_id),
    }
    key = f"{running.pk}:{running.number + 1}:{running.tries}"
    announce(running.wallet_id, Notice.PLAN_FAILED, key=key, facts=facts, now=now)


def gone_back(charge: Charge, *, now: datetime) -> None:
    facts: Facts = {"plan": _name(charge.plan_id), "amount": _usd(charge.amount_cents), "gone_back": True}
    announce(charge.wallet_id, Notice.PLAN_FAILED, key=f"back:{charge.pk}", facts=facts, now=now)


def ended(running: Subscription, *, now: datetime) -> None:
    facts: Facts = {
        "plan": _name(running.plan_id),
        "why": running.ended_as,
        "ended_at": _at(running.ended_at),
        "grace": running.ended_as == Ended.UNPAID and running.renewals > 0,
    }
    announce(running.wallet_id, Notice.PLAN_ENDED, key=f"{running.pk}", facts=facts, now=now)


def suspended(running: Subscription, *, now: datetime) -> None:
    _dispute(running, "suspended", now)


def resumed(running: Subscription, *, now: datetime) -> None:
    _dispute(running, "resumed", now)


def _dispute(running: Subscription, what: str, now: datetime) -> None:
    facts: Facts = {"what": what, "plan": _name(running.plan_id), "until": _at(running.ends_at)}
    key = f"{running.pk}:{what}:{now.isoformat()}"
    announce(running.wallet_id, Notice.PLAN_CHANGED, key=key, facts=facts, now=now)


def scheduled(running: Subscription, change: Change, *, now: datetime) -> None:
    """Of a cancellation it is the confirmation."""
    facts = _of_change(running, change) | {"what": "changes" if change.plan_id else "ends"}
    announce(running.wallet_id, Notice.PLAN_CHANGED, key=f"{change.pk}:scheduled", facts=facts, now=now)


def withdrawn(running: Subscription, change: Change, *, now: datetime) -> None:
    facts = _of_change(running, change) | {"what": "stays"}
    announce(running.wallet_id, Notice.PLAN_CHANGED, key=f"{change.pk}:withdrawn", facts=facts, now=now)


def rises(running: Subscription, rise: PriceRise, *, now: datetime) -> None:
    facts: Facts = {
        "what": "price",
        "plan": _name(rise.plan_id),
        "amount": _usd(rise.to_cents),
        "before": _usd(rise.from_cents),
        "at": _at(rise.effective_at),
    }
    announce(running.wallet_id, Notice.PLAN_CHANGED, key=f"price:{rise.pk}", facts=facts, now=now)


def _of_change(running: Subscription, change: Change) -> dict[str, str | int | bool | None]:
    return {
        "plan": _name(running.plan_id),
        "next_plan": _name(change.plan_id) if change.plan_id else None,
        "at": _at(change.effective_at),
    }


def _name(plan_id: int) -> str:
    return Plan.objects.values_list("name", flat=True).get(pk=plan_id)


def _usd(cents: int) -> str:
    return f"{from_cents(cents):.2f}"


def _at(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
