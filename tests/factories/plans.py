"""Plans in few words, without Stripe: what it would answer is said here."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from django.db import transaction

from billing import flows
from billing.catalog.models import AIModel, Plan, RateLimit
from billing.coverage.models import Coverage
from billing.ledger import wallets
from billing.ledger.models import Account
from billing.payments import answers, outcomes
from billing.payments.models import Dispute, Intent, PaymentMethod
from billing.subscriptions import renewals
from billing.subscriptions.models import Change, Charge, Subscription
from orgs.models import Organization, User
from tests.factories import cards, catalog

JAN = datetime(2027, 1, 31, 10, tzinfo=UTC)
"""When a plan begins, unless told: its first period ends on 28 February, 10:00."""
FEB, MARCH, APRIL = (datetime(2027, month, day, 10, tzinfo=UTC) for month, day in ((2, 28), (3, 31), (4, 30)))
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def offered(slug: str = "zai-glm-4.7") -> tuple[AIModel, Plan, Plan]:
    """A model, and two plans of 50 and 200 USD that cover it."""
    model = catalog.model(slug)
    pro = catalog.plan(model, "code-pro", rank=1)
    larger = another("code-max", model, usd=200, rank=2, daily_tokens=120_000_000)
    return model, pro, larger


def another(slug: str, *models: AIModel, usd: int, rank: int, daily_tokens: int = 24_000_000) -> Plan:
    plan = Plan.objects.create(
        slug=slug, name=slug.replace("-", " ").title(), price_usd=Decimal(usd), daily_tokens=daily_tokens, rank=rank
    )
    for model in models:
        plan.covers.add(model)
        RateLimit.objects.create(model=model, tier=f"plan:{slug}", requests_per_minute=100, tokens_per_minute=400_000)
    return plan


def alone(slug: str) -> Plan:
    """A plan with a model of its own."""
    return another(slug, catalog.model(f"model-of-{slug}"), usd=50, rank=100 + Plan.objects.count())


def asked(
    org: Organization, plan: Plan, by: User, *, now: datetime = JAN, method: PaymentMethod | None = None
) -> Charge:
    """Quoted and agreed to, and written down; Stripe has not heard of it."""
    from billing.subscriptions import beginning, choosing, upgrading

    with transaction.atomic():
        wallets.lock([org.pk])
        quote = choosing.quote(org.pk, plan.pk, by=by.pk, now=now)
        begin = beginning.begin if quote.kind == "first" else upgrading.begin
        return begin(org.pk, quote.pk, by=by.pk, method_id=method.pk if method else None, now=now)


def begun(
    org: Organization, plan: Plan, by: User, *, now: datetime = JAN, method: PaymentMethod | None = None
) -> Subscription:
    """Subscribed with a saved card, and paid."""
    card = method or PaymentMethod.objects.filter(wallet_id=org.pk, is_default=True).first() or cards.saved(org)
    charge = asked(org, plan, by, now=now, method=card)
    assert charge.intent is not None
    paid(charge.intent, now=now)
    return of(charge)


def upgraded(running: Subscription, plan: Plan, by: User, *, now: datetime) -> Charge:
    """Quoted, agreed to and paid, unless it was free."""
    charge = asked(org_of(running), plan, by, now=now, method=running.method)
    if charge.intent is not None:
        paid(charge.intent, now=now)
    return charge


def renewing(running: Subscription, *, now: datetime) -> Intent | None:
    """The clock comes by: the payment that it wrote down, if one is to be made. Stripe has not heard of it."""
    with transaction.atomic():
        wallets.lock([running.wallet_id])
        intent_id = renewals.begin(running.pk, now=now)
    running.refresh_from_db()
    return Intent.objects.get(pk=intent_id) if intent_id else None


def renewed(running: Subscription, *, now: datetime) -> Subscription:
    """The clock comes by, and the card pays."""
    intent = renewing(running, now=now)
    assert intent is not None
    paid(intent, now=now)
    running.refresh_from_db()
    return running


def refused(running: Subscription, *, now: datetime, code: str = "insufficient_funds") -> Subscription:
    """The clock comes by, and the bank declines."""
    intent = renewing(running, now=now)
    assert intent is not None
    not_paid(intent, code, now=now)
    running.refresh_from_db()
    return running


def scheduled(running: Subscription, plan: Plan | None, by: User, *, now: datetime) -> Change:
    """Another plan, or (None) the end, with the period's end."""
    if plan is None:
        change = flows.cancel_plan(running.wallet_id, running.public_id, by=by.pk, now=now)
        assert change is not None
        return change
    return flows.schedule_plan(running.wallet_id, running.public_id, plan.pk, by=by.pk, now=now)


def taken_back(running: Subscription, by: User, *, now: datetime) -> None:
    flows.withdraw_change(running.wallet_id, running.public_id, by=by.pk, now=now)


def paid(intent: Intent, *, now: datetime, cents: int | None = None, currency: str = "usd") -> Intent:
    name = uuid4().hex[:14]
    return settled(
        intent, outcomes.Paid(cents or intent.amount_cents, currency, intent.provider_id or f"pi_{name}", f"ch_{name}", now),
        now=now,
    )  # fmt: skip


def not_paid(intent: Intent, code: str = "insufficient_funds", *, now: datetime) -> Intent:
    return settled(intent, outcomes.Declined(code, f"pi_{uuid4().hex[:14]}"), now=now)


def unknown(intent: Intent, *, now: datetime) -> Intent:
    return settled(intent, outcomes.Unknown(), now=now)


def settled(intent: Intent, outcome: outcomes.Outcome, *, now: datetime) -> Intent:
    flows.payment_outcome(intent.pk, outcome, now=now)
    intent.refresh_from_db()
    return intent


def disputed(intent: Intent, *cents: int, now: datetime, status: str = "needs_response") -> Dispute | None:
    """What the bank has moved so far: below zero withdrawn, above it given back."""
    id_ = f"dp_{intent.pk.hex}"
    moves = tuple(answers.Movement(f"txn_{id_}_{n}", amount, "usd", now) for n, amount in enumerate(cents))
    told = answers.Dispute(
        id_, status, "fraudulent", intent.amount_cents, "usd", intent.charge_id or "", intent.provider_id or "", now, moves
    )  # fmt: skip
    return flows.dispute_told(told, now=now)


def earned(*, now: datetime) -> None:
    flows.earn_plans(now=now)


def of(charge: Charge) -> Subscription:
    return Subscription.objects.get(pk=charge.subscription_id)


def org_of(running: Subscription) -> Organization:
    return Organization.objects.get(pk=running.wallet_id)


def cover(org: Organization) -> list[tuple[str, datetime, datetime]]:
    """(plan, from, to) as it is dated, in order."""
    names = dict(Plan.objects.values_list("pk", "slug"))
    rows = Coverage.objects.filter(wallet_id=org.pk, payer=3).order_by("valid_from")
    return [(names[row.source_id or 0], row.valid_from, row.valid_to) for row in rows]


def deferred(org: Organization) -> Decimal:
    """Fees that are collected and not earned, in USD."""
    balance: Decimal = Account.objects.get(wallet_id=org.pk, code=2100).balance
    return balance
