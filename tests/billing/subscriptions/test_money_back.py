"""Fees that go back to the card: unused days, and refunds that are made in Stripe's dashboard."""

from datetime import UTC, date, datetime

import pytest

from billing import flows
from billing.catalog.models import AIModel, Plan
from billing.ledger.models import Transfer
from billing.payments import answers
from billing.payments.models import Intent, Refund
from billing.subscriptions.models import Subscription
from orgs.models import Organization, User
from tests.factories import plans
from tests.factories.plans import DAY, FEB, JAN

pytestmark = pytest.mark.django_db

NIGHT = datetime(2027, 2, 21, 0, 4, tzinfo=UTC)


@pytest.fixture
def running(acme: Organization, alice: User, pro: Plan) -> Subscription:
    return plans.begun(acme, pro, alice)


def told(intent: Intent, cents: int, *, status: str = "succeeded", ours: Refund | None = None) -> answers.Refund:
    return answers.Refund(
        "re_1", status, cents, "usd", intent.charge_id or "", intent.provider_id or "", NIGHT,
        refund_id=ours.pk if ours else None,
    )  # fmt: skip


@pytest.fixture
def retired(running: Subscription) -> Refund:
    """21 of 28 days were used when its last model ended."""
    AIModel.objects.update(deprecated_on=date(2027, 2, 20))
    flows.retire_plans(now=NIGHT)
    return Refund.objects.get()


def test_unused_days_arrive_at_the_card(retired: Refund, acme: Organization) -> None:
    flows.refund_told(told(retired.intent, 12_50, ours=retired), now=NIGHT + DAY)
    moved = Transfer.objects.filter(wallet_id=acme.pk).order_by("pk").values_list("reason", "amount")
    assert [(reason, f"{amount:.2f}") for reason, amount in moved] == [
        ("plan_fee", "50.00"), ("plan_earned", "37.50"), ("refund_asked", "12.50"), ("refund_done", "12.50"),
    ]  # fmt: skip


def test_what_the_bank_sends_back_is_deferred_again(retired: Refund, acme: Organization) -> None:
    flows.refund_told(told(retired.intent, 12_50, status="failed", ours=retired), now=NIGHT + DAY)
    assert f"{plans.deferred(acme):.2f}" == "12.50"


def test_a_refund_in_the_dashboard_takes_what_is_not_earned_and_the_rest_is_goodwill(
    running: Subscription, acme: Organization
) -> None:
    """The plan itself goes on: ending it is another act."""
    plans.earned(now=JAN + DAY)
    intent = Intent.objects.get()
    flows.refund_told(told(intent, 50_00), now=NIGHT)
    assert plans.deferred(acme) == 0
    goodwill = Transfer.objects.get(debit_id=4810)
    assert f"{goodwill.amount:.2f}" == "1.78"
    plans.earned(now=FEB)
    assert Transfer.objects.filter(reason="plan_earned").count() == 1, "what went back is not earned"
