"""Credit that expires soon is told 30, 7 and 1 days before: each step once, whenever the task runs."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import flows, tasks
from billing.ledger.models import Account, CreditGrant
from billing.notices import expiring
from billing.notices.models import Kind, Notice
from orgs.models import Organization
from tests.factories import usage

from .conftest import NOW

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
END = datetime(2026, 9, 1, 14, 3, tzinfo=UTC)
MIDNIGHT = END.replace(hour=0, minute=0)


def given(org: Organization, amount: str, ends: datetime = END, *, now: datetime = NOW) -> CreditGrant:
    return flows.grant_promotional(
        org.pk, Decimal(amount), key=uuid4().hex, title="Gift", expires_at=ends, reason="gift", issued_by=None, now=now
    )  # fmt: skip


def told(org: Organization) -> list[tuple[int, Decimal, int]]:
    """(step, amount, grants) of what was told, oldest first."""
    facts = Notice.objects.filter(wallet=org.pk, kind=Kind.EXPIRING).order_by("id").values_list("facts", flat=True)
    return [(fact["step"], Decimal(fact["amount"]), fact["grants"]) for fact in facts]


def hourly(start: datetime, end: datetime) -> None:
    while start < end:
        expiring.tell(now=start)
        start += HOUR


def test_hour_by_hour_each_step_is_told_once(acme: Organization) -> None:
    given(acme, "14.50")
    hourly(MIDNIGHT - 32 * DAY, END + 2 * DAY)
    assert told(acme) == [(30, Decimal("14.50"), 1), (7, Decimal("14.50"), 1), (1, Decimal("14.50"), 1)]
    first = Notice.objects.earliest("id")
    assert first.created_at == MIDNIGHT - 30 * DAY
    assert first.key == f"expiring:{acme.pk}:2026-09-01:30"


def test_what_is_told_is_what_is_left_then(acme: Organization) -> None:
    given(acme, "14.50")
    expiring.tell(now=END - 30 * DAY)
    usage.spent(acme, "4.25", now=END - 20 * DAY)
    expiring.tell(now=END - 7 * DAY)
    usage.spent(acme, "10.24", now=END - 6 * DAY)
    expiring.tell(now=END - DAY)
    assert [amount for _, amount, _ in told(acme)] == [Decimal("14.50"), Decimal("10.25")]


@pytest.mark.parametrize(("left", "steps"), [("0.01", []), ("0.02", [30])])
def test_a_cent_is_not_worth_a_mail(acme: Organization, left: str, steps: list[int]) -> None:
    given(acme, left)
    expiring.tell(now=END - 30 * DAY)
    assert [step for step, _, _ in told(acme)] == steps


def test_grants_of_one_day_are_one_mail_and_those_of_the_next_another(acme: Organization) -> None:
    for amount, hours in (("10", 0), ("5", 3), ("0.01", 4), ("2", 24)):
        given(acme, amount, END + hours * HOUR)
    hourly(MIDNIGHT - 31 * DAY, MIDNIGHT - 28 * DAY)
    assert told(acme) == [(30, Decimal(15), 2), (30, Decimal(2), 1)]
    assert Notice.objects.earliest("id").facts["expires_at"] == END.isoformat()


@pytest.mark.parametrize(("days", "steps"), [(31, [30, 7, 1]), (30, [7, 1]), (5, [1]), (1, [])])
def test_steps_that_were_past_at_issue_are_skipped(acme: Organization, days: int, steps: list[int]) -> None:
    issued = END - days * DAY
    given(acme, "14.50", now=issued)
    hourly(issued, END + DAY)
    assert [step for step, _, _ in told(acme)] == steps


def test_after_a_silence_only_the_step_that_is_on_is_told(acme: Organization) -> None:
    given(acme, "14.50")
    hourly(END - 3 * DAY, END)
    assert [step for step, _, _ in told(acme)] == [7, 1]


def test_never_run_nothing_is_told_of_what_is_over(acme: Organization) -> None:
    given(acme, "14.50")
    assert expiring.tell(now=END) == 0
    assert expiring.tell(now=END + DAY) == 0


def test_credit_under_a_dispute_does_not_expire_and_is_told_for_its_later_end(acme: Organization) -> None:
    grant = given(acme, "14.50")
    Account.objects.filter(pk=grant.account_id).update(held=True)
    assert expiring.tell(now=END - 30 * DAY) == 0
    Account.objects.filter(pk=grant.account_id).update(held=False, expires_at=END + 10 * DAY)
    assert expiring.tell(now=END - 20 * DAY) == 1


def test_each_organization_is_told_its_own_in_as_many_queries(
    acme: Organization, charlie_personal: Organization
) -> None:
    given(acme, "14.50")
    with CaptureQueriesContext(connection) as one:
        expiring.tell(now=END - 30 * DAY)
    given(charlie_personal, "3")
    given(acme, "2", END + DAY)
    with CaptureQueriesContext(connection) as more:
        expiring.tell(now=END - 29 * DAY)
    assert len(one) == len(more)
    assert told(charlie_personal) == [(30, Decimal(3), 1)]
    assert told(acme) == [(30, Decimal("14.50"), 1), (30, Decimal(2), 1)]


def test_the_clock_tells_by_itself(acme: Organization) -> None:
    given(acme, "14.50", datetime.now(UTC) + timedelta(days=20), now=datetime.now(UTC) - timedelta(days=90))
    tasks.tell_expiring_credit()
    assert [step for step, _, _ in told(acme)] == [30]
