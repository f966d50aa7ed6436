"""Settled months as the owner could corrupt them with all triggers off: each is found, and called by its name."""

from datetime import timedelta

import pytest

from billing import flows
from billing.ledger.audit import Scope
from billing.payments import card_charges, outcomes
from billing.payments.models import Intent
from billing.verifying import books
from orgs.models import Organization
from tests.billing.verifying.crimes import assert_found
from tests.factories import months, usage
from tests.factories.months import APRIL, MAY
from tests.figures import Record

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_owner"), pytest.mark.money]

OURS = "org_id = %(org)s"
THE_CHARGE = "id = (SELECT intent_id FROM settlement WHERE org_id = %(org)s AND intent_id IS NOT NULL)"

CRIMES = [
    ("a month opened again", f"UPDATE ledger_period SET closed_at = NULL WHERE {OURS} AND period = '2026-03-01'",
     {"closed_month_settled", "months_in_order"}),
    ("a month closed at another moment", f"UPDATE ledger_period SET closed_at = closed_at + interval '1 s' WHERE {OURS}",
     {"closed_month_settled"}),
    ("a month closed before it was over",
     f"UPDATE ledger_period SET closed_at = period WHERE {OURS} AND period = '2026-04-01'",
     {"closed_month_settled", "months_in_order"}),
    ("a settlement removed", f"DELETE FROM settlement WHERE {OURS} AND period = '2026-04-01'", {"closed_month_settled"}),
    ("an overdraft that was larger", f"UPDATE settlement SET overdraft_at_end = overdraft_at_end + 1 WHERE {OURS}",
     {"settlement_decided"}),
    ("a charge too small for a card",
     f"UPDATE settlement SET charge_cents = 49, carried = 9.51 WHERE {OURS} AND decided = 'charge'", {"settlement_decided"}),
    ("settled by another ceiling than was set",
     """INSERT INTO overdraft_ceiling (org_id, usd, reason, key, set_by_id, set_at)
     VALUES (%(org)s, 20, 'planted', 'planted', 1, '2026-03-31T23:59:59Z')""", {"settlement_ceiling"}),
    ("less written off", f"UPDATE settlement SET written_off = 14, carried = 1 WHERE {OURS} AND written_off > 0",
     {"settlement_written_off"}),
    ("a write-off that nobody decided", f"UPDATE transfer SET key = 'wo:else' WHERE {OURS} AND debit_id = 6010",
     {"settlement_written_off"}),
    ("a charge of no settlement", f"UPDATE payment_intent SET key = 'settle:else' WHERE {THE_CHARGE}",
     {"settlement_charged"}),
    ("a charge beyond the ceiling", f"UPDATE payment_intent SET amount_cents = 1001 WHERE {THE_CHARGE}",
     {"settlement_charged", "settlement_paid"}),
    ("a charge that never arrived in the ledger",
     "UPDATE transfer SET cause_id = 'else' WHERE org_id = %(org)s AND reason = 'settlement'", {"settlement_paid"}),
]  # fmt: skip


@pytest.fixture
def acme_settled(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> Organization:
    """Owed 25.00 at the end of March: 15.00 written off, 10.00 charged and paid. In April it bought credit."""
    months.owing(acme, "25")
    months.closed()

    def charge(intent_id: object, *, now: object) -> outcomes.Outcome:
        intent = Intent.objects.get(pk=str(intent_id))
        return outcomes.Paid(intent.amount_cents, "usd", "pi_1", "ch_1", APRIL)

    monkeypatch.setattr(card_charges, "charge", charge)
    flows.collect_settlements(now=APRIL)
    usage.bought(acme, "5", now=APRIL + timedelta(days=1))
    months.closed(MAY)
    flows.issue_statements(now=MAY)
    return acme


def test_each_is_found_and_named(acme_settled: Organization, figures: Record) -> None:
    """One past for all of them: each is undone before the next."""
    assert books.verify(Scope(MAY)).differences == []
    for name, sql, found_by in CRIMES:
        assert_found(name, sql, found_by, acme_settled.pk, now=MAY)
        figures("verify_ledger", planted=1, found=1)
