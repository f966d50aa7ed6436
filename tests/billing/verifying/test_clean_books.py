"""Books that were kept by the real code raise no alarm, whatever happened."""

import random

import pytest
from django.db import connection

from billing.ledger.audit import Scope
from billing.ledger.chart import Code
from billing.ledger.models import Transfer
from billing.metering.models import UsageEvent
from billing.payments.models import Dispute, Refund
from billing.verifying import books
from tests import figures as counted
from tests.billing.verifying.activity import START, Activity
from tests.figures import Record

pytestmark = [pytest.mark.django_db, pytest.mark.money]
SEEDS = range(counted.of(4, full=20))


@pytest.mark.parametrize("seed", SEEDS)
def test_random_pasts_and_no_false_alarm(seed: int, business: Activity, figures: Record) -> None:
    business.chance = random.Random(seed)
    business.happen(30)
    for key in business.keys:
        business.refund_elsewhere(key, intent=business.buy(key))
        business.dispute(key, intent=business.buy(key))
    business.happen(30)

    report = books.verify(Scope(business.now))
    assert report.differences == []
    assert report.checks == len(books.NAMES)
    assert report.transfers == Transfer.objects.count() > 0
    assert UsageEvent.objects.exists()
    went_back = {"refunds": Refund.objects.count(), "disputes": Dispute.objects.count()}
    assert all(went_back.values())
    figures("verify_ledger", clean_books=1, false_alarms=len(report.differences), **went_back)


def test_the_past_of_the_other_tests_is_clean_and_has_everything(past: Activity) -> None:
    assert books.verify(Scope(past.now)).differences == []
    reasons = set(Transfer.objects.values_list("reason", flat=True))
    assert {"purchase", "promotion", "usage", "overdraft_paid", "reversal", "expiry"} <= reasons
    assert {"refund_asked", "refund_done", "refund_returned", "dispute_withdrawn", "dispute_reinstated"} <= reasons
    assert Transfer.objects.filter(debit__code=Code.CLAWBACK_DEBT).exists()


def test_no_books_at_all_are_clean(db: None) -> None:
    assert books.verify(Scope(START)).differences == []


def test_every_check_has_a_name_of_its_own_and_says_what_is_promised() -> None:
    assert len(set(books.NAMES)) == len(books.NAMES)
    assert all(check.promise for check in books.CHECKS)


def test_asking_writes_nothing(past: Activity) -> None:
    """Not even a transaction id is taken: in a savepoint that is made read-only everything can still be asked."""
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT asking; SET TRANSACTION READ ONLY")
        assert books.verify(Scope(past.now)).differences == []
        cursor.execute("SHOW transaction_read_only")
        assert cursor.fetchone() == ("on",)
        cursor.execute("ROLLBACK TO SAVEPOINT asking")
