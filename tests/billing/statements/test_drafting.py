"""A month added up by hand is what is drawn from the books, to the last digit; what does not add up is not drawn."""

from decimal import Decimal

import pytest
from django.db import connection

from billing import flows
from billing.coverage.models import Payer
from billing.ledger.chart import Code
from billing.statements import drafting
from billing.statements.drafting import DoesNotAddUp, Kind
from billing.statements.models import Statement
from tests.billing.statements.conftest import APRIL, CLOSED, MARCH, Month, at, close
from tests.factories import business

pytestmark = pytest.mark.django_db

BY_HAND = {
    Kind.PURCHASES: "60.00",
    Kind.RECHARGES: "0",
    Kind.PROMOTIONAL: "5.00",
    Kind.REINSTATED: "10.00",
    Kind.SETTLEMENT: "0",
    Kind.WRITTEN_OFF: "0",
    Kind.USAGE: "-3.134560123456",  # 1.20 + 1.234560123456 + 0.70
    Kind.TAKEN_BACK: "0.70",
    Kind.EXPIRED: "-2.565439876544",
    Kind.REFUNDED: "-15.00",
    Kind.REFUND_RETURNED: "3.00",
    Kind.CLAWED_BACK: "-10.00",
    Kind.ADJUSTMENTS: "0",
}


def test_every_line_of_a_month_with_all_kinds_of_movement(march: Month) -> None:
    close(march)
    drawn = drafting.draft(march.org.pk, MARCH)
    assert {line.kind: line.amount for line in drawn.walk} == {kind: Decimal(usd) for kind, usd in BY_HAND.items()}
    assert (drawn.opening, drawn.closing) == (Decimal("8.5000001"), Decimal("56.5000001"))


def test_usage_by_model_and_by_key_is_the_usage_less_what_was_taken_back(march: Month) -> None:
    close(march)
    drawn = drafting.draft(march.org.pk, MARCH)
    assert [(row.name, row.requests, row.tokens_in, row.tokens_out, row.amount) for row in drawn.models] == [
        ("odd-one", 1, 10_000_001, 0, Decimal("1.234560123456")),
        ("gpt-oss-120b", 1, 3_000_000, 200_000, Decimal("1.20")),
    ]
    assert [(row.name, row.amount) for row in drawn.keys] == [
        (march.batch.public_id, Decimal("1.234560123456")),
        (march.prod.public_id, Decimal("1.20")),
    ]


def test_what_the_card_was_charged_stands_beside_the_balance(march: Month) -> None:
    close(march)
    [charge] = drafting.draft(march.org.pk, MARCH).charges
    assert (charge.amount, charge.purpose, charge.outside) == (Decimal(60), "purchase", False)
    assert charge.intent_id == str(march.second.pk)


@pytest.mark.usefixtures("as_owner")
def test_free_usage_costs_nothing_and_is_told(march: Month) -> None:
    business.used(march.prod, at(3, 25), tokens_in=1)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO usage_hour SELECT org_id, hour, key_id, model_id, 3, price_id, period, 4, 500, 0, 60, 0, 0"
            " FROM usage_hour WHERE hour = %s",
            [at(3, 25)],
        )
        drawn = drafting.draft(march.org.pk, MARCH)
        cursor.execute("DELETE FROM usage_hour WHERE payer = 3")
    [covered] = drawn.covered
    assert (covered.payer, covered.requests, covered.tokens_in, covered.amount) == (Payer.SUBSCRIPTION, 4, 500, 0)


class TestMonthsOfPosting:
    def test_late_usage_counts_in_the_month_that_is_open(self, march: Month) -> None:
        """March is told; what occurred in it and comes now stands in April, in the ledger and in the tables alike."""
        close(march)
        before = drafting.draft(march.org.pk, MARCH)
        business.used(march.prod, at(3, 30), tokens_in=1_000_000, now=at(4, 2))
        close(march, APRIL, now=at(5, 1))
        assert drafting.draft(march.org.pk, MARCH) == before
        april = drafting.draft(march.org.pk, APRIL)
        assert (april.opening, april.moved(Kind.USAGE)) == (before.closing, Decimal("-0.35"))
        assert [(row.name, row.late) for row in april.models] == [("gpt-oss-120b", 1_000_000)]

    def test_what_is_taken_back_counts_when_it_is(self, march: Month) -> None:
        """Also while the month in which it was used is still open."""
        late = business.used(march.prod, at(3, 31, 20), tokens_in=1_000_000)
        business.taken_back(late, now=at(4, 1, 0, 10))
        close(march)
        close(march, APRIL, now=at(5, 1))
        drawn, april = drafting.draft(march.org.pk, MARCH), drafting.draft(march.org.pk, APRIL)
        assert drawn.moved(Kind.USAGE) == Decimal(BY_HAND[Kind.USAGE]) - Decimal("0.35")
        assert april.moved(Kind.TAKEN_BACK) == Decimal("0.35")
        assert [(row.name, row.requests, row.amount) for row in april.keys] == [
            (march.prod.public_id, -1, Decimal("-0.35"))
        ]


@pytest.mark.books_differ(
    "hour_cost", "hour_of_events", "hour_of_minutes", "usage_in_ledger", "credit_used", "key_spend"
)
def test_a_month_whose_usage_differs_from_the_ledger_is_not_told(
    march: Month, caplog: pytest.LogCaptureFixture
) -> None:
    """The smallest amount there is, in one hour of one key: nothing is issued, and staff hear of it."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE usage_hour SET cost = cost + 0.000000000001 WHERE cost > 1 AND period = %s", [MARCH])
    close(march)
    with pytest.raises(DoesNotAddUp, match="in the ledger"):
        drafting.draft(march.org.pk, MARCH)
    flows.issue_statements(now=CLOSED)
    assert list(Statement.objects.values_list("period__month", flat=True)) == [2]
    assert "statement_not_issued" in caplog.text


@pytest.mark.usefixtures("as_owner")
@pytest.mark.books_differ("wallet_sums", "credit_used")
def test_a_month_whose_lines_miss_the_balance_is_not_told(march: Month) -> None:
    close(march)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE wallet SET posted = posted + 0.01 WHERE org_id = %s", [march.org.pk])
    with pytest.raises(DoesNotAddUp, match="lines lead to"):
        drafting.draft(march.org.pk, MARCH)


@pytest.mark.parametrize(
    ("own", "other", "reason", "usd", "kind"),
    [
        (Code.CREDIT_PAID, Code.STRIPE, "purchase", 1, Kind.PURCHASES),
        (Code.CREDIT_PAID, Code.STRIPE, "recharge", 1, Kind.RECHARGES),
        (Code.OVERDRAFT, Code.STRIPE, "settlement", 1, Kind.SETTLEMENT),
        (Code.CREDIT_PAID, Code.STRIPE, "settlement_rest", 1, Kind.SETTLEMENT),
        (Code.CREDIT_PAID, Code.UNAPPLIED, "applied", 1, Kind.PURCHASES),
        (Code.CREDIT_PAID, Code.STRIPE, "dispute_reinstated", 1, Kind.REINSTATED),
        (Code.CLAWBACK_DEBT, Code.STRIPE, "dispute_withdrawn", -1, Kind.CLAWED_BACK),
        (Code.CREDIT_PAID, Code.REFUND_PENDING, "refund_asked", -1, Kind.REFUNDED),
        (Code.CLAWBACK_DEBT, Code.REFUND_PENDING, "refund_asked", -1, Kind.REFUNDED),
        (Code.CREDIT_PAID, Code.REFUND_PENDING, "refund_returned", 1, Kind.REFUND_RETURNED),
        (Code.OVERDRAFT, Code.REVENUE_USAGE, "usage", -1, Kind.USAGE),
        (Code.OVERDRAFT, Code.REVENUE_USAGE, "reversal", 1, Kind.TAKEN_BACK),
        (Code.CREDIT_PROMO, Code.PROMO_ISSUED, "promotion", 1, Kind.PROMOTIONAL),
        (Code.CREDIT_PROMO, Code.PROMO_ISSUED, "expiry", -1, Kind.EXPIRED),
        (Code.CREDIT_PAID, Code.BREAKAGE, "expiry", -1, Kind.EXPIRED),
        (Code.OVERDRAFT, Code.OVERDRAFT_EXCESS, "write_off", 1, Kind.WRITTEN_OFF),
        (Code.CLAWBACK_DEBT, Code.BAD_DEBT, "debt_forgiven", 1, Kind.WRITTEN_OFF),
        (Code.CREDIT_PAID, Code.GOODWILL, "adjustment", 1, Kind.ADJUSTMENTS),
        (Code.CREDIT_PAID, Code.GOODWILL, "adjustment", -1, Kind.ADJUSTMENTS),
    ],
)
def test_each_movement_has_its_line(own: int, other: int, reason: str, usd: int, kind: Kind) -> None:
    assert drafting.kind_of(own, other, reason, Decimal(usd)) is kind
