"""Plans in the admin: everything is shown, nothing is changed; a promised refund that failed waits for staff."""

import pytest
from django.test import Client

from billing import flows
from billing.payments.models import Refund, RefundState
from billing.payments.refunding import NotMade
from billing.subscriptions.models import Subscription
from orgs.models import Organization, User
from tests.factories import catalog, plans
from tests.factories.plans import DAY, FEB, JAN

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books_are_right")]

TABLES = ("subscription", "paidperiod", "change", "charge")


@pytest.fixture
def running(acme: Organization, alice: User) -> Subscription:
    """Two periods, and a cancellation that waits."""
    plan = plans.begun(acme, plans.offered()[1], alice)
    plans.renewed(plan, now=FEB)
    flows.cancel_plan(acme.pk, plan.public_id, by=alice.pk, now=FEB + DAY)
    return plan


def test_a_plan_with_all_of_it_on_its_page(staff_client: Client, running: Subscription) -> None:
    shown = staff_client.get(f"/admin/billing/subscription/{running.pk}/change/").content.decode()
    for words in (
        "Code Pro",
        "zai-glm-4.7",
        "Paid periods",
        "Scheduled changes",
        "Charges",
        "$50.00 for",
        "Renewal 2",
        "ends, by Alice Archer",
    ):
        assert words.lower() in shown.lower(), words
    assert 'name="_save"' not in shown


@pytest.mark.parametrize("table", TABLES)
def test_each_table_is_listed_and_searched_by_organization(
    staff_client: Client, running: Subscription, acme: Organization, table: str
) -> None:
    found = staff_client.get(f"/admin/billing/{table}/", {"q": "acme"}).content.decode()
    assert "Acme Research" in found
    assert "Acme Research" not in staff_client.get(f"/admin/billing/{table}/", {"q": "nobody"}).content.decode()


@pytest.mark.parametrize("table", TABLES)
def test_nothing_is_changed_there(staff_client: Client, running: Subscription, table: str) -> None:
    assert staff_client.get(f"/admin/billing/{table}/add/").status_code == 403
    assert staff_client.post(f"/admin/billing/{table}/{running.pk}/delete/", {"post": "yes"}).status_code in (302, 403)
    assert Subscription.objects.filter(pk=running.pk, state="active").exists()


def test_a_refund_of_unused_days_that_fails_waits_for_staff(
    staff_client: Client, acme: Organization, alice: User
) -> None:
    model = catalog.model("brief")
    plans.begun(acme, plans.another("brief-pro", model, usd=50, rank=7), alice)
    model.deprecated_on = (JAN + 9 * DAY).date()
    model.save()
    over = model.refused_from
    assert over is not None
    flows.retire_plans(now=over)
    refund = Refund.objects.get()
    assert not refund.needs_review
    flows.refund_told(NotMade(refund.pk, "expired_or_canceled_card"), now=over)
    refund.refresh_from_db()
    assert (refund.state, refund.needs_review) == (RefundState.FAILED, True)
    waiting = staff_client.get("/admin/billing/refund/", {"needs_review__exact": "1"}).content.decode()
    assert "Acme Research" in waiting
    flows.review_refund(refund.pk, by=alice.pk, now=over + DAY)
    refund.refresh_from_db()
    assert not refund.needs_review
