"""A payment that is disputed, told to the portal as Stripe would tell it."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from billing import flows
from billing.catalog.models import AIModel
from billing.ledger import balances
from billing.ledger.models import Account, Transfer
from billing.payments import answers
from billing.payments.models import Dispute, Intent
from orgs.models import ApiKey, Organization
from tests.factories import books


def spend(key: ApiKey, model: AIModel, dollars: int) -> None:
    books.accepted(key, model, timezone.now(), tokens_in=dollars * 1_000_000, tokens_out=0)
    books.charged(now=timezone.now())


def told(
    intent: Intent, *moved: int, id: str = "dp_1", status: str = "needs_response", cents: int = 100_00
) -> answers.Dispute:
    """What Stripe says of a dispute of this payment: below zero it withdrew, above it reinstated, a minute after another."""
    movements = tuple(
        answers.Movement(
            f"txn_{id}_{n}", amount, "usd", timezone.now().replace(microsecond=0) + timedelta(seconds=n - 100)
        )
        for n, amount in enumerate(moved)
    )
    opened = timezone.now().replace(microsecond=0)
    return answers.Dispute(
        id, status, "fraudulent", cents, "usd", intent.charge_id or "", intent.provider_id or "", opened, movements
    )  # fmt: skip


def tell(intent: Intent, *moved: int, now: datetime | None = None, **other: object) -> Dispute:
    dispute = flows.dispute_told(told(intent, *moved, **other), now=now or timezone.now())  # type: ignore[arg-type]
    assert dispute is not None
    return dispute


def posted(id: str = "dp_1") -> dict[str, Decimal]:
    """The dispute's transfers, by what follows its id in their keys."""
    rows = Transfer.objects.filter(key__startswith=f"dp:{id}:").order_by("id")
    return {row.key.removeprefix(f"dp:{id}:"): row.amount for row in rows}


def balance(org: Organization, now: datetime | None = None) -> balances.Balance:
    return balances.of(org.pk, now=now or timezone.now())


def grant_of(intent: Intent) -> Account:
    return Account.objects.get(grant__payment_id=intent.pk)
