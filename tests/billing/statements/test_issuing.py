"""A statement is issued once, in order, and stays as it is: whoever asks, whatever comes later."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from billing import flows
from billing.notices.models import Notice
from billing.statements import issuing, writing
from billing.statements.models import BillingDetails, Receipt, Series, Statement, StatementParty
from orgs.models import Organization
from tests.billing.statements.conftest import APRIL, CLOSED, MARCH, Month, at, close
from tests.factories import business

pytestmark = pytest.mark.django_db

FEBRUARY = date(2026, 2, 1)


def told(month: Month, period: date = MARCH) -> Statement:
    return Statement.objects.get(wallet=month.org.pk, period=period)


def everything() -> list[Any]:
    return [list(table.objects.order_by("pk").values()) for table in (Statement, StatementParty, Receipt)]


def test_closed_months_are_told_in_order_and_once(march: Month) -> None:
    close(march)
    assert flows.issue_statements(now=CLOSED) == 2
    before = everything()
    assert flows.issue_statements(now=at(4, 2)) == 0
    assert issuing.issue(march.org.pk, MARCH, now=at(4, 2)) == told(march)
    assert everything() == before
    assert [(row.number, row.period) for row in Statement.objects.order_by("number")] == [(1, FEBRUARY), (2, MARCH)]


def test_a_month_that_is_open_or_whose_predecessor_waits_is_not_told(march: Month) -> None:
    with pytest.raises(issuing.NotYet, match="not closed"):
        issuing.issue(march.org.pk, MARCH, now=CLOSED)
    close(march)
    with pytest.raises(issuing.NotYet, match="earlier"):
        issuing.issue(march.org.pk, MARCH, now=CLOSED)


def test_a_month_without_movement_has_no_statement_and_the_chain_goes_on(march: Month) -> None:
    close(march)
    close(march, APRIL, now=at(5, 1))
    flows.issue_statements(now=at(5, 1))
    business.bought(march.org, "5.00", now=at(5, 3))
    close(march, date(2026, 5, 1), now=at(6, 1))
    assert flows.issue_statements(now=at(6, 1)) == 1
    may = told(march, date(2026, 5, 1))
    assert writing.hashed(bytes(told(march).hash), bytes(may.ledger_head), may.body) == bytes(may.hash)


def test_its_notice_says_the_number_and_the_closing_balance(march: Month) -> None:
    close(march)
    flows.issue_statements(now=CLOSED)
    facts = Notice.objects.get(key=f"statement:{told(march).name}").facts
    assert facts == {"number": told(march).name, "period": "2026-03", "closing": "56.5000001"}


def test_what_comes_later_changes_nothing_that_was_told(march: Month) -> None:
    """Late usage, a late reversal, another name, another address: the statement stays."""
    kept = business.used(march.prod, at(3, 30), tokens_in=1_000_000)
    close(march)
    flows.issue_statements(now=CLOSED)
    before = everything()
    business.used(march.prod, at(3, 31), tokens_in=5_000_000, now=at(4, 2))
    business.taken_back(kept, now=at(4, 3))
    Organization.objects.filter(pk=march.org.pk).update(name="Another")
    BillingDetails.objects.create(
        wallet_id=march.org.pk, legal_name="Another Ltd", address="1 Street", country="GB", changed_at=at(4, 3)
    )
    flows.issue_statements(now=at(4, 4))
    assert everything() == before
    close(march, APRIL, now=at(5, 1))
    flows.issue_statements(now=at(5, 1))
    walk = {line["kind"]: line["amount"] for line in writing.read(told(march, APRIL).body)["walk"]}  # type: ignore[attr-defined]
    assert (walk["usage"], walk["taken_back"]) == ("-1.75", "0.35")
    assert "Another Ltd" in told(march, APRIL).party.text


def test_the_body_holds_no_name(march: Month) -> None:
    close(march)
    flows.issue_statements(now=CLOSED)
    body, block = told(march).body, told(march).party.text
    for said in ("Acme", "prod-api", "eval-batch", "Hack day", "Visa", "4242"):
        assert said not in body
        assert said in block


class TestTheDatabaseRefuses:
    """Even the owner of the tables."""

    @pytest.fixture
    def issued(self, as_owner: None, march: Month) -> Statement:
        close(march)
        flows.issue_statements(now=CLOSED)
        return told(march)

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE statement SET body = replace(body, '8', '9')",
            "DELETE FROM statement",
            "UPDATE receipt SET body = '{}'",
            "DELETE FROM receipt",
            "UPDATE statement_party SET text = '{}'",
            "UPDATE receipt_party SET text = '{}'",
            "UPDATE document_counter SET last = last + 2",
            "UPDATE document_counter SET last = last - 1",
            "DELETE FROM document_counter",
        ],
    )
    def test_what_was_told_is_never_changed(self, issued: Statement, sql: str) -> None:
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)

    @pytest.mark.books_differ("document_numbers")
    @pytest.mark.parametrize(
        ("change", "fault"),
        [
            ({"number": 9}, "statement_numbered_next"),
            ({"hash": bytes(32)}, "statement_hashed"),
            ({"ledger_head": bytes(32)}, "statement_hashed"),
            ({"body": "{}"}, "statement_hashed"),
            ({"period": date(2026, 4, 1)}, "statement_of_closed_month"),
        ],
    )
    def test_a_forged_statement(self, march: Month, as_owner: None, change: dict[str, Any], fault: str) -> None:
        """Everything of the right one, save one thing."""
        close(march)
        issuing.issue(march.org.pk, FEBRUARY, now=CLOSED)
        forged = self._forged(march)
        for name, value in change.items():
            setattr(forged, name, value)
        with pytest.raises(IntegrityError, match=fault), transaction.atomic():
            forged.save(force_insert=True)

    def _forged(self, march: Month) -> Statement:
        """What `issue` would write."""
        with transaction.atomic():
            right = issuing.issue(march.org.pk, MARCH, now=CLOSED)
            transaction.set_rollback(True)
        writing.next_number(Series.STATEMENT)
        return Statement(
            wallet_id=right.wallet_id, period=right.period, number=right.number, ledger_head=right.ledger_head,
            body=right.body, hash=right.hash, issued_at=right.issued_at,
        )  # fmt: skip


def test_receipts_are_numbered_apart_and_money_without_a_place_has_none(march: Month) -> None:
    assert [(row.number, row.pk) for row in Receipt.objects.order_by("number")] == [
        (1, march.first.pk),
        (2, march.second.pk),
    ]
    wrong = business.opened(march.org, "7.00", now=at(3, 28))
    flows.payment_outcome(wrong.pk, business.paid(wrong, now=at(3, 28), cents=8_00), now=at(3, 28))
    flows.issue_statements(now=at(3, 28))
    assert not Receipt.objects.filter(pk=wrong.pk).exists()


def test_a_payment_from_before_there_were_receipts_gets_one(march: Month) -> None:
    from tests.factories import usage

    old = usage.bought(march.org, "9.00", now=at(3, 29))
    flows.issue_statements(now=at(3, 29))
    body = writing.read(Receipt.objects.get(pk=old.payment_id).body)
    assert Decimal(str(body["amount"])) == 9
