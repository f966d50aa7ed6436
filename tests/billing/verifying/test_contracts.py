"""Contracts as the owner of the tables could corrupt them with all triggers off: each is found, and called by its name."""

from datetime import UTC, datetime, timedelta

import pytest

from billing import flows
from billing.ledger.audit import Scope
from billing.verifying import books, contracts
from orgs.models import Organization, User
from tests.billing.verifying.crimes import assert_found
from tests.factories import contracts as made
from tests.factories import months
from tests.factories.contracts import DAY, MARCH, MILLION, MINUTE
from tests.figures import Record

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_owner"), pytest.mark.money]

APRIL = datetime(2026, 4, 1, 0, 6, tzinfo=UTC)
LATER = APRIL + timedelta(hours=3)
OF_MARCH = "org_id = %(org)s AND period = '2026-03-01'"
OF_APRIL = "org_id = %(org)s AND period = '2026-04-01'"
OURS = "org_id = %(org)s"

CRIMES = [
    ("a month that was cheaper", f"UPDATE contract_month SET amount_cents = 400 WHERE {OF_MARCH}",
     {"contract_month_due", "contract_income"}),
    ("a month closed too early", f"UPDATE contract_month SET closed_at = begun_at WHERE {OF_APRIL}",
     {"contract_deferred", "contract_income"}),
    ("tokens that nobody used", f"UPDATE contract_month SET total = total + 1 WHERE {OF_MARCH}", {"contract_tokens"}),
    ("tokens that were not posted",
     f"UPDATE contract_month SET posted = posted - 1000000, total = total - 1000000 WHERE {OF_MARCH}",
     {"contract_tokens", "contract_income"}),
    ("usage that is another payer's", f"UPDATE usage_hour SET payer = 1 WHERE {OURS} AND payer = 4", {"contract_tokens"}),
    ("a line that was lost", f"DELETE FROM contract_line WHERE {OURS}", {"contract_tokens"}),
    ("overage that was let go", f"DELETE FROM transfer WHERE {OURS} AND credit_id = 4220", {"contract_income"}),
    ("a commitment posted for another contract",
     f"UPDATE transfer SET key = 'kc:else:2026-03' WHERE {OURS} AND key LIKE 'kc:%%:2026-03'", {"contract_month_due"}),
    ("cover without a contract", f"UPDATE coverage SET source_id = 424242 WHERE {OURS} AND payer = 4", {"contract_cover"}),
    ("cover that begins before it was paid", f"UPDATE coverage SET valid_from = '2026-02-01' WHERE {OURS} AND payer = 4",
     {"contract_cover"}),
    ("a contract without cover", f"DELETE FROM coverage WHERE {OURS} AND payer = 4", {"contract_cover"}),
    ("a charge for nothing that is due",
     f"UPDATE payment_intent SET key = 'contract:else:' || id WHERE {OURS} AND purpose = 'contract'", {"contract_charged"}),
    ("words that another accepted", f"UPDATE contract_acceptance SET org_id = 424242 WHERE {OURS}", {"contract_words"}),
    ("a contract that nobody accepted", f"DELETE FROM contract_acceptance WHERE {OURS}", {"contract_words"}),
    ("a term that is over and goes on",
     f"UPDATE contract SET starts_on = '2025-03-01', ends_on = '2026-03-01' WHERE {OURS}", {"contract_late"}),
    ("a month that was forgotten",
     (f"WITH months AS (SELECT id FROM contract_month WHERE {OF_APRIL}),"
     " due AS (DELETE FROM contract_due WHERE month_id IN (SELECT id FROM months)),"
     " lines AS (DELETE FROM contract_line WHERE month_id IN (SELECT id FROM months))"
     f" DELETE FROM contract_month WHERE {OF_APRIL}"),
     {"contract_late", "contract_month_due"}),
]  # fmt: skip


@pytest.fixture
def contracted(acme: Organization, alice: User) -> Organization:
    """In March it used 12 million of 10; April has begun, and 3 million of it are used and wait to be posted."""
    made.running(acme, alice)
    made.used(acme, 12 * MILLION, at=MARCH + 9 * DAY)
    made.begun(APRIL)
    months.closed(APRIL)
    made.paid(acme, now=APRIL)
    made.paid(acme, now=APRIL + MINUTE)
    made.used(acme, 3 * MILLION, at=LATER)
    flows.issue_statements(now=LATER)
    assert books.verify(Scope(LATER)).differences == []
    return acme


def test_each_is_found_and_named(contracted: Organization, figures: Record) -> None:
    """One past for all of them: each is undone before the next."""
    for name, sql, found_by in CRIMES:
        assert_found(name, sql, found_by, contracted.pk, now=LATER)
        figures("verify_ledger", planted=1, found=1)


def test_every_check_is_tried() -> None:
    tried = set().union(*(found_by for *_, found_by in CRIMES))
    assert {check.name for check in contracts.CHECKS} <= tried


def test_a_contract_in_its_first_hour_is_not_late(acme: Organization, alice: User) -> None:
    """It was paid a minute after its start: the month before was never one of its months."""
    made.running(acme, alice, now=MARCH + MINUTE)
    assert books.verify(Scope(MARCH + 20 * MINUTE)).differences == []
