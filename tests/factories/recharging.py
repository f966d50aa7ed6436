"""Auto-recharge in few words, without Stripe: what it would answer is said here."""

from datetime import UTC, datetime
from uuid import uuid4

from django.db import transaction

from billing import flows
from billing.ledger import wallets
from billing.payments import outcomes
from billing.payments.models import Intent, PaymentMethod
from billing.recharge import recharging, rules
from billing.recharge.models import Rule
from orgs.models import Organization, User
from tests.factories import cards

NOW = datetime(2026, 3, 10, 12, 30, 17, tzinfo=UTC)


def wish(
    card: PaymentMethod, *, threshold: int = 20_00, to: int = 50_00, cap: int | None = None, per_day: int = 5
) -> rules.Wish:
    return rules.Wish(threshold, to, card.pk, cap, per_day)


def on(
    org: Organization,
    by: User,
    *,
    card: PaymentMethod | None = None,
    threshold: int = 20_00,
    to: int = 50_00,
    cap: int | None = None,
    per_day: int = 5,
    now: datetime = NOW,
) -> Rule:
    """Switched on; nothing is charged yet, whatever the balance."""
    wanted = wish(card or cards.saved(org), threshold=threshold, to=to, cap=cap, per_day=per_day)
    with transaction.atomic():
        wallets.lock([org.pk])
        return rules.switch_on(org.pk, wanted, by=by.pk, now=now)


def looked_at(org: Organization, *, now: datetime = NOW) -> Intent | None:
    """Looked at: the charge that was written down, if one was due. Stripe has not heard of it."""
    with transaction.atomic():
        wallets.lock([org.pk])
        intent_id = recharging.begin(org.pk, now=now)
    return Intent.objects.get(pk=intent_id) if intent_id else None


def begun(org: Organization, *, now: datetime = NOW) -> Intent:
    intent = looked_at(org, now=now)
    assert intent is not None
    return intent


def paid(intent: Intent, *, now: datetime = NOW) -> Intent:
    charge = uuid4().hex[:14]
    return _settled(intent, outcomes.Paid(intent.amount_cents, "usd", f"pi_{charge}", f"ch_{charge}", now), now)


def refused(intent: Intent, code: str = "insufficient_funds", *, now: datetime = NOW) -> Intent:
    """Declined by the bank, and cancelled at Stripe."""
    return _settled(intent, outcomes.Declined(code, f"pi_{uuid4().hex[:14]}"), now)


def unknown(intent: Intent, *, now: datetime = NOW) -> Intent:
    return _settled(intent, outcomes.Unknown(), now)


def _settled(intent: Intent, outcome: outcomes.Outcome, now: datetime) -> Intent:
    flows.payment_outcome(intent.pk, outcome, now=now)
    intent.refresh_from_db()
    return intent
