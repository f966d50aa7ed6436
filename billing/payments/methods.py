"""The saved cards of an organization: kept, chosen, removed, and what Stripe tells of them. Under the wallet's lock.

A removed card is removed here first, so that it is never charged again; Stripe lets it go afterwards (`detaching.py`).
"""

from datetime import UTC, datetime, timedelta

from django.db.models import Q, QuerySet

from billing.notices.announcing import Facts, announce
from billing.notices.models import Kind, Notice
from billing.payments import answers
from billing.payments.answers import Card
from billing.payments.models import OPEN_STATES, Intent, PaymentMethod

TELL_BEFORE = timedelta(days=30)
"""So long before the end of its last month people are told that a card expires."""


class CardRefused(ValueError):
    """The card cannot be removed or chosen now. The message is for the customer."""


def of(org_id: int) -> QuerySet[PaymentMethod]:
    """The cards that can be charged, the default first, then the newest."""
    return PaymentMethod.objects.filter(wallet_id=org_id, detached_at=None).order_by(
        "-is_default", "-created_at", "-id"
    )


def default(org_id: int) -> PaymentMethod | None:
    return PaymentMethod.objects.filter(wallet_id=org_id, is_default=True, detached_at=None).first()


def has_expired(method: PaymentMethod, *, now: datetime) -> bool:
    return now >= expires_at(method.exp_year, method.exp_month)


def expires_at(year: int, month: int) -> datetime:
    """A card is good until its month is over."""
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)


# --- Saving ------------------------------------------------------------------------------------------------------------


def save(org_id: int, card: Card, *, now: datetime, tell: bool = False) -> PaymentMethod:
    """Keep the card for later charges (A43); the first one is the default. Answers the card that is kept.

    The same card again is not listed twice: the new one, which its bank has just let be saved, takes the place of the old,
    which Stripe lets go. A bank that always asks would refuse the old one for ever. `tell`: people are told of a new card;
    of one that came with a payment the receipt tells.
    """
    known = PaymentMethod.objects.filter(stripe_id=card.method_id).first()
    if known is not None:
        return known
    same = (
        of(org_id).filter(brand=card.brand, last4=card.last4, exp_month=card.exp_month, exp_year=card.exp_year).first()
    )
    is_default = same.is_default if same else default(org_id) is None
    if same is not None:
        same.detached_at, same.is_default = now, False
        same.save(update_fields=["detached_at", "is_default"])
    made = PaymentMethod.objects.create(
        wallet_id=org_id,
        stripe_id=card.method_id,
        brand=card.brand,
        last4=card.last4,
        exp_month=card.exp_month,
        exp_year=card.exp_year,
        is_default=is_default,
        created_at=now,
    )
    if same is None and tell:
        _tell(made, "added", f"{made.pk}:added", now)
    return made


def successor(method: PaymentMethod) -> PaymentMethod | None:
    """What took the place of a card when the same one was saved again. None: it was removed, or is there."""
    if method.detached_at is None:
        return None
    return (
        of(method.wallet_id)
        .filter(brand=method.brand, last4=method.last4, exp_month=method.exp_month, exp_year=method.exp_year)
        .filter(created_at=method.detached_at)
        .first()
    )


# --- Choosing and removing -----------------------------------------------------------------------------------------------


def choose(org_id: int, method_id: int, *, now: datetime) -> PaymentMethod:
    """This card is the default from now on. Raises CardRefused when it is not there any more."""
    method = _kept(org_id, method_id)
    if not method.is_default:
        PaymentMethod.objects.filter(wallet_id=org_id, is_default=True).update(is_default=False)
        method.is_default = True
        method.save(update_fields=["is_default"])
        _tell(method, "default", f"{method.pk}:default:{now.astimezone(UTC).isoformat()}", now)
    return method


def remove(org_id: int, method_id: int, *, now: datetime) -> PaymentMethod:
    """Never charged again from here on. No other card becomes the default by it (A47). Removed before: nothing happens.

    Raises CardRefused while it is being charged.
    """
    method = PaymentMethod.objects.get(wallet_id=org_id, pk=method_id)
    if method.detached_at is not None:
        return method
    if Intent.objects.filter(method_id=method_id, state__in=OPEN_STATES).exists():
        raise CardRefused("This card is being charged right now. You can remove it when that is over.")
    _detach(method, now)
    return method


def _kept(org_id: int, method_id: int) -> PaymentMethod:
    method = of(org_id).filter(pk=method_id).first()
    if method is None:
        raise CardRefused("This card was removed meanwhile.")
    return method


def _detach(method: PaymentMethod, now: datetime) -> None:
    method.detached_at, method.is_default = now, False
    method.save(update_fields=["detached_at", "is_default"])
    _tell(method, "removed", f"{method.pk}:removed", now)


# --- What Stripe tells ---------------------------------------------------------------------------------------------------


def told(told: answers.Method, *, now: datetime) -> PaymentMethod | None:
    """What Stripe says of a card: a bank sent a new expiry or number, or it was detached there. None: not one of ours."""
    method = PaymentMethod.objects.filter(stripe_id=told.card.method_id).first()
    if method is None:
        return None
    if not told.customer_id:
        if method.detached_at is None:
            _detach(method, now)
        if method.released_at is None:
            method.released_at = method.checked_at = now
            method.save(update_fields=["released_at", "checked_at"])
    elif method.detached_at is None:
        card = told.card
        method.brand, method.last4 = card.brand, card.last4
        method.exp_month, method.exp_year = card.exp_month, card.exp_year
        method.save(update_fields=["brand", "last4", "exp_month", "exp_year"])
    return method


def gone(method_id: int | None, *, now: datetime) -> None:
    """Stripe refused to charge it since it is nobody's any more: it was detached there, and we were not told."""
    if method_id is None:
        return
    method = PaymentMethod.objects.filter(pk=method_id, detached_at=None).first()
    if method is not None:
        _detach(method, now)


def organization(stripe_id: str) -> int | None:
    return PaymentMethod.objects.filter(stripe_id=stripe_id).values_list("wallet_id", flat=True).first()


# --- What people are told ------------------------------------------------------------------------------------------------


def announce_expiring(*, now: datetime) -> int:
    """Cards whose last month ends within 30 days: each is told of once for that month. Answers how many were new."""
    due = {_expiring_key(method): method for method in _expiring(now)}
    named = [f"{Kind.CARD_EXPIRING}:{key}" for key in due]
    known = set(Notice.objects.filter(key__in=named).values_list("key", flat=True))
    new = {key: method for key, method in due.items() if f"{Kind.CARD_EXPIRING}:{key}" not in known}
    for key, method in new.items():
        facts: Facts = {
            "brand": method.brand, "last4": method.last4, "exp_month": method.exp_month, "exp_year": method.exp_year
        }  # fmt: skip
        announce(method.wallet_id, Kind.CARD_EXPIRING, key=key, facts=facts, now=now)
    return len(new)


def _expiring(now: datetime) -> list[PaymentMethod]:
    """Good now, and not any more 30 days from now: cards of this month and, near its end, of the next."""
    next_month = expires_at(now.year, now.month)
    months = Q(exp_year=now.year, exp_month=now.month) | Q(exp_year=next_month.year, exp_month=next_month.month)
    found = PaymentMethod.objects.filter(months, detached_at=None)
    return [one for one in found if now < expires_at(one.exp_year, one.exp_month) <= now + TELL_BEFORE]


def _expiring_key(method: PaymentMethod) -> str:
    return f"{method.pk}:{method.exp_year:04d}-{method.exp_month:02d}"


def _tell(method: PaymentMethod, what: str, key: str, now: datetime) -> None:
    facts = {"what": what, "brand": method.brand, "last4": method.last4}
    announce(method.wallet_id, Kind.CARD_CHANGED, key=key, facts=facts, now=now)
