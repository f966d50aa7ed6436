"""The business of an organization in few words: money comes and goes, use is charged, months are closed."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from django.db import transaction

from billing import flows, periods
from billing.ledger import wallets
from billing.ledger.models import LedgerPeriod
from billing.metering import charging, gateways, ingest
from billing.metering.models import Gateway
from billing.metering.reversing import Reversal
from billing.payments import answers, refunds
from billing.payments.answers import Card
from billing.payments.models import Intent, Refund
from billing.payments.outcomes import Paid
from orgs.models import ApiKey, Organization, User
from tests.factories import months, usage

VISA = Card("pm_visa", "visa", "4242", 11, 2029)


def opened(org: Organization, usd: str, *, now: datetime, purpose: str = "credits") -> Intent:
    """A payment that was begun."""
    cents = int(Decimal(usd) * 100)
    return Intent.objects.create(
        wallet_id=org.pk, purpose=purpose, amount_cents=cents, key=f"buy:{uuid4()}", created_at=now
    )


def paid(intent: Intent, *, now: datetime, cents: int | None = None) -> Paid:
    """What Stripe says once it was paid."""
    name = intent.pk.hex
    return Paid(cents or intent.amount_cents, "usd", f"pi_{name}", f"ch_{name}", now, VISA)


def bought(org: Organization, usd: str, *, now: datetime) -> Intent:
    """Credit that was paid for, and all that follows from it."""
    intent = opened(org, usd, now=now)
    flows.payment_outcome(intent.pk, paid(intent, now=now), now=now)
    intent.refresh_from_db()
    return intent


def given(org: Organization, usd: str, *, now: datetime, until: datetime, title: str = "Hack day") -> None:
    flows.grant_promotional(
        org.pk, Decimal(usd), key=str(uuid4()), title=title, expires_at=until, reason="a test", issued_by=None, now=now
    )


def refunded(intent: Intent, usd: str, by: User, *, now: datetime, status: str = "succeeded") -> Refund:
    """Staff give back a part of what is left; the bank takes it, or (failed) sends it back."""
    with transaction.atomic():
        wallets.lock([intent.wallet_id])
        charging.drain([intent.wallet_id], now=now)
        order = refunds.Order(intent.wallet_id, intent.pk, int(Decimal(usd) * 100), "asked for", uuid4(), by.pk)
        asked = refunds.ask(order, now=now)
    told = answers.Refund(
        f"re_{asked.pk.hex}", status, asked.amount_cents, "usd", intent.charge_id or "", intent.provider_id or "", now,
        refund_id=asked.pk, failure_code="closed" if status == "failed" else "",
    )  # fmt: skip
    flows.refund_told(told, now=now)
    asked.refresh_from_db()
    return asked


def disputed(intent: Intent, *usd: str, now: datetime, status: str = "needs_response") -> None:
    """What the bank has moved so far: below zero withdrawn, above it given back."""
    id_ = f"dp_{intent.pk.hex}"
    moves = tuple(
        answers.Movement(f"txn_{id_}_{n}", int(Decimal(amount) * 100), "usd", now) for n, amount in enumerate(usd)
    )
    told = answers.Dispute(
        id_, status, "fraudulent", intent.amount_cents, "usd", intent.charge_id or "", intent.provider_id or "", now, moves
    )  # fmt: skip
    flows.dispute_told(told, now=now)


def used(
    key: ApiKey,
    at: datetime,
    *,
    model: str = "gpt-oss-120b",
    tokens_in: int = 0,
    tokens_out: int = 0,
    now: datetime | None = None,
) -> UUID:
    """One request that occurred at `at`, reported and charged two minutes later, or at `now`; its hour is posted."""
    now = now or at + timedelta(minutes=2)
    usage.days(at, now)
    reporter = Gateway.objects.first() or gateways.register("eu-1", now=now)
    request = usage.event(key.public_id, at, model=model, input_tokens=tokens_in, output_tokens=tokens_out)
    answer = ingest.ingest(usage.batch(request), gateway_id=reporter.pk, now=now)
    assert answer.accepted == 1
    flows.sweep(now=now)
    flows.sweep(now=periods.floor_hour(now) + timedelta(hours=2))
    return request.id


def taken_back(event_id: UUID, *, now: datetime) -> None:
    """A gateway takes a request back."""
    reporter = Gateway.objects.all()[0]
    flows.reverse_usage(Reversal(uuid4(), event_id, "a test", reporter.pk), now=now)


def closed(org: Organization, period: date, *, now: datetime) -> None:
    """Every gateway has reported until now, and this month and those before are settled; nobody's card is charged yet."""
    months.reported(now)
    flows.settle_periods(now=now)
    assert not LedgerPeriod.objects.filter(wallet=org.pk, period__lte=period, closed_at=None).exists()
