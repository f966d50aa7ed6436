"""Months of an organization in few words: money comes and goes, and the month is closed."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from django.db import connection, transaction

from billing import flows, periods
from billing.ledger import accruals, wallets
from billing.metering import charging, gateways, ingest, partitions
from billing.metering.models import Gateway
from billing.metering.reversing import Reversal
from billing.payments import answers, refunds
from billing.payments.answers import Card
from billing.payments.models import Intent, Refund
from billing.payments.outcomes import Paid
from orgs.models import ApiKey, Organization, User
from tests import owners
from tests.factories import usage

VISA = Card("pm_visa", "visa", "4242", 11, 2029)


def bought(org: Organization, usd: str, *, now: datetime, purpose: str = "credits") -> Intent:
    """A payment that Stripe says was paid, and all that follows from it."""
    cents = int(Decimal(usd) * 100)
    intent = Intent.objects.create(
        wallet_id=org.pk, purpose=purpose, amount_cents=cents, key=f"buy:{uuid4()}", created_at=now
    )
    paid = Paid(cents, "usd", f"pi_{intent.pk.hex}", f"ch_{intent.pk.hex}", now, VISA)
    flows.payment_outcome(intent.pk, paid, now=now)
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
    partitions.make(at)
    partitions.make(now)
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
    """Everything used is charged and posted, and nothing more goes into this month."""
    with transaction.atomic():
        wallets.lock([org.pk])
        charging.drain([org.pk], now=now)
        accruals.close([org.pk], now=now)
    _close(org, period, now)


def _close(org: Organization, period: date, now: datetime) -> None:
    """As the owner of the tables: of this test's connection (`as_owner`), or of one beside it."""
    assert now >= periods.month_start(periods.next_month(period))
    close = "UPDATE ledger_period SET closed_at = %s WHERE org_id = %s AND period = %s"
    if connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute(close, [now, org.pk, period])
    else:
        with owners.connected() as owner:
            owner.execute(close, [now, org.pk, period])
