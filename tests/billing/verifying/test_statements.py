"""Random months are told and add up; what could be done to statements by whoever owns the tables is found."""

import random
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from django.db import connection

from billing import flows
from billing.ledger.audit import Scope
from billing.metering.models import Gateway
from billing.statements import exporting, verifier
from billing.statements.models import Statement
from billing.verifying import books
from orgs.models import ApiKey, Organization
from tests import figures, verified
from tests.billing.verifying.activity import START, Activity
from tests.billing.verifying.crimes import assert_found
from tests.factories import business as months
from tests.factories import orgs as people
from tests.figures import Record

pytestmark = [pytest.mark.django_db, pytest.mark.money]

MARCH = date(2026, 3, 1)
OVER = datetime(2026, 4, 1, 0, 20, tzinfo=UTC)


def told(business: Activity, through: date = MARCH, now: datetime = OVER) -> list[Statement]:
    """Everything through this month is closed and told."""
    business.now = max(business.now, now)
    for key in business.keys:
        months.closed(key.organization, through, now=business.now)
    flows.issue_statements(now=business.now)
    return list(Statement.objects.order_by("wallet", "period"))


@pytest.mark.parametrize("seed", range(figures.of(3, full=40)))
def test_random_months_add_up(
    seed: int, key: ApiKey, alice_personal: Organization, gateway: Gateway, figures: Record
) -> None:
    """Two organizations for two months: every statement verifies, continues the last one, and says what the ledger says."""
    business = Activity(random.Random(seed), [key, people.key(alice_personal, now=START).key], gateway)
    business.happen(40)
    before = [exporting.as_json(one) for one in told(business)]
    business.now += timedelta(days=1)
    business.happen(20)
    later = told(business, date(2026, 4, 1), datetime(2026, 5, 1, 0, 20, tzinfo=UTC))
    files = [exporting.as_json(one) for one in later]
    assert set(before) <= set(files)
    checked = [verifier.check(file) for file in files]
    for one, next_ in pairwise(checked):
        if one.organization == next_.organization:
            verifier.continues(one, next_)
    last = {found.organization: found.closing for found in checked}
    with connection.cursor() as cursor:
        cursor.execute("SELECT org_id, posted FROM wallet WHERE org_id = ANY(%s)", [list(last)])
        assert dict(cursor.fetchall()) == last
    assert verified.differences(now=business.now) == []
    figures("statements", issued=len(files))


ALTERED = """regexp_replace(body, '"opening":"[^"]*"', '"opening":"1.00"')"""
HASHED_ANEW = f"""
UPDATE statement s SET body = b.text,
    hash = sha256(decode(repeat('00', 32), 'hex') || s.ledger_head || convert_to(b.text, 'UTF8'))
FROM (SELECT id, {ALTERED} AS text FROM statement) b WHERE b.id = s.id
"""
THE_LAST = "(SELECT max(number) FROM receipt)"
LAST_GONE = f"""
DELETE FROM receipt_party USING receipt WHERE receipt_id = intent_id AND number = {THE_LAST};
DELETE FROM receipt WHERE number = {THE_LAST}
"""
OTHER_AMOUNT = """UPDATE receipt SET body = regexp_replace(body, '"amount":"[^"]*"', '"amount":"0.01"')"""
CRIMES = {
    "a figure altered": (f"UPDATE statement SET body = {ALTERED}", {"statement_hash", "statement_figures"}),
    "a figure altered, and hashed as if it were right": (HASHED_ANEW, {"statement_figures"}),
    "a closed month opened": ("UPDATE ledger_period SET closed_at = NULL", {"statement_hash"}),
    "another head of the month": ("UPDATE ledger_period SET head = sha256('x')", {"statement_hash"}),
    "a number left out": ("UPDATE statement SET number = number + 100", {"document_numbers"}),
    "a receipt's number left out": ("UPDATE receipt SET number = number + 100", {"document_numbers"}),
    "the last receipt gone": (LAST_GONE, {"document_numbers"}),
    "the counter gone": ("DELETE FROM document_counter", {"document_numbers"}),
    "another name on a statement": ("UPDATE statement_party SET text = text || ' '", {"document_seal"}),
    "another name on a receipt": ("UPDATE receipt_party SET text = text || ' '", {"document_seal"}),
    "a receipt of another amount": (OTHER_AMOUNT, {"receipt_of_payment"}),
}


@pytest.mark.usefixtures("as_owner")
def test_what_is_done_to_them_is_found_and_named(past: Activity, figures: Record) -> None:
    told(past)
    now = past.now
    assert books.verify(Scope(now)).differences == []
    for name, (sql, found_by) in CRIMES.items():
        assert_found(name, sql, found_by, past.keys[0].organization_id, now=now)
        figures("verify_ledger", planted=1, found=1)


@pytest.mark.usefixtures("as_owner")
def test_a_month_that_nobody_tells_is_found(past: Activity) -> None:
    past.now = OVER
    months.closed(past.keys[0].organization, MARCH, now=OVER)
    late = Scope(OVER + timedelta(hours=2))
    found = {difference.check for difference in books.verify(late).differences}
    assert "statement_missing" in found
    flows.issue_statements(now=OVER)
    assert "statement_missing" not in {difference.check for difference in books.verify(late).differences}
    assert Statement.objects.filter(wallet=past.keys[0].organization_id, period=MARCH).count() == 1
