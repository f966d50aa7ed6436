"""A demo organization: made once, found again, with promotional or bought credit, and a past if it is wanted."""

import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from billing.catalog.models import Plan
from billing.contracts.models import Contract
from billing.graphs import timeline
from billing.graphs.timeline import Kind as Item
from billing.ledger import balances
from billing.ledger.models import CreditGrant
from billing.metering.models import UsageHour
from billing.subscriptions.models import Change, Subscription
from orgs import keys
from orgs.models import Kind, Organization
from sandbox.stripe import Running
from tests.factories import catalog
from tests.factories.paying import stripe

__all__ = ["stripe"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_are_right")]


def seed(*words: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("seed_demo", *words, stdout=out)
    report: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return report


def available(slug: str) -> Decimal:
    return balances.of(Organization.objects.get(slug=slug).pk, now=datetime.now(UTC)).available


@pytest.mark.parametrize("kind", Kind.values)
def test_made_once_and_found_again(kind: str) -> None:
    first = seed("--slug", "acme", "--kind", kind, "--credit", "12.50")
    assert seed("--slug", "acme", "--kind", kind, "--credit", "12.50") == first

    assert Organization.objects.get(slug="acme").kind == kind
    assert available("acme") == Decimal("12.50")
    assert CreditGrant.objects.get().source == "promotion"
    key = keys.by_secret(first["key"])
    assert key is not None
    assert key.organization.slug == "acme"


def test_the_sign_in_that_is_printed_works() -> None:
    report = seed()
    entered = Client().post("/accounts/login/", {"login": report["email"], "password": report["password"]})
    assert entered.status_code == 302


def test_staff_get_into_the_admin() -> None:
    report = seed("--staff")
    client = Client()
    client.post("/accounts/login/", {"login": report["staff_email"], "password": report["staff_password"]})
    assert client.get("/admin/").status_code == 200


def test_credit_is_bought_through_stripe_once(stripe: Running) -> None:
    seed("--slug", "acme", "--credit", "100", "--paid")
    seed("--slug", "acme", "--credit", "100", "--paid")

    assert available("acme") == 100
    assert CreditGrant.objects.get().source == "purchase"
    assert stripe.admin.books()["totals"]["net"] == 100_00


def test_a_plan_and_a_contract_promised_once(stripe: Running, settings: Any) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 20.0  # that Stripe does not answer in time is another story
    catalog.first_catalog()
    seed("--slug", "acme", "--promises")
    seed("--slug", "acme", "--promises")

    org = Organization.objects.get(slug="acme")
    [plan] = Subscription.objects.filter(wallet=org.pk)
    assert (plan.state, plan.plan.slug) == ("active", "code-max")
    assert Change.objects.get(withdrawn_at=None).plan == Plan.objects.get(slug="code-pro")
    [contract] = Contract.objects.filter(wallet=org.pk)
    assert (contract.state, contract.amount_cents) == ("accepted", 30_00)
    kinds = {item.kind for item in timeline.of(org.pk, now=datetime.now(UTC)).items}
    assert {Item.PLAN_CHANGE, Item.RENEWAL, Item.COMMITMENT, Item.MONTH_CLOSE} <= kinds


def test_two_weeks_behind_it_and_the_books_are_right() -> None:
    catalog.first_catalog()
    seed("--slug", "acme", "--history", "1")
    seed("--slug", "acme", "--history", "1")

    used = sum(UsageHour.objects.values_list("cost", flat=True), Decimal(0))
    assert used > 0
    assert available("acme") == 150 - used
    assert not UsageHour.objects.filter(late_tokens__gt=0).exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--credit", "1.005"), "whole cents"),
        (("--credit", "NaN"), "whole cents"),
        (("--credit", "ten"), "whole cents"),
        (("--credit", "-1"), "negative"),
        (("--history", "36"), "from 0 to 35"),
        (("--credit", "1", "--paid"), "from \\$5.00"),
        (("--slug", "Not an address!"), "letters, digits"),
        (("--slug", "a" * 49), "at most 48"),
        (("--slug", ""), "letters, digits"),
    ],
)
def test_what_cannot_be_is_said(words: tuple[str, ...], reason: str, stripe: Running) -> None:
    with pytest.raises(CommandError, match=reason):
        seed(*words)
    assert not CreditGrant.objects.exists()
    assert not Organization.objects.exclude(slug__regex=r"^[-a-zA-Z0-9_]+$").exists()


def test_an_organization_that_is_no_demo_is_left_alone(acme: Organization) -> None:
    with pytest.raises(CommandError, match="Choose another --slug"):
        seed("--slug", "acme", "--credit", "5")


def test_not_in_production(settings: Any) -> None:
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="production"):
        seed()
