"""Plans as the owner could corrupt them with all triggers off: each is found, and called by its name."""

import pytest

from billing.catalog.models import Plan
from billing.ledger.audit import Scope
from billing.verifying import books
from orgs.models import Organization, User
from tests.billing.verifying.crimes import assert_found
from tests.factories import business, plans
from tests.factories import orgs as people
from tests.factories.plans import DAY, FEB, HOUR, JAN, MINUTE
from tests.figures import Record

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_owner"), pytest.mark.money]

OURS = "org_id = %(org)s"
NOW = FEB + DAY

PERIOD = "UPDATE subscription_period SET"
OF_RENEWAL = "(SELECT intent_id FROM plan_charge WHERE org_id = %(org)s AND kind = 'renewal')"
A_CHANGE = "INSERT INTO plan_change (org_id, subscription_id, effective_at, made_at)"

CRIMES = [
    ("a fee that was less", f"{PERIOD} charged_cents = charged_cents - 1 WHERE {OURS} AND number = 2",
     {"plan_payment_placed"}),
    ("more earned than was posted", f"{PERIOD} earned_cents = earned_cents + 1 WHERE {OURS} AND number = 2",
     {"plan_earned", "plan_deferred"}),
    ("earned of no fee", f"UPDATE transfer SET key = 'rec:0:2027-02-01' WHERE {OURS} AND key LIKE 'rec:%%:2027-02-01'",
     {"plan_earned"}),
    ("a fee that never came", f"UPDATE payment_intent SET state = 'failed' WHERE {OURS} AND id = {OF_RENEWAL}",
     {"plan_deferred", "plan_without_paid_period"}),
    ("a period for nothing", f"DELETE FROM subscription_period WHERE {OURS} AND number = 2",
     {"plan_without_paid_period", "plan_payment_placed"}),
    ("a plan that runs longer than was paid", f"UPDATE subscription SET ends_at = ends_at + interval '1 day' WHERE {OURS}",
     {"plan_without_paid_period"}),
    ("a dearer renewal that nobody was told of", f"{PERIOD} price_cents = price_cents + 1000 WHERE {OURS} AND number = 2",
     {"plan_price_told"}),
    ("a gap between periods", f"{PERIOD} starts_at = starts_at + interval '1 hour' WHERE {OURS} AND number = 2",
     {"plan_periods_meet", "plan_without_paid_period"}),
    ("cover without a plan",
     f"UPDATE subscription SET state = 'ended', ended_at = '2027-02-28', ended_as = 'canceled' WHERE {OURS}",
     {"cover_without_plan"}),
    ("cover of another plan", f"UPDATE coverage SET source_id = 0 WHERE {OURS}",
     {"cover_without_plan", "plan_without_cover"}),
    ("a plan that covers nothing", f"UPDATE coverage SET valid_to = '2027-02-28 12:00Z' WHERE {OURS}",
     {"plan_without_cover"}),
    ("use that no plan covered", f"UPDATE coverage SET valid_from = '2027-02-28 10:30Z' WHERE {OURS}",
     {"usage_under_plan"}),
    ("a renewal that nobody makes", f"UPDATE subscription SET next_at = '2027-02-28' WHERE {OURS}", {"plan_overdue"}),
    ("a plan that nobody looks at", f"UPDATE subscription SET next_at = NULL WHERE {OURS}", {"plan_overdue"}),
    ("a change past due", f"{A_CHANGE} SELECT org_id, id, starts_at, starts_at FROM subscription WHERE {OURS}",
     {"plan_change_overdue"}),
    ("a fee that nobody earns", f"{PERIOD} earned_until = NULL, earned_cents = 0 WHERE {OURS} AND number = 1",
     {"plan_unearned", "plan_earned"}),
]  # fmt: skip


@pytest.fixture
def subscribed(acme: Organization, alice: User) -> Organization:
    """A plan that was paid for, used and renewed, and whose first fee is earned."""
    plans.offered()
    running = plans.begun(acme, Plan.objects.get(slug="code-pro"), alice)
    business.used(people.key(acme, now=JAN).key, JAN + DAY, model="zai-glm-4.7", tokens_in=1000)
    plans.earned(now=JAN + DAY)
    plans.renewed(running, now=FEB)
    plans.earned(now=FEB + MINUTE)
    return acme


def test_each_is_found_and_named(subscribed: Organization, figures: Record) -> None:
    """One past for all of them: each is undone before the next."""
    assert [found for found in books.verify(Scope(NOW)).differences if found.check.startswith(("plan", "cover"))] == []
    for name, sql, found_by in CRIMES:
        assert_found(name, sql, found_by, subscribed.pk, now=NOW)
        figures("verify_ledger", planted=1, found=1)


def test_books_that_are_cut_within_a_day_hold_the_whole_of_its_allowance(subscribed: Organization) -> None:
    """Used on 1 February at 10:00, and looked at from noon on: the tokens of that day are those of all its events."""
    for since in (JAN + DAY - MINUTE, JAN + DAY + 2 * HOUR):
        found = books.verify(Scope(JAN + DAY + 3 * HOUR, since=since)).differences
        assert [one for one in found if one.check == "allowance_of_events"] == []
