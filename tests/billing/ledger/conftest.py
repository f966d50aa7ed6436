"""A bare organization with a wallet, and short words for what happens to it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from billing.catalog.models import AIModel
from billing.ledger import accruals, grants, wallets
from billing.ledger.models import CreditGrant, GrantSource
from billing.payments.models import Intent
from orgs.models import Organization

NOW = datetime(2026, 3, 10, 12, 30, 17, tzinfo=UTC)


@pytest.fixture(autouse=True)
def the_books_are_right(books_are_right: None) -> None:
    """Whatever these tests do to money, every promise holds afterwards."""


@pytest.fixture
def org(db: None) -> int:
    return Organization.objects.create(kind="team", slug="acme", name="Acme Research").pk


@pytest.fixture
def model(db: None) -> int:
    return AIModel.objects.create(slug="gpt-oss-120b", name="gpt-oss-120b", provider="OpenAI").pk


def buy(org_id: int, amount: str, *, at: datetime = NOW) -> CreditGrant:
    intent = Intent.objects.create(
        id=uuid4(), wallet_id=org_id, purpose="credits", amount_cents=int(Decimal(amount) * 100), key=f"buy:{uuid4()}",
        created_at=at, state="succeeded", charged_at=at, provider_id=f"pi_{uuid4().hex}",
    )  # fmt: skip
    wallets.lock([org_id])
    return grants.issue_paid(
        org_id,
        Decimal(amount),
        payment_id=intent.id,
        source=GrantSource.PURCHASE,
        title="Purchase",
        charged_at=at,
        now=at,
    )


def promote(org_id: int, amount: str, *, days: int = 30, key: str = "welcome", at: datetime = NOW) -> CreditGrant:
    wallets.lock([org_id])
    return grants.issue_promotional(
        org_id, Decimal(amount), key=key, title="Welcome credit", expires_at=at + timedelta(days=days), reason="welcome",
        issued_by=None, now=at,
    )  # fmt: skip


def use(org_id: int, model_id: int, amount: str, *, at: datetime = NOW, now: datetime | None = None) -> None:
    """Usage that occurred at `at` is charged at `now`."""
    wallets.lock([org_id])
    minute = at.replace(second=0, microsecond=0)
    accruals.draw([accruals.Cost(org_id, model_id, minute, Decimal(amount))], now=now or at)
