"""What nobody could do through the portal, as the owner with all triggers off: each is found, and called by its name."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from billing.ledger.audit import Scope
from billing.verifying import books
from tests.billing.verifying.activity import Activity
from tests.billing.verifying.corruptions import A_TRANSFER, CHAIN, CORRUPTIONS, Corruption
from tests.billing.verifying.crimes import assert_found, commit_crime
from tests.figures import Record

pytestmark = pytest.mark.money


@pytest.fixture
def past(one_past: Activity, django_db_blocker: Any) -> Iterator[Activity]:
    """What a test does to it is gone afterwards."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield one_past
        transaction.set_rollback(True)


@pytest.mark.parametrize("crime", CORRUPTIONS, ids=lambda crime: crime.name.replace(" ", "-"))
def test_it_is_found_and_named(crime: Corruption, past: Activity, figures: Record) -> None:
    assert_found(crime.name, crime.sql, crime.found_by, past.keys[0].organization_id, now=past.now)
    figures("verify_ledger", planted=1, found=1)


def test_these_are_fifteen_at_least() -> None:
    assert len({crime.name for crime in CORRUPTIONS}) == len(CORRUPTIONS) >= 15


class TestScope:
    """`--org` and `--since` narrow what is looked at, and nothing that lies within is overlooked."""

    def test_an_organization_answers_for_itself(self, past: Activity) -> None:
        acme, alices = (key.organization_id for key in past.keys)
        commit_crime("UPDATE wallet SET posted = posted + 1 WHERE org_id = %(org)s", acme)
        assert {found.org_id for found in books.verify(Scope(past.now)).differences} == {acme}
        assert {found.org_id for found in books.verify(Scope(past.now, acme)).differences} == {acme}
        assert books.verify(Scope(past.now, alices)).differences == []

    def test_since_leaves_out_the_months_before(self, past: Activity) -> None:
        commit_crime(f"UPDATE transfer SET hash = sha256('x') WHERE id = {A_TRANSFER}", past.keys[0].organization_id)
        march = past.now.replace(day=1)
        april = books.verify(Scope(past.now, since=march.replace(month=4)))
        assert (april.differences, april.transfers) == ([], 0)
        assert {found.check for found in books.verify(Scope(past.now, since=march)).differences} == CHAIN

    def test_since_leaves_out_the_hours_before_and_never_cuts_a_sum_over_all_time(self, past: Activity) -> None:
        commit_crime("UPDATE usage_hour SET cost = cost + 0.5", past.keys[0].organization_id)
        later = books.verify(Scope(past.now, since=past.now + timedelta(hours=2)))
        assert {found.check for found in later.differences} == {"credit_used", "key_spend"}
