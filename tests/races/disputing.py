"""What Stripe says of a dispute, and what it moved by the ledger."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from billing import flows
from billing.payments import answers
from billing.payments.models import Dispute, Intent
from orgs.models import Organization
from tests.races.scenes import NOW, World, asked, opened, paid


def bought_by_card(team: Organization, cents: int) -> Intent:
    """Credit that was paid for by card."""
    intent = opened(team, cents)
    flows.payment_outcome(intent.pk, paid(intent), now=NOW)
    intent.refresh_from_db()
    return intent


def said(intent: Intent, *moves: int, status: str = "needs_response", cents: int | None = None) -> answers.Dispute:
    """What Stripe says of the dispute of this payment: in cents, below zero it withdrew, above it reinstated."""
    id_ = f"dp_{intent.pk.hex}"
    movements = tuple(
        answers.Movement(f"txn_{id_}_{n}", amount, "usd", NOW + timedelta(minutes=n)) for n, amount in enumerate(moves)
    )
    return answers.Dispute(
        id_, status, "fraudulent", cents or intent.amount_cents, "usd", intent.charge_id or "", intent.provider_id or "",
        NOW, movements,
    )  # fmt: skip


def telling(what: answers.Dispute, *, now: datetime = NOW) -> Callable[[], Dispute | None]:
    return lambda: flows.dispute_told(what, now=now)


def disputed(team: Organization) -> Decimal:
    """What disputes took from Stripe, less what they gave back, by the ledger."""
    total: Decimal = asked(
        "SELECT coalesce(sum(CASE WHEN credit_id = 1000 THEN amount ELSE -amount END), 0) FROM transfer "
        "WHERE org_id = %s AND cause_kind = 'dispute' AND 1000 IN (debit_id, credit_id)",
        team.pk,
    )  # fmt: skip
    return total


def balance(team: Organization, code: int) -> Decimal:
    total: Decimal = asked(
        "SELECT coalesce(sum(balance - accrued), 0) FROM account WHERE org_id = %s AND code = %s", team.pk, code
    )
    return total


def spent(world: World, team: Organization, events: int) -> None:
    world.used(world.key(team), events=events)
    flows.sweep(now=NOW)
