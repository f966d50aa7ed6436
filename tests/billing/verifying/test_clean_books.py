"""Books that were kept by the real code raise no alarm, whatever happened."""

import random

import pytest
from django.db import connection

from billing.ledger.audit import Scope
from billing.ledger.models import Transfer
from billing.metering.models import UsageEvent
from billing.verifying import books
from tests.billing.verifying.activity import START, Activity

pytestmark = pytest.mark.django_db
SEEDS = range(20)


@pytest.mark.parametrize("seed", SEEDS)
def test_twenty_random_pasts_and_no_false_alarm(seed: int, business: Activity) -> None:
    business.chance = random.Random(seed)
    business.happen(60)

    report = books.verify(Scope(business.now))
    assert report.differences == []
    assert report.checks == len(books.NAMES)
    assert report.transfers == Transfer.objects.count() > 0
    assert UsageEvent.objects.exists()


def test_the_past_of_the_other_tests_is_clean_and_has_everything(past: Activity) -> None:
    assert books.verify(Scope(past.now)).differences == []
    reasons = set(Transfer.objects.values_list("reason", flat=True))
    assert {"purchase", "promotion", "usage", "overdraft_paid", "reversal", "expiry"} <= reasons


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
